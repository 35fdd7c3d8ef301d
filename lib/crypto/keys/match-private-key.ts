import { concat, equalBytes, fromBase64url, randomBytes, toBase64url, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { loaded } from '../../base/load.ts';
import { ED25519_PKCS8, ed25519Key, type PrivateJwk, translate } from './private-jwk.ts';
import type { Ed25519Jwk, P256Jwk, PublicJwk } from './public-jwk.ts';

/** PKCS#8 of a P-256 key up to its scalar, and from there to its public point (RFC 5915). */
const P256_HEAD = fromBase64url('MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg') as Uint8Array;
const P256_MIDDLE = Uint8Array.of(0xa1, 0x44, 0x03, 0x42, 0x00, 0x04);

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/**
 * The paper's M(pk, sk): accepts a retrieved private key if and only if it belongs to the record's public key.
 *
 * Not only a wrong key is meant: the assistant can flip any bit of the masked key, so every number is checked that a
 * signature depends on. The error is `bad_response` and not `bad_key`, since the assistant's answer was wrong.
 *
 * @param pkcs8 as `readPrivateKey` makes it
 * @returns the private JWK
 * @throws RoamingKeyError `bad_response` if the key is damaged or another's; `unsupported` if the platform lacks the
 *   algorithm
 * @throws TypeError for kty `DH`, whose keys are never retrieved
 */
export async function matchPrivateKey(pkcs8: Uint8Array, publicJwk: PublicJwk): Promise<PrivateJwk> {
  if (publicJwk.kty === 'DH') throw new TypeError('a key of kty DH is never retrieved');
  try {
    if (publicJwk.kty === 'OKP') return await matchEd25519(pkcs8, publicJwk);
    if (publicJwk.kty === 'EC') return await matchP256(pkcs8, publicJwk);
    const jwk = await (await loaded(import('./match-rsa-key.ts'))).matchRsaKey(pkcs8, publicJwk);
    if (!jwk) throw mismatch();
    return jwk;
  } catch (error) {
    const failure = translate(error, mismatch());
    throw failure.code === 'unsupported' || failure.code === 'network' ? failure : mismatch();
  }
}

async function matchEd25519(pkcs8: Uint8Array, publicJwk: Ed25519Jwk): Promise<PrivateJwk> {
  const at = ED25519_PKCS8.length;
  if (pkcs8.length !== at + 32 || !equalBytes(pkcs8.subarray(0, at), ED25519_PKCS8)) throw mismatch();
  return ed25519Key(pkcs8.subarray(at), fromBase64url(publicJwk.x));
}

/** Signs and verifies: not every platform looks whether the scalar and the point in PKCS#8 belong together. */
async function matchP256(pkcs8: Uint8Array, publicJwk: P256Jwk): Promise<PrivateJwk> {
  const d = pkcs8.subarray(P256_HEAD.length, P256_HEAD.length + 32);
  const expected = p256Pkcs8(d, publicJwk);
  try {
    if (!equalBytes(pkcs8, expected)) throw mismatch();
    const privateKey = await crypto.subtle.importKey('pkcs8', expected, P256, false, ['sign']);
    const publicKey = await crypto.subtle.importKey('jwk', { ...publicJwk }, P256, false, ['verify']);
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    const challenge = randomBytes(32);
    const signature = await crypto.subtle.sign(algorithm, privateKey, challenge);
    if (!(await crypto.subtle.verify(algorithm, publicKey, signature, challenge))) throw mismatch();
    return { ...publicJwk, d: toBase64url(d) };
  } finally {
    wipe(expected);
  }
}

/** PKCS#8 of a P-256 key: 138 bytes, as WebCrypto exports it. */
export function p256Pkcs8(d: Uint8Array, { x, y }: P256Jwk): Uint8Array<ArrayBuffer> {
  const bytes = (text: string) => fromBase64url(text) ?? new Uint8Array(0);
  return concat(P256_HEAD, d, P256_MIDDLE, bytes(x), bytes(y));
}

function mismatch(): RoamingKeyError {
  return new RoamingKeyError('bad_response', "the retrieved key does not belong to the record's public key");
}
