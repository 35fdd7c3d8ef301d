/**
 * The group of Ed25519: the subgroup of prime order ℓ on edwards25519, written additively, with base point B (RFC 8032).
 *
 * Elements are encoded as RFC 8032 has them, scalars are 32 bytes, little-endian, below ℓ. The caller keeps, and wipes,
 * what it passes in and gets back. Two implementations serve: a fast one for devices (`ed25519-noble.ts`), and one that
 * takes constant time for assistants (`lib/exponentiation/sodium.ts`).
 */
export interface Ed25519Group {
  /** SHA-512, the hash function of Ed25519. */
  sha512(bytes: Uint8Array): Uint8Array;
  /** Whether bytes are the canonical encoding of an element of order ℓ; the identity is not. */
  isElement(bytes: Uint8Array): boolean;
  /** scalar · B for a scalar other than 0, which may be secret. */
  multiplyBase(scalar: Uint8Array): Uint8Array;
  /** scalar · element for public operands, neither 0 nor the identity. */
  multiply(scalar: Uint8Array, element: Uint8Array): Uint8Array;
  add(a: Uint8Array, b: Uint8Array): Uint8Array;
  subtract(a: Uint8Array, b: Uint8Array): Uint8Array;
  /** 64 bytes, little-endian, modulo ℓ. */
  reduce(bytes: Uint8Array): Uint8Array;
  addScalars(a: Uint8Array, b: Uint8Array): Uint8Array;
  multiplyScalars(a: Uint8Array, b: Uint8Array): Uint8Array;
  negateScalar(a: Uint8Array): Uint8Array;
}

/** The order ℓ. */
export const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
