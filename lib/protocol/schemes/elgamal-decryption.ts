/**
 * ElGamal decryption with a key that is never whole again (scheme `elgamal`, docs/protocol.md sections 3 and 5; claims
 * 14 to 26).
 *
 * Goal: the Diffie-Hellman value mu = w^x of a ciphertext's ephemeral key w takes device, password and assistant
 * together. Enrolment splits x = x1 + x2 mod q: x1 comes out of the password each time, x2 lies in the ticket, which
 * only the assistant opens. Sent to the assistant: w. Sent back: nu = w^x2 and a proof that it is. The device computes
 * mu = nu · w^x1. Secret: x, gone after enrolment; x1 and mu on the device; x2; and y2 = g^x2, which is neither
 * stored nor sent, since y = g^x1 · y2 would let the device alone test passwords. Limits: until the key is disabled,
 * device and password together are a static Diffie-Hellman oracle; that older ciphertexts stay closed afterwards rests
 * on the gap Diffie-Hellman assumption.
 */
import { randomBytes, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import {
  type DleqProof,
  dleqChallenge,
  dleqNonce,
  dleqNonceLength,
  dleqResponse,
  verifyDleq,
} from '../../math/dleq.ts';
import {
  type AnyGroup,
  findGroup,
  GROUP_NAMES,
  type GroupElement,
  type GroupName,
} from '../../math/groups.ts';
import { i2osp, os2ip } from '../../math/integer.ts';
import { mod } from '../../math/modular.ts';
import { complementShare, elgamalDeviceShare } from '../../math/shares.ts';
import type { Exponentiator, GroupPowers } from '../exponentiator.ts';
import type { ElgamalPublicKey } from './elgamal-keys.ts';
import type { Engines } from './scheme.ts';

/** The ticket's members of this scheme; `x2` has len(q) bytes and is secret. */
export interface ElgamalShare {
  readonly group: GroupName;
  readonly x2: Uint8Array;
}

/** The same at the assistant, checked. */
export interface OpenElgamalShare {
  readonly group: AnyGroup;
  readonly x2: Uint8Array;
}

/** What the assistant answers: nu = w^x2 in its group's encoding, and the proof. */
export interface PartialDecryption {
  readonly nu: Uint8Array;
  readonly proof: DleqProof;
}

/**
 * Enrolment, on the device: the assistant's share of a private key.
 *
 * @param x the private exponent
 * @param f the password's bytes for this scheme, len(q) + 16 of them, which the caller wipes
 * @returns the ticket's members; the caller wipes `x2`
 * @throws RoamingKeyError `bad_key` where x is not the exponent of the public key
 * @throws RangeError where `f` has another length
 */
export function splitElgamalKey({ group, y }: ElgamalPublicKey, x: bigint, f: Uint8Array): ElgamalShare {
  if (x <= 0n || x >= group.q || !group.equals(group.exp(group.generator, x), y)) {
    throw new RoamingKeyError('bad_key', 'the private key does not belong to the public key');
  }
  const x2 = complementShare(x, elgamalDeviceShare(f, group), group.q);
  // Happens by chance never, and an assistant refuses it.
  if (x2 === 0n) {
    throw new RoamingKeyError('bad_key', 'the key gives this password no share; make the record anew');
  }
  return { group: group.name as GroupName, x2: i2osp(x2, group.scalarLength) };
}

/**
 * The assistant's check of a ticket's numbers, before it computes with them: anyone can make a ticket.
 *
 * @param groups names that the app allows, each one of docs/protocol.md section 5
 * @throws RoamingKeyError `bad_ticket` for an unknown group or unless 0 < x2 < q, len(q) bytes; `unsupported` for a
 *   group that the app does not allow
 */
export function readElgamalShare(
  { group: name, x2 }: ElgamalShare,
  groups: readonly string[] = GROUP_NAMES,
): OpenElgamalShare {
  const group = findGroup(name);
  if (group === undefined) throw new RoamingKeyError('bad_ticket', 'the ticket names no known group');
  const share = os2ip(x2);
  if (x2.length !== group.scalarLength || share === 0n || share >= group.q) {
    throw new RoamingKeyError('bad_ticket', 'the ticket holds no share of a key in its group');
  }
  if (!groups.includes(name)) {
    throw new RoamingKeyError('unsupported', `this assistant takes no keys in ${name}`);
  }
  return { group, x2 };
}

/**
 * The assistant's check of w, the ciphertext's ephemeral key: an element of a small subgroup or of the curve's twist
 * would make the answer tell about x2.
 *
 * @returns w
 * @throws RoamingKeyError `invalid_request` where w is not in the group, or is the identity
 */
export function readDecryptRequest(group: AnyGroup, w: Uint8Array): Uint8Array {
  if (group.decode(w) === undefined) {
    throw new RoamingKeyError('invalid_request', `w is no element of ${group.name}`);
  }
  return w;
}

/**
 * The assistant's half: nu = w^x2 and a proof by Chaum and Pedersen that nu has the exponent of y2.
 *
 * @param share what `readElgamalShare` returned
 * @param w what `readDecryptRequest` returned
 * @throws RoamingKeyError `unavailable` where the exponentiator has no room
 */
export async function answerDecryption(
  { group, x2 }: OpenElgamalShare,
  w: Uint8Array,
  exponentiator: Pick<Exponentiator, 'groupPowers'>,
  random: (length: number) => Uint8Array = randomBytes,
): Promise<PartialDecryption> {
  const seed = random(dleqNonceLength(group));
  const nonce = dleqNonce(group, seed);
  const nonceBytes = i2osp(nonce, group.scalarLength);
  try {
    const powers = await exponentiator.groupPowers({
      group: group.name,
      base: w,
      exponents: [x2, nonceBytes],
    });
    const [share, commitment] = powers as [GroupPowers, GroupPowers];
    const transcript = {
      w,
      y: share.generator,
      nu: share.base,
      gr: commitment.generator,
      wr: commitment.base,
    };
    const c = await dleqChallenge(group, transcript);
    return { nu: share.base, proof: { c, s: dleqResponse(group, nonce, c, os2ip(x2)) } };
  } finally {
    wipe(seed, nonceBytes);
  }
}

/** What the assistant does with tickets and requests of this scheme. */
export const assistantHalf = {
  open(members: ElgamalShare, groups: readonly GroupName[], { exponentiator }: Engines) {
    const share = readElgamalShare(members, groups);
    const { group } = share;
    return {
      read(request: { readonly w: Uint8Array }) {
        const w = readDecryptRequest(group, request.w);
        return () => answerDecryption(share, w, exponentiator);
      },
      move: (delta: Uint8Array) => moveShare(share, delta),
    };
  },
};

/**
 * Change of password (docs/protocol.md section 6): the assistant moves its share by as much as the device's has moved.
 *
 * @param delta x1 - x1' mod q, len(q) bytes
 * @returns computes the ticket's members
 * @throws RoamingKeyError `invalid_request` unless 0 < delta < q, or, from the computation, where the sum is 0
 */
export function moveShare({ group, x2 }: OpenElgamalShare, delta: Uint8Array): () => ElgamalShare {
  const difference = os2ip(delta);
  if (delta.length !== group.scalarLength || difference === 0n || difference >= group.q)
    throw new RoamingKeyError('invalid_request', 'delta is not between 0 and the order of the group');
  return () => {
    const moved = mod(os2ip(x2) + difference, group.q);
    if (moved === 0n) throw new RoamingKeyError('invalid_request', 'delta leaves no share');
    return { group: group.name as GroupName, x2: i2osp(moved, group.scalarLength) };
  };
}

/** What the device completes a decryption from. */
export interface DecryptionCompletion {
  /** The record's public key. */
  readonly publicKey: ElgamalPublicKey;
  /** The password's bytes for this scheme, len(q) + 16 of them, which the caller wipes. */
  readonly f: Uint8Array;
  /** The ciphertext's ephemeral key, which was found to be in the group. */
  readonly w: Uint8Array;
  /** What the assistant answered. */
  readonly answer: PartialDecryption;
}

/**
 * The device's half: mu = nu · w^x1, once the proof holds for y2 = y · g^-x1.
 *
 * @returns Z, the Diffie-Hellman secret of w and the public key; the caller wipes it
 * @throws RoamingKeyError `bad_response` where nu is no element of the group or the proof does not hold,
 *   `invalid_request` where w is no element of the group
 */
export async function completeDecryption({
  publicKey: { group, y },
  f,
  w: encodedW,
  answer,
}: DecryptionCompletion): Promise<Uint8Array<ArrayBuffer>> {
  const w = group.decode(readDecryptRequest(group, encodedW)) as GroupElement;
  const nu = group.decode(answer.nu);
  if (nu === undefined) throw wrongAnswer();
  const x1 = elgamalDeviceShare(f, group);
  const y2 = group.multiply(y, group.exp(group.generator, -x1));
  if (!(await verifyDleq(group, { w, y: y2, nu }, answer.proof))) throw wrongAnswer();
  const mu = group.multiply(nu, group.exp(w, x1));
  if (group.isIdentity(mu)) throw wrongAnswer();
  return group.secret(mu);
}

function wrongAnswer(): RoamingKeyError {
  return new RoamingKeyError('bad_response', 'the assistant computed a wrong partial decryption');
}
