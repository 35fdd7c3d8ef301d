/**
 * The private keys that scheme `retrieve` protects (docs/protocol.md sections 3 and 5): made or read before enrolment,
 * and after retrieval accepted only where they match the record's public key, the paper's M(pk, sk).
 */

import { concat, fromBase64url, randomBytes, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { loaded } from '../../base/load.ts';
import { matchPrivateKey, p256Pkcs8 } from './match-private-key.ts';
import {
  badKey,
  ED25519_PKCS8,
  type PrivateJwk,
  type ProtectedJwk,
  publicHalf,
  translate,
} from './private-jwk.ts';
import type { PublicJwk } from './public-jwk.ts';
import type { PrivateKeySource } from './read-private-jwk.ts';
import type { PrivateKeyFormat } from './write-private-key.ts';

export type { ProtectedJwk } from './private-jwk.ts';
export type { PrivateKeySource } from './read-private-jwk.ts';
export type { PrivateKeyFormat } from './write-private-key.ts';

/** A private key ready to be masked. */
export interface PrivateKey {
  /** PKCS#8 DER: 48 bytes for Ed25519, 138 for P-256, at most 8160 for RSA. The caller wipes it. */
  readonly pkcs8: Uint8Array<ArrayBuffer>;
  readonly publicJwk: ProtectedJwk;
}

/** Kinds of key that can be generated. */
export type PrivateKeyKind = 'Ed25519' | 'P-256' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096';

/** What a retrieved key may be used for (RFC 7518, RFC 8037, RFC 9864). */
export type KeyUse = 'Ed25519' | 'ES256' | 'ECDH-ES' | RsaUse;
type RsaUse = 'PS256' | 'PS384' | 'PS512' | 'RS256' | 'RS384' | 'RS512' | 'RSA-OAEP-256';

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const rsa = (name: string, bits: number) => ({ name, hash: `SHA-${bits}` });

/** For each use: the kind of key, the WebCrypto algorithm and what the key is then good for. */
const USES: Record<KeyUse, readonly [ProtectedJwk['kty'], Algorithm | EcKeyImportParams, KeyUsage]> = {
  Ed25519: ['OKP', { name: 'Ed25519' }, 'sign'],
  ES256: ['EC', P256, 'sign'],
  'ECDH-ES': ['EC', { ...P256, name: 'ECDH' }, 'deriveBits'],
  PS256: ['RSA', rsa('RSA-PSS', 256), 'sign'],
  PS384: ['RSA', rsa('RSA-PSS', 384), 'sign'],
  PS512: ['RSA', rsa('RSA-PSS', 512), 'sign'],
  RS256: ['RSA', rsa('RSASSA-PKCS1-v1_5', 256), 'sign'],
  RS384: ['RSA', rsa('RSASSA-PKCS1-v1_5', 384), 'sign'],
  RS512: ['RSA', rsa('RSASSA-PKCS1-v1_5', 512), 'sign'],
  'RSA-OAEP-256': ['RSA', rsa('RSA-OAEP', 256), 'decrypt'],
};

/**
 * Generates a private key.
 *
 * @param kind default `Ed25519`
 * @throws RangeError if `kind` is not in the list
 * @throws RoamingKeyError `unsupported` if the platform lacks the algorithm
 */
export async function generatePrivateKey(kind: PrivateKeyKind = 'Ed25519'): Promise<PrivateKey> {
  try {
    const { privateKey } = (await crypto.subtle.generateKey(generation(kind), true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair;
    return await readGenerated(privateKey);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw translate(error, badKey('it could not be generated'));
  }
}

/** Curve keys without the code that reads other people's files, so that a page need not load it. */
async function readGenerated(key: CryptoKey): Promise<PrivateKey> {
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', key);
  if (kty === 'RSA') {
    const { readPrivateJwk } = await loaded(import('./read-private-jwk.ts'));
    return encodePrivateKey(await readPrivateJwk(key));
  }
  const made = await encodePrivateKey({ kty, crv, x, ...(kty === 'EC' && { y }), d } as PrivateJwk);
  await matchPrivateKey(made.pkcs8, made.publicJwk);
  return made;
}

function generation(kind: PrivateKeyKind): Algorithm | EcKeyGenParams | RsaHashedKeyGenParams {
  switch (kind) {
    case 'Ed25519':
      return { name: 'Ed25519' };
    case 'P-256':
      return P256;
    case 'RSA-2048':
    case 'RSA-3072':
    case 'RSA-4096': {
      const size = { modulusLength: Number(kind.slice(4)), publicExponent: Uint8Array.of(1, 0, 1) };
      return { ...rsa('RSA-PSS', 256), ...size };
    }
    default:
      throw new RangeError('kind must be Ed25519, P-256, RSA-2048, RSA-3072 or RSA-4096');
  }
}

/**
 * Reads a private key that its owner has already.
 *
 * @throws RoamingKeyError `bad_key` if it is encrypted, damaged, of another kind than Ed25519, P-256 and RSA, not
 *   extractable, if its halves do not match, or if it is no sound RSA key of two primes and 2048 to 8192 bits
 */
export async function readPrivateKey(source: PrivateKeySource): Promise<PrivateKey> {
  const { readPrivateJwk } = await loaded(import('./read-private-jwk.ts'));
  const jwk = await readPrivateJwk(source);
  if (jwk.kty === 'RSA') {
    const { checkRsaNumbers, checkRsaPrimes } = await loaded(import('./rsa-key.ts'));
    checkRsaPrimes(checkRsaNumbers(jwk));
  }
  return encodePrivateKey(jwk);
}

/** The PKCS#8 of a private key whose numbers have been checked. */
async function encodePrivateKey(jwk: PrivateJwk): Promise<PrivateKey> {
  const publicJwk = publicHalf(jwk);
  if (jwk.kty !== 'RSA') {
    const d = fromBase64url(jwk.d) as Uint8Array;
    try {
      return { pkcs8: jwk.kty === 'EC' ? p256Pkcs8(d, jwk) : concat(ED25519_PKCS8, d), publicJwk };
    } finally {
      wipe(d);
    }
  }
  try {
    const key = await crypto.subtle.importKey('jwk', { ...jwk }, rsa('RSA-PSS', 256), true, ['sign']);
    return { pkcs8: new Uint8Array(await crypto.subtle.exportKey('pkcs8', key)), publicJwk };
  } catch (error) {
    throw translate(error, badKey('the platform refuses it'));
  }
}

/**
 * Accepts a retrieved private key for one use, if and only if it belongs to the record's public key.
 *
 * @param pkcs8 as `readPrivateKey` made it; stays the caller's to wipe
 * @param publicJwk from the device record
 * @returns a key that cannot be extracted
 * @throws RoamingKeyError `bad_response` if the key is damaged or another's: the assistant's answer was wrong;
 *   `unsupported` if the platform lacks the algorithm
 * @throws TypeError if keys of this kind have no such use
 */
export async function importForUse(pkcs8: Uint8Array, publicJwk: PublicJwk, alg: KeyUse): Promise<CryptoKey> {
  const use = Object.hasOwn(USES, alg) ? USES[alg] : undefined;
  if (use?.[0] !== publicJwk.kty) throw new TypeError(`alg ${alg} is no use of a ${publicJwk.kty} key`);
  const [, algorithm, usage] = use;
  // The numbers that were checked go in, not the bytes: what another parser makes of these was not checked.
  const jwk = await matchPrivateKey(pkcs8, publicJwk);
  try {
    return await crypto.subtle.importKey('jwk', { ...jwk }, algorithm, false, [usage]);
  } catch (error) {
    throw translate(error, new RoamingKeyError('unsupported', 'this platform refuses the key'));
  }
}

/**
 * Gives a retrieved private key out, if and only if it belongs to the record's public key.
 *
 * @param random draws the check number of `openssh`; default the platform's generator
 * @returns bytes for `pkcs8-der`, a private JWK for `jwk`, else PEM text
 * @throws RoamingKeyError `bad_response` as `importForUse`
 * @throws TypeError for `pkcs1-pem` of a key that is not RSA, or an unknown format
 */
export async function exportPrivateKey(
  pkcs8: Uint8Array,
  publicJwk: PublicJwk,
  format: 'pkcs8-pem' | 'pkcs1-pem' | 'openssh',
  random?: (length: number) => Uint8Array,
): Promise<string>;
export async function exportPrivateKey(
  pkcs8: Uint8Array,
  publicJwk: PublicJwk,
  format: 'pkcs8-der',
): Promise<Uint8Array<ArrayBuffer>>;
export async function exportPrivateKey(
  pkcs8: Uint8Array,
  publicJwk: PublicJwk,
  format: 'jwk',
): Promise<PrivateJwk>;
export async function exportPrivateKey(
  pkcs8: Uint8Array,
  publicJwk: PublicJwk,
  format: PrivateKeyFormat,
  random: (length: number) => Uint8Array = randomBytes,
): Promise<string | Uint8Array<ArrayBuffer> | PrivateJwk> {
  if (format === 'pkcs1-pem' && publicJwk.kty !== 'RSA') {
    throw new TypeError('format pkcs1-pem is for RSA keys');
  }
  const jwk = await matchPrivateKey(pkcs8, publicJwk);
  return (await loaded(import('./write-private-key.ts'))).writePrivateKey(pkcs8, jwk, format, random);
}
