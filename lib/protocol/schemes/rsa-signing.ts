/**
 * RSA signing with a key that is never whole again (scheme `rsa`, docs/protocol.md sections 3 and 5; claims 14 to 24,
 * 27, 28).
 *
 * Goal: an ordinary RSA signature that takes device, password and assistant together. Enrolment splits
 * d = d1 + d2 mod phi(N): d1 comes out of the password each time, d2 lies in the ticket, which only the assistant
 * opens. Sent to the assistant: algorithm, digest and, for PSS, salt; it encodes them itself, since a device that could
 * choose the representative would have an RSA oracle. Sent back: nu = em^d2 mod N. The device computes s = nu · em^d1 mod N.
 * Secret: d, p, q and phi(N), gone after enrolment; d1 on the device; d2 and nu, which together with the record would
 * let one test passwords. Limits: who holds device and password can have things signed until the key is disabled, and
 * the assistant learns the digests.
 */

import { RoamingKeyError } from '../../base/errors.ts';
import { checkRsaPrimes } from '../../crypto/keys/rsa-key.ts';
import {
  encodeRsaDigest,
  isRsaAlgorithm,
  type RsaDigest,
  rsaDigestLengths,
} from '../../crypto/rsa-encoding.ts';
import { bitLength, byteLength, i2osp, os2ip } from '../../math/integer.ts';
import { mod, power } from '../../math/modular.ts';
import { complementShare, rsaDeviceShare } from '../../math/shares.ts';
import type { Exponentiator } from '../exponentiator.ts';
import { RSA_SIZES, type RsaSize } from './rsa-sizes.ts';
import type { Engines } from './scheme.ts';

/** An RSA private key as numbers, only ever seen by enrolment. */
export interface RsaPrivateNumbers {
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
}

/** The ticket's members of this scheme, len(N) bytes each; `d2` is secret. */
export interface RsaShare {
  readonly n: Uint8Array;
  readonly d2: Uint8Array;
}

/**
 * Enrolment, on the device: the assistant's share of a private key.
 *
 * @param f the password's bytes for this scheme, len(N) + 16 of them, which the caller wipes
 * @returns the ticket's members; the caller wipes `d2`
 * @throws RoamingKeyError `bad_key` for a key that is not of two primes, not of 2048, 3072 or 4096 bits, whose e is
 *   even or below 65537, or whose numbers do not belong together
 * @throws RangeError where `f` has another length
 */
export function splitRsaKey({ n, e, d, p, q }: RsaPrivateNumbers, f: Uint8Array): RsaShare {
  if (!RSA_SIZES.some((bits) => bits === bitLength(n))) throw badKey('has none of 2048, 3072 and 4096 bits');
  if (e < 65_537n || (e & 1n) === 0n) throw badKey('has an even public exponent, or one below 65537');
  if (p === q || p * q !== n || p < 5n || q < 5n) throw badKey('is not of two primes');
  checkRsaPrimes({ p, q });
  const fits = (prime: bigint) => mod(e * d, prime - 1n) === 1n;
  if (d <= 0n || !fits(p) || !fits(q)) throw badKey('has exponents that do not belong together');
  const length = byteLength(n);
  const d2 = complementShare(d, rsaDeviceShare(f, length), (p - 1n) * (q - 1n));
  // Happens by chance never, and an assistant refuses it.
  if (d2 === 0n) throw badKey('gives this password no share; make the record anew');
  return { n: i2osp(n, length), d2: i2osp(d2, length) };
}

/**
 * The assistant's check of a ticket's numbers, before it computes with them: anyone can make a ticket.
 *
 * @param sizes bits of N that the app allows, each one of `RSA_SIZES`
 * @throws RoamingKeyError `bad_ticket` unless N is odd and of one of the sizes and 0 < d2 < N, both of len(N) bytes;
 *   `unsupported` for a size that the app does not allow
 */
export function readRsaShare(members: RsaShare, sizes: readonly number[] = RSA_SIZES): RsaShare {
  const { n, d2 } = members;
  const bits = RSA_SIZES.find((size) => size === 8 * n.length);
  const modulus = os2ip(n);
  if (bits === undefined || bitLength(modulus) !== bits || (modulus & 1n) === 0n || d2.length !== n.length) {
    throw new RoamingKeyError('bad_ticket', 'the ticket holds no RSA modulus of 2048, 3072 or 4096 bits');
  }
  const share = os2ip(d2);
  if (share === 0n || share >= modulus) {
    throw new RoamingKeyError('bad_ticket', 'the ticket holds no share of an RSA key');
  }
  if (!sizes.includes(bits)) {
    throw new RoamingKeyError('unsupported', `this assistant takes no RSA keys of ${bits} bits`);
  }
  return { n, d2 };
}

/**
 * The assistant's check of what is to be signed.
 *
 * @throws RoamingKeyError `invalid_request` for another algorithm than PS256/384/512 and RS256/384/512, a digest of
 *   another length than the hash's, or a salt that is missing, of another length, or not called for
 */
export function readSignRequest(members: {
  readonly alg: string;
  readonly digest: Uint8Array;
  readonly salt?: Uint8Array | undefined;
}): RsaDigest {
  const { alg, digest, salt } = members;
  if (!isRsaAlgorithm(alg)) throw invalid('alg is no RSA signature algorithm');
  const lengths = rsaDigestLengths(alg);
  if (digest.length !== lengths.digest) throw invalid(`digest has not the ${lengths.digest} bytes of ${alg}`);
  if (lengths.salt === 0 && salt !== undefined) throw invalid(`${alg} has no salt`);
  if (lengths.salt !== 0 && salt?.length !== lengths.salt) {
    throw invalid(`salt has not the ${lengths.salt} bytes of ${alg}`);
  }
  return salt === undefined ? { alg, digest } : { alg, digest, salt };
}

/**
 * The assistant's half: nu = em^d2 mod N, len(N) bytes.
 *
 * @param share what `readRsaShare` returned
 * @param request what `readSignRequest` returned
 * @throws RoamingKeyError `unavailable` where the exponentiator has no room
 */
export function answerSigning(
  share: RsaShare,
  request: RsaDigest,
  exponentiator: Pick<Exponentiator, 'power'>,
): Promise<Uint8Array> {
  const base = encodeRsaDigest(request, 8 * share.n.length);
  return exponentiator.power({ modulus: share.n, base, exponent: share.d2 });
}

/** What the assistant does with tickets and requests of this scheme. */
export const assistantHalf = {
  open(members: RsaShare, sizes: readonly RsaSize[], { exponentiator }: Engines) {
    const share = readRsaShare(members, sizes);
    return {
      read(members: Parameters<typeof readSignRequest>[0]) {
        const request = readSignRequest(members);
        return async () => ({ nu: await answerSigning(share, request, exponentiator) });
      },
      // The order of the group is secret, so that neither side can take a difference modulo it.
      move(): never {
        throw new RoamingKeyError('unsupported', 'a shared RSA key cannot change its password');
      },
    };
  },
};

/** What the device completes a signature from. */
export interface SigningCompletion {
  /** N of the record's public key. */
  readonly n: bigint;
  /** e of the record's public key. */
  readonly e: bigint;
  /** The password's bytes for this scheme, len(N) + 16 of them, which the caller wipes. */
  readonly f: Uint8Array;
  /** What was asked for. */
  readonly request: RsaDigest;
  /** What the assistant answered. */
  readonly nu: Uint8Array;
}

/**
 * The device's half: s = nu · em^d1 mod N, released only if s^e = em.
 *
 * @returns the signature, len(N) bytes
 * @throws RoamingKeyError `bad_response` where the assistant's answer gives no signature. A wrong signature would
 *   not only fail: its difference from em could tell about d1.
 */
export function completeSigning({ n, e, f, request, nu }: SigningCompletion): Uint8Array<ArrayBuffer> {
  const length = byteLength(n);
  const partial = os2ip(nu);
  if (nu.length !== length || partial === 0n || partial >= n) throw wrongAnswer();
  const em = os2ip(encodeRsaDigest(request, 8 * length));
  const s = (partial * power(em, rsaDeviceShare(f, length), n)) % n;
  if (power(s, e, n) !== em) throw wrongAnswer();
  return i2osp(s, length);
}

function wrongAnswer(): RoamingKeyError {
  return new RoamingKeyError('bad_response', 'the assistant computed a wrong partial signature');
}

function badKey(what: string): RoamingKeyError {
  return new RoamingKeyError('bad_key', `the RSA key ${what}`);
}

function invalid(what: string): RoamingKeyError {
  return new RoamingKeyError('invalid_request', what);
}
