/**
 * RSA keys as numbers, for splitting them (docs/protocol.md sections 3 and 5) and for judging keys that come from elsewhere.
 */

import { pow } from '@noble/curves/abstract/modular.js';
import { bitLen, bytesToNumberBE, numberToVarBytesBE } from '@noble/curves/utils.js';
import { fromBase64url, randomBytes, toBase64url } from '../../base/bytes.ts';
import { badKey, publicHalf, type RsaPrivateJwk, translate } from './private-jwk.ts';
import type { RsaJwk } from './public-jwk.ts';
import { type PrivateKeySource, readPrivateJwk } from './read-private-jwk.ts';

/** A private RSA key of two primes: n = p·q, e·d ≡ 1 modulo p−1 and q−1. */
export interface RsaComponents {
  readonly n: bigint;
  readonly e: bigint;
  /** Modulo φ(n) or modulo lcm(p−1, q−1); libraries differ. */
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
}

/** Sizes that are generated, in bits. */
export type RsaBits = 2048 | 3072 | 4096;

/** RFC 8017 has no bound; the WebCrypto of browsers, node-rsa and OpenSSH all take as much. */
const MAX_EXPONENT = 2n ** 32n;
/** Error below 2^-100 for primes drawn at random (FIPS 186-5 table B.1). A forger of such a key would own it anyway. */
const MILLER_RABIN_ROUNDS = 5;

/**
 * The numbers of an RSA key, from any form in which its owner has it, all of them checked.
 *
 * @param random draws the Miller–Rabin bases; default the platform's generator
 * @throws RoamingKeyError `bad_key` if the key cannot be read, is not RSA, or is not a sound key of two primes
 */
export async function rsaComponents(
  key: PrivateKeySource,
  random: (length: number) => Uint8Array = randomBytes,
): Promise<RsaComponents> {
  const jwk = await readPrivateJwk(key);
  if (jwk.kty !== 'RSA') throw badKey('an RSA key is needed');
  const components = checkRsaNumbers(jwk);
  checkRsaPrimes(components, random);
  return components;
}

/**
 * Generates an RSA key with e = 65537.
 *
 * @param bits length of the modulus
 * @throws RangeError if `bits` is another size
 */
export async function generateRsaKey(bits: RsaBits): Promise<RsaComponents> {
  if (![2048, 3072, 4096].includes(bits)) throw new RangeError('bits must be 2048, 3072 or 4096');
  const algorithm = {
    name: 'RSA-PSS',
    hash: 'SHA-256',
    modulusLength: bits,
    publicExponent: Uint8Array.of(1, 0, 1),
  };
  try {
    const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const jwk = await readPrivateJwk(privateKey);
    return checkRsaNumbers(jwk as RsaPrivateJwk);
  } catch (error) {
    throw translate(error, badKey('it could not be generated'));
  }
}

/** The public JWK of an RSA key. */
export function rsaPublicJwk({ n, e }: Pick<RsaComponents, 'n' | 'e'>): RsaJwk {
  return { kty: 'RSA', n: encode(n), e: encode(e) };
}

/**
 * Checks everything about an RSA key but whether p and q are prime: sizes, n = p·q, e·d ≡ 1, and the CRT numbers,
 * since one signature made with a wrong one would give the factors away (Boneh, DeMillo, Lipton 1997).
 *
 * @throws RoamingKeyError `bad_key` if anything does not fit
 */
export function checkRsaNumbers(jwk: RsaPrivateJwk): RsaComponents {
  publicHalf(jwk);
  const [n, e, d, p, q, dp, dq, qi] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map(
    decode,
  ) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  if (e >= MAX_EXPONENT) throw badKey('its public exponent has more than 32 bits');
  if (p * q !== n || !areApart(p, q, bitLen(n))) throw badKey('its primes are not two of about equal length');
  const isExponent = d < n && (e * d) % (p - 1n) === 1n && (e * d) % (q - 1n) === 1n;
  const isCrt = dp === d % (p - 1n) && dq === d % (q - 1n) && qi < p && (qi * q) % p === 1n;
  if (!isExponent || !isCrt) throw badKey('its numbers contradict each other');
  return { n, e, d, p, q };
}

/**
 * Checks that p and q are prime (FIPS 186-5 appendix B.3).
 *
 * @throws RoamingKeyError `bad_key` if one is composite, as in a key of three primes
 */
export function checkRsaPrimes(
  { p, q }: Pick<RsaComponents, 'p' | 'q'>,
  random: (length: number) => Uint8Array = randomBytes,
): void {
  for (const prime of [p, q]) {
    for (let round = 0; round < MILLER_RABIN_ROUNDS; round++) {
      const draw = bytesToNumberBE(random(Math.ceil(bitLen(prime) / 8) + 8));
      if (!isWitnessed(prime, 2n + (draw % (prime - 3n))))
        throw badKey('one of its two factors is not prime');
    }
  }
}

/** Whether odd `n` passes one round of Miller–Rabin with a base from 2 to n−2. */
function isWitnessed(n: bigint, base: bigint): boolean {
  let odd = n - 1n;
  let twos = 0;
  for (; (odd & 1n) === 0n; odd >>= 1n) twos++;
  let x = pow(base, odd, n);
  if (x === 1n || x === n - 1n) return true;
  for (let i = 1; i < twos; i++) {
    x = (x * x) % n;
    if (x === n - 1n) return true;
  }
  return false;
}

/** Neither small enough to be found by itself, nor so close that √n leads to them (FIPS 186-5 section A.1.1). */
function areApart(p: bigint, q: bigint, bits: number): boolean {
  const [small, large] = p < q ? [p, q] : [q, p];
  return bitLen(small) * 3 >= bits && large - small > 2n ** BigInt(Math.floor(bits / 2) - 100);
}

/** A positive integer in its one spelling (RFC 7518 section 2, Base64urlUInt). */
function decode(text: string): bigint {
  const bytes = fromBase64url(text);
  if (!bytes?.[0]) throw badKey('one of its numbers is not positive, or spelled with leading zeros');
  return bytesToNumberBE(bytes);
}

function encode(value: bigint): string {
  return toBase64url(numberToVarBytesBE(value));
}
