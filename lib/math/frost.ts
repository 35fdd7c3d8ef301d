/**
 * FROST(Ed25519, SHA-512) of RFC 9591 for two signers, by the RFC's names.
 *
 * Goal: two signers make one signature of RFC 8032, and neither knows the key. Sent: commitments to two nonces each, then
 * a share each. Secret: a signer's key and nonces. Limit: a pair of nonces must serve one signature at most.
 */
import { concat, equalBytes, utf8, wipe } from '../base/bytes.ts';
import type { Ed25519Group } from './ed25519-group.ts';

/** A signer's nonces, scalars. */
export interface Nonces {
  readonly hiding: Uint8Array;
  readonly binding: Uint8Array;
}

/** A signer's commitments to its nonces, elements. */
export interface Commitment {
  readonly identifier: number;
  readonly hiding: Uint8Array;
  readonly binding: Uint8Array;
}

/** What is signed, and by whom. */
export interface SigningPackage {
  /** The group public key A. */
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  /** Of both signers, in the order of their identifiers. */
  readonly commitments: readonly [Commitment, Commitment];
}

/** What a signer has of a signature. */
export interface PartialSignature {
  readonly share: Uint8Array;
  /** R. */
  readonly groupCommitment: Uint8Array;
  readonly challenge: Uint8Array;
  /** The other signer's part of R. */
  readonly otherCommitment: Uint8Array;
}

const CONTEXT = 'FROST-ED25519-SHA512-v1';
const RHO = utf8(`${CONTEXT}rho`);
const NONCE = utf8(`${CONTEXT}nonce`);
const MSG = utf8(`${CONTEXT}msg`);
const COM = utf8(`${CONTEXT}com`);

/** nonce_generate (section 4.1): a nonce from 32 fresh random bytes and the signer's secret. */
export function nonceGenerate(group: Ed25519Group, random: Uint8Array, secret: Uint8Array): Uint8Array {
  return hashToScalar(group, NONCE, random, secret);
}

/** commit (section 5.1), for nonces that were made. */
export function commit(group: Ed25519Group, identifier: number, { hiding, binding }: Nonces): Commitment {
  return { identifier, hiding: group.multiplyBase(hiding), binding: group.multiplyBase(binding) };
}

/** compute_binding_factors (section 4.4). */
export function bindingFactors(
  group: Ed25519Group,
  { publicKey, message, commitments }: SigningPackage,
): readonly [Uint8Array, Uint8Array] {
  const encoded = commitments.flatMap(({ identifier, hiding, binding }) => [
    scalarOf(identifier),
    hiding,
    binding,
  ]);
  const prefix = concat(publicKey, group.sha512(concat(MSG, message)), group.sha512(concat(COM, ...encoded)));
  const factorOf = ({ identifier }: Commitment) => hashToScalar(group, RHO, prefix, scalarOf(identifier));
  return [factorOf(commitments[0]), factorOf(commitments[1])];
}

/**
 * sign (section 5.2).
 *
 * @param signer which of the two this is
 * @param secret the signer's secret times its Lagrange coefficient
 */
export function sign(
  group: Ed25519Group,
  signing: SigningPackage,
  signer: 0 | 1,
  nonces: Nonces,
  secret: Uint8Array,
): PartialSignature {
  const { publicKey, message, commitments } = signing;
  const factors = bindingFactors(group, signing);
  const other = commitments[1 - signer] as Commitment;
  const otherFactor = factors[1 - signer] as Uint8Array;
  // What a signer multiplies its own commitments by is in its nonces: one multiplication of B instead of one of a point.
  const bound = group.multiplyScalars(nonces.binding, factors[signer]);
  const nonce = group.addScalars(nonces.hiding, bound);
  const otherCommitment = group.add(other.hiding, group.multiply(otherFactor, other.binding));
  const groupCommitment = group.add(group.multiplyBase(nonce), otherCommitment);
  const challenge = group.reduce(group.sha512(concat(groupCommitment, publicKey, message)));
  const part = group.multiplyScalars(secret, challenge);
  const share = group.addScalars(nonce, part);
  wipe(bound, nonce, part);
  return { share, groupCommitment, challenge, otherCommitment };
}

/**
 * verify_signature_share (section 5.3) for the other signer's share.
 *
 * @param share a scalar below ℓ
 * @param publicShare the other signer's public key times its Lagrange coefficient
 */
export function verifyShare(
  group: Ed25519Group,
  { challenge, otherCommitment }: PartialSignature,
  share: Uint8Array,
  publicShare: Uint8Array,
): boolean {
  if (share.every((byte) => byte === 0)) return false;
  const expected = group.add(otherCommitment, group.multiply(challenge, publicShare));
  return equalBytes(group.multiplyBase(share), expected);
}

function hashToScalar(group: Ed25519Group, ...parts: readonly Uint8Array[]): Uint8Array {
  const input = concat(...parts);
  const hash = group.sha512(input);
  const scalar = group.reduce(hash);
  wipe(input, hash);
  return scalar;
}

function scalarOf(identifier: number): Uint8Array {
  const scalar = new Uint8Array(32);
  scalar[0] = identifier;
  return scalar;
}
