/** The groups of the `elgamal` scheme, by the name that tickets and public keys give them. */
export const GROUP_NAMES = ['P-256', 'ffdhe2048', 'ffdhe3072', 'ffdhe4096'] as const;

/** The name of a group. */
export type GroupName = (typeof GROUP_NAMES)[number];

/**
 * A group of prime order in which discrete logarithms are hard, written multiplicatively (docs/protocol.md section 5).
 *
 * An element of type `E` that came out of `decode` or of the operations is in the group. The identity is a value of
 * type `E` but has no encoding and never decodes.
 */
export interface Group<E> {
  /** The name tickets and public keys give it: `P-256`, `ffdhe2048`… */
  readonly name: string;
  /** The prime order. */
  readonly q: bigint;
  /** Bytes of an exponent, len(q). */
  readonly scalarLength: number;
  /** Bytes of an encoded element. */
  readonly elementLength: number;
  /** The generator g. */
  readonly generator: E;
  /** Bytes of the Diffie-Hellman secret Z that an element gives. */
  readonly secretLength: number;

  /** The one encoding of an element. @throws RangeError for the identity */
  encode(element: E): Uint8Array<ArrayBuffer>;
  /** Reads an encoding and checks membership; `undefined` for all else, the identity included. */
  decode(bytes: Uint8Array): E | undefined;
  /** `element` to the power `exponent`, which is taken modulo q. Variable time. */
  exp(element: E, exponent: bigint): E;
  multiply(a: E, b: E): E;
  invert(element: E): E;
  equals(a: E, b: E): boolean;
  isIdentity(element: E): boolean;
  /** Z of ECDH (the x coordinate) or of finite-field Diffie-Hellman (the element), `secretLength` bytes. */
  secret(element: E): Uint8Array<ArrayBuffer>;
}
