/** How a content encryption key reaches the holder of an assistant's key (RFC 7518 sections 4.3 and 4.6). */
import { randomBytes, wipe } from '../../base/bytes.ts';
import { concatKdf } from './concat-kdf.ts';

/** A public key on one of the two curves for agreement. */
export type CurveJwk =
  | { readonly kty: 'OKP'; readonly crv: 'X25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };

/** A fresh content encryption key for A256GCM, and what the message must carry so that its reader gets it too. */
export interface SealedKey {
  /** 32 bytes, which the caller wipes. */
  readonly cek: Uint8Array<ArrayBuffer>;
  /** Public ephemeral key; `undefined` for RSA. */
  readonly epk: CurveJwk | undefined;
  /** Empty where the key is agreed. */
  readonly encryptedKey: Uint8Array<ArrayBuffer>;
}

const CEK_LENGTH = 32;

/** Encrypts a random content encryption key by RSA-OAEP with SHA-256. */
export async function encryptKey({ n, e }: { readonly n: string; readonly e: string }): Promise<SealedKey> {
  const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('jwk', { kty: 'RSA', n, e }, algorithm, false, ['encrypt']);
  const cek = randomBytes(CEK_LENGTH);
  const encryptedKey = new Uint8Array(await crypto.subtle.encrypt(algorithm, key, cek));
  return { cek, epk: undefined, encryptedKey };
}

/**
 * Agrees on a content encryption key by ECDH-ES with a key of its own for this message.
 *
 * @param given private JWK of that key. Default: a fresh one
 * @throws DOMException where the platform refuses the point, or lacks the curve
 */
export async function agreeKey(jwk: CurveJwk, given?: JsonWebKey): Promise<SealedKey> {
  const algorithm = jwk.kty === 'OKP' ? { name: 'X25519' } : { name: 'ECDH', namedCurve: 'P-256' };
  const theirs = await crypto.subtle.importKey('jwk', publicMembers(jwk), algorithm, false, []);
  const { privateKey, epk } = given ? await readPair(given, algorithm) : await makePair(algorithm);
  const z = new Uint8Array(
    await crypto.subtle.deriveBits({ name: algorithm.name, public: theirs }, privateKey, 256),
  );
  try {
    // Not every platform refuses points of small order, with which everybody knows the result (RFC 7748 section 6.1).
    if (z.every((byte) => byte === 0)) throw new RangeError('a point of small order');
    const cek = await concatKdf(z, { algorithm: 'A256GCM', bits: 8 * CEK_LENGTH });
    return { cek, epk, encryptedKey: new Uint8Array(0) };
  } finally {
    wipe(z);
  }
}

interface Pair {
  readonly privateKey: CryptoKey;
  readonly epk: CurveJwk;
}

async function makePair(algorithm: EcKeyGenParams | Algorithm): Promise<Pair> {
  const pair = (await crypto.subtle.generateKey(algorithm, false, ['deriveBits'])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey('jwk', pair.publicKey)) as CurveJwk;
  return { privateKey: pair.privateKey, epk: publicMembers(jwk) };
}

async function readPair(given: JsonWebKey, algorithm: EcKeyImportParams | Algorithm): Promise<Pair> {
  const privateKey = await crypto.subtle.importKey('jwk', given, algorithm, false, ['deriveBits']);
  return { privateKey, epk: publicMembers(given as CurveJwk) };
}

/** The public key alone: a platform's JWK says more, such as what the key may be used for. */
function publicMembers(jwk: CurveJwk): CurveJwk {
  const { x } = jwk;
  return jwk.kty === 'OKP' ? { kty: 'OKP', crv: 'X25519', x } : { kty: 'EC', crv: 'P-256', x, y: jwk.y };
}
