import { concat, utf8 } from '../base/bytes.ts';
import type { Group } from './group.ts';
import { i2osp, os2ip } from './integer.ts';
import { mod } from './modular.ts';

/**
 * Chaum and Pedersen's proof that two powers share one exponent (docs/protocol.md section 5).
 *
 * Goal: a prover who knows x shows, for public g, w, y = g^x and nu = w^x, that log_g y = log_w nu, without showing x.
 * Sent: the challenge c and the response s. Secret: x and the nonce r, which must be fresh and uniform: two proofs
 * with one r, or a few bits of many r, give x away. Limit: the verifier must have y from elsewhere and must have
 * checked that all four elements are in the group.
 */
export interface DleqProof {
  /** The challenge, a SHA-256 value of 32 bytes. */
  readonly c: Uint8Array;
  /** The response r + c·x mod q, len(q) bytes. */
  readonly s: Uint8Array;
}

/** The elements the challenge binds, each in its fixed encoding. */
export interface DleqTranscript {
  /** The second base w. */
  readonly w: Uint8Array;
  /** g^x */
  readonly y: Uint8Array;
  /** w^x */
  readonly nu: Uint8Array;
  /** The first commitment g^r. */
  readonly gr: Uint8Array;
  /** The second commitment w^r. */
  readonly wr: Uint8Array;
}

const LABEL = utf8('roaming-key/1 dleq');
const CHALLENGE_LENGTH = 32;

/** Bytes of randomness for one nonce. */
export function dleqNonceLength(group: { scalarLength: number }): number {
  return group.scalarLength + 16;
}

/** The nonce r = OS2IP(bytes) mod q from `dleqNonceLength(group)` fresh random bytes. */
export function dleqNonce(group: { q: bigint; scalarLength: number }, bytes: Uint8Array): bigint {
  if (bytes.length !== dleqNonceLength(group)) {
    throw new RangeError(`a nonce needs ${dleqNonceLength(group)} random bytes`);
  }
  return mod(os2ip(bytes), group.q);
}

/** c = SHA-256(label ‖ 0 ‖ group ‖ 0 ‖ g ‖ w ‖ y ‖ nu ‖ g^r ‖ w^r), 32 bytes. */
export async function dleqChallenge<E>(group: Group<E>, transcript: DleqTranscript): Promise<Uint8Array> {
  const { w, y, nu, gr, wr } = transcript;
  const name = utf8(group.name);
  const zero = Uint8Array.of(0);
  const input = concat(LABEL, zero, name, zero, group.encode(group.generator), w, y, nu, gr, wr);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', input));
}

/** s = r + OS2IP(c)·x mod q, len(q) bytes. */
export function dleqResponse(
  group: { q: bigint; scalarLength: number },
  nonce: bigint,
  c: Uint8Array,
  exponent: bigint,
): Uint8Array {
  return i2osp(mod(nonce + os2ip(c) * exponent, group.q), group.scalarLength);
}

/**
 * Whether `proof` shows that nu = w^x for the x of y = g^x.
 *
 * @param statement elements that are in the group and not the identity; the caller has decoded them
 */
export async function verifyDleq<E>(
  group: Group<E>,
  statement: { readonly w: E; readonly y: E; readonly nu: E },
  proof: DleqProof,
): Promise<boolean> {
  if (proof.c.length !== CHALLENGE_LENGTH || proof.s.length !== group.scalarLength) return false;
  const s = os2ip(proof.s);
  if (s >= group.q) return false;
  const c = os2ip(proof.c);
  const { w, y, nu } = statement;
  if ([w, y, nu].some((element) => group.isIdentity(element))) return false;
  const gr = group.multiply(group.exp(group.generator, s), group.exp(group.invert(y), c));
  const wr = group.multiply(group.exp(w, s), group.exp(group.invert(nu), c));
  if (group.isIdentity(gr) || group.isIdentity(wr)) return false;
  const expected = await dleqChallenge(group, {
    w: group.encode(w),
    y: group.encode(y),
    nu: group.encode(nu),
    gr: group.encode(gr),
    wr: group.encode(wr),
  });
  // Challenge and proof are public, so an early exit tells nothing.
  return expected.every((byte, i) => byte === proof.c[i]);
}
