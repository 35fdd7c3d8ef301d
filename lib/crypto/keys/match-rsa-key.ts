import { equalBytes, wipe } from '../../base/bytes.ts';
import { readPkcs8 } from './pkcs8.ts';
import type { RsaPrivateJwk } from './private-jwk.ts';
import type { RsaJwk } from './public-jwk.ts';
import { rsaPkcs8 } from './rsa-forms.ts';
import { checkRsaNumbers } from './rsa-key.ts';

/**
 * Reads a retrieved RSA key and checks every number: computing with one wrong CRT number would give the factors away.
 *
 * @returns the private JWK, or `undefined` where it is another's or not spelled as WebCrypto exports it
 * @throws RoamingKeyError `bad_key` if the numbers do not fit together
 */
export async function matchRsaKey(pkcs8: Uint8Array, publicJwk: RsaJwk): Promise<RsaPrivateJwk | undefined> {
  const jwk = await readPkcs8(pkcs8);
  if (jwk.kty !== 'RSA' || jwk.n !== publicJwk.n || jwk.e !== publicJwk.e) return undefined;
  checkRsaNumbers(jwk);
  const expected = rsaPkcs8(jwk);
  try {
    return equalBytes(pkcs8, expected) ? jwk : undefined;
  } finally {
    wipe(expected);
  }
}
