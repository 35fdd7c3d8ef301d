import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { type JweType, parseSealed } from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap, openSealed } from '../../lib/crypto/jwe/jwe-node.ts';

/** Opens a message with an assistant's private JWK, as a test may that plays the assistant or its thief. */
export async function openWithKey(
  jwe: string,
  typ: JweType,
  { kid: _kid, ...jwk }: JsonWebKey & { kid?: string },
): Promise<Uint8Array | undefined> {
  const parsed = parseSealed(jwe, typ);
  return parsed && openSealed(parsed, localUnwrap(createPrivateKey({ key: jwk, format: 'jwk' })));
}
