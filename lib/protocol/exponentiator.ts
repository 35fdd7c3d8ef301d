/**
 * Where an assistant's exponentiations run: off the thread that serves other requests, and so that their time does
 * not tell the exponent (docs/protocol.md section 5). The assistant's worker pool is one.
 *
 * Everything is fixed-width big-endian bytes. The caller keeps, and wipes, the buffers it passes in. Rejects with
 * RoamingKeyError `unavailable` where the work cannot be done now.
 */
export interface Exponentiator {
  /** `base`^`exponent` mod `modulus`, as many bytes as the modulus has; modulus odd, base below it, exponent not 0. */
  power(job: PowerJob): Promise<Uint8Array>;
  /** For each exponent the powers of the group's generator and of `base`, in their encodings. */
  groupPowers(job: GroupPowersJob): Promise<readonly GroupPowers[]>;
}

/** One RSA exponentiation. */
export interface PowerJob {
  readonly modulus: Uint8Array;
  readonly base: Uint8Array;
  readonly exponent: Uint8Array;
}

/** The exponentiations of one ElGamal answer. */
export interface GroupPowersJob {
  /** A name of section 5. */
  readonly group: string;
  /** An element that was found to be in the group. */
  readonly base: Uint8Array;
  /** len(q) bytes each, between 1 and q - 1. */
  readonly exponents: readonly Uint8Array[];
}

/** What one exponent makes of the generator and of the base. */
export interface GroupPowers {
  readonly generator: Uint8Array;
  readonly base: Uint8Array;
}
