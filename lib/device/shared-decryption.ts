/** Decrypting with a key that is shared with the assistant (docs/protocol.md section 5, scheme `elgamal`). */
import { wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { deviceShare } from '../protocol/password.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { elgamal } from '../protocol/schemes/elgamal.ts';
import { completeDecryption } from '../protocol/schemes/elgamal-decryption.ts';
import { openElgamalJwe, readElgamalJwe } from '../protocol/schemes/elgamal-jwe.ts';
import { readElgamalPublicJwk } from '../protocol/schemes/elgamal-keys.ts';
import type { Ask } from './shared-signing.ts';

/**
 * Decrypts a compact JWE with the assistant's help. The assistant learns its ephemeral key and nothing of its content.
 *
 * @param k the password's K
 * @throws RoamingKeyError `invalid_request`, `unsupported` for a JWE that this key cannot decrypt, before anything is
 *   sent, and `invalid_request` where it turns out damaged; `bad_response` where the assistant's half is wrong
 */
export async function decryptShared(
  record: DeviceRecord,
  k: Uint8Array,
  ask: Ask,
  jwe: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const publicKey = readElgamalPublicJwk(record.jwk);
  if (!publicKey)
    throw new RoamingKeyError('bad_record', "this device record's public key is in none of the groups");
  const ciphertext = await readElgamalJwe(jwe, publicKey);
  const response = await ask(elgamal.exchange, () => ({ w: ciphertext.w }));
  const f = deviceShare(k, 'elgamal', publicKey.group.scalarLength + 16);
  let z: Uint8Array | undefined;
  try {
    z = await completeDecryption({ publicKey, f, w: ciphertext.w, answer: response });
    return await openElgamalJwe(ciphertext, z);
  } finally {
    wipe(f, z);
  }
}
