/** Private keys of the kinds that a user may protect, and how one is made from the secret number of a curve. */
import * as v from 'valibot';
import { concat, equalBytes, fromBase64url, toBase64url, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { loaded } from '../../base/load.ts';
import { type Ed25519Jwk, type P256Jwk, PUBLIC_JWK, type RsaJwk } from './public-jwk.ts';

/** A private key on edwards25519: `d` is the seed, 32 bytes (RFC 8037). */
export interface Ed25519PrivateJwk extends Ed25519Jwk {
  readonly d: string;
}

/** A private key on P-256: `d` is 32 bytes. */
export interface P256PrivateJwk extends P256Jwk {
  readonly d: string;
}

/** A private RSA key of two primes, with all its CRT members (RFC 7518 section 6.3.2). */
export interface RsaPrivateJwk extends RsaJwk {
  readonly d: string;
  readonly p: string;
  readonly q: string;
  readonly dp: string;
  readonly dq: string;
  readonly qi: string;
}

export type PrivateJwk = Ed25519PrivateJwk | P256PrivateJwk | RsaPrivateJwk;

/** The public half of a key that a user may protect with scheme `retrieve`. */
export type ProtectedJwk = Ed25519Jwk | P256Jwk | RsaJwk;

/** The longest key taken, in bytes: what a ticket can mask (docs/protocol.md section 3). */
export const MAX_KEY_BYTES = 8160;

/** PKCS#8 of an Ed25519 key up to its seed (RFC 8410 section 7). */
export const ED25519_PKCS8 = fromBase64url('MC4CAQAwBQYDK2VwBCIEIA') as Uint8Array;

/** The error for a private key that cannot be protected. */
export function badKey(what: string): RoamingKeyError {
  return new RoamingKeyError('bad_key', `the private key cannot be used: ${what}`);
}

/**
 * What a failure of the platform or of a library becomes. Theirs is dropped, not kept as cause: it may quote the key.
 */
export function translate(error: unknown, otherwise: RoamingKeyError): RoamingKeyError {
  if (error instanceof RoamingKeyError) return error;
  return error instanceof Error && error.name === 'NotSupportedError'
    ? new RoamingKeyError(
        'unsupported',
        'this browser or runtime is too old: it lacks the algorithm of the key',
      )
    : otherwise;
}

/**
 * The Ed25519 key of a seed; where a public half came with it, it must be that key's.
 *
 * @throws RoamingKeyError `bad_key` if it is not
 */
export async function ed25519Key(seed: Uint8Array, claimed?: Uint8Array): Promise<Ed25519PrivateJwk> {
  // OpenSSL would leave what follows out of account.
  if (seed.length !== 32) throw badKey('its seed is not 32 bytes long');
  const pkcs8 = concat(ED25519_PKCS8, seed);
  try {
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'Ed25519' }, true, ['sign']);
    const { x = '' } = await crypto.subtle.exportKey('jwk', key);
    if (claimed && toBase64url(claimed) !== x) throw badKey('its public half belongs to another key');
    return { kty: 'OKP', crv: 'Ed25519', x, d: toBase64url(seed) };
  } catch (error) {
    throw translate(error, badKey('damaged'));
  } finally {
    pkcs8.fill(0);
  }
}

/**
 * The P-256 key of a scalar; where a public point came with it (SEC 1: uncompressed, compressed or hybrid), it must be
 * that key's.
 *
 * @param scalar big-endian; some programs drop leading zeros, others prepend one
 * @throws RoamingKeyError `bad_key` if it is not, or if the scalar is 0 or not below the order
 */
export async function p256Key(scalar: Uint8Array, claimed?: Uint8Array): Promise<P256PrivateJwk> {
  // WebCrypto makes no public key from a scalar alone, at least not everywhere.
  const { p256 } = await loaded(import('@noble/curves/nist.js'));
  const d = toLength(scalar, 32);
  try {
    if (!d || !p256.utils.isValidSecretKey(d)) throw badKey('its number is out of range');
    const point = p256.getPublicKey(d, false);
    const [x, y] = [point.subarray(1, 33), point.subarray(33)];
    const isOdd = (y[31] as number) & 1;
    const spellings = [point, concat(Uint8Array.of(2 + isOdd), x), concat(Uint8Array.of(6 + isOdd), x, y)];
    if (claimed && !spellings.some((spelling) => equalBytes(claimed, spelling)))
      throw badKey('its public half belongs to another key');
    return { kty: 'EC', crv: 'P-256', x: toBase64url(x), y: toBase64url(y), d: toBase64url(d) };
  } finally {
    wipe(d);
  }
}

/** A big-endian number in `length` bytes; `undefined` where it does not fit. */
export function toLength(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> | undefined {
  const start = bytes.findIndex((byte) => byte !== 0);
  const significant = start < 0 ? new Uint8Array(0) : bytes.subarray(start);
  if (significant.length > length) return undefined;
  return concat(new Uint8Array(length - significant.length), significant);
}

/**
 * The public members of a private JWK.
 *
 * @throws RoamingKeyError `bad_key` if the key cannot be protected, for example an RSA key with a short modulus
 */
export function publicHalf(jwk: PrivateJwk): ProtectedJwk {
  const { d: _d, ...rest } = jwk;
  const bare = rest.kty === 'RSA' ? { kty: rest.kty, n: rest.n, e: rest.e } : rest;
  const result = v.safeParse(PUBLIC_JWK, bare);
  if (result.success && result.output.kty !== 'DH') return result.output;
  throw badKey(
    bare.kty === 'RSA'
      ? 'RSA needs 2048 to 8192 bits and an odd public exponent from 65537'
      : 'its public half is refused',
  );
}
