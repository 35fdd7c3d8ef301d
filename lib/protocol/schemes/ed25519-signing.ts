/**
 * Ed25519 signing with a key that is never whole again (scheme `ed25519`, docs/protocol.md sections 3, 5 and 6; claims 14
 * to 24, 27).
 *
 * Goal: an ordinary signature of RFC 8032 that takes device, password and assistant together, in one request. Enrolment
 * splits x = x1 + x2 mod ℓ: x1 comes out of the password each time, x2 lies in the ticket, which only the assistant opens.
 * The two sign by FROST (RFC 9591) as signers 1 and 2, with secrets x1/2 and -x2, whose Lagrange coefficients are 2 and -1.
 * Sent to the assistant: the message and the device's commitments. Sent back: the assistant's commitments and its share,
 * at once, since it chooses its nonces last. Secret: x, gone after enrolment; x1 and A - x1·B on the device, since the
 * latter tests passwords; x2; all nonces. Limits: who holds device and password can have things signed until the key is
 * disabled, and the assistant sees what is signed and for which public key. A nonce that serves twice gives a share away,
 * so nonces are hedged: a machine that repeats its randomness still draws other nonces for another request.
 */
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concat, randomBytes, utf8, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { ED25519_ORDER, type Ed25519Group } from '../../math/ed25519-group.ts';
import { nobleEd25519, verifyEd25519 } from '../../math/ed25519-noble.ts';
import {
  type Commitment,
  commit,
  type Nonces,
  nonceGenerate,
  type PartialSignature,
  sign,
  verifyShare,
} from '../../math/frost.ts';
import { i2osp, os2ip } from '../../math/integer.ts';
import { mod } from '../../math/modular.ts';
import { complementShare, elgamalDeviceShare } from '../../math/shares.ts';
import type { Engines } from './scheme.ts';

/** The ticket's members of this scheme: `x2` is big-endian and secret, `y` the public key A. */
export interface Ed25519Share {
  readonly x2: Uint8Array;
  readonly y: Uint8Array;
}

/** What the device asks for. */
export interface Ed25519Request {
  readonly message: Uint8Array;
  readonly hiding: Uint8Array;
  readonly binding: Uint8Array;
}

/** What the assistant answers: its commitments and its share of the signature. */
export interface Ed25519Answer {
  readonly hiding: Uint8Array;
  readonly binding: Uint8Array;
  readonly share: Uint8Array;
}

/** Bytes of password material that give the device's share. */
export const ED25519_SHARE_BYTES = 48;
const ORDER = { q: ED25519_ORDER, scalarLength: 32 };
const DEVICE = 1;
const ASSISTANT = 2;
const NONCE_LABEL = utf8('roaming-key/1 nonce\0');

/** The scalar x of a private key as RFC 8032 derives it from its seed, modulo ℓ. */
export function ed25519Scalar(seed: Uint8Array): bigint {
  const hash = sha512(seed);
  const half = hash.slice(0, 32).reverse();
  half[31] = (half[31] as number) & 248;
  half[0] = ((half[0] as number) & 63) | 64;
  const x = mod(os2ip(half), ED25519_ORDER);
  wipe(hash, half);
  return x;
}

/** The public key x·B. */
export function ed25519PublicKey(x: bigint): Uint8Array {
  const scalar = littleEndian(x);
  const y = nobleEd25519.multiplyBase(scalar);
  wipe(scalar);
  return y;
}

/**
 * Enrolment, on the device: the assistant's share of a private key.
 *
 * @param key its seed, or its scalar between 1 and ℓ - 1
 * @param f the password's bytes for this scheme, 48 of them, which the caller wipes
 * @returns the ticket's members; the caller wipes `x2`
 * @throws RoamingKeyError `bad_key` where the password gives no share, which happens by chance never
 */
export function splitEd25519Key(key: Uint8Array | bigint, f: Uint8Array): Ed25519Share {
  const x = typeof key === 'bigint' ? key : ed25519Scalar(key);
  const x2 = complementShare(x, elgamalDeviceShare(f, ORDER), ED25519_ORDER);
  if (x2 === 0n)
    throw new RoamingKeyError('bad_key', 'the key gives this password no share; make the record anew');
  return { x2: i2osp(x2, 32), y: ed25519PublicKey(x) };
}

/** What the assistant does with tickets and requests of this scheme. */
export const assistantHalf = {
  async open(members: Ed25519Share, _served: boolean, engines: Engines) {
    const group = await engines.ed25519();
    checkShare(group, members);
    return {
      read(request: Ed25519Request, hedge: () => readonly Uint8Array[]) {
        readEd25519Request(group, request);
        return async () => answerEd25519(group, members, request, hedge());
      },
      move: (delta: Uint8Array) => moveEd25519Share(members, delta),
    };
  },
};

function checkShare(group: Ed25519Group, { x2, y }: Ed25519Share): void {
  const number = os2ip(x2);
  if (x2.length !== 32 || number === 0n || number >= ED25519_ORDER)
    throw new RoamingKeyError('bad_ticket', 'x2 is not between 0 and the order of the group');
  if (!group.isElement(y))
    throw new RoamingKeyError('bad_ticket', 'y is not the canonical encoding of a key of prime order');
}

/**
 * The assistant's check of the device's commitments.
 *
 * @throws RoamingKeyError `invalid_request` unless both are canonical encodings of elements of prime order
 */
export function readEd25519Request(group: Ed25519Group, { hiding, binding }: Ed25519Request): void {
  if (!group.isElement(hiding) || !group.isElement(binding))
    throw new RoamingKeyError('invalid_request', 'a commitment is not an element of prime order');
}

/**
 * The assistant's half: its commitments, and its share of the signature.
 *
 * @param hedge SHA-256(γ) and SHA-256(τ)
 */
export function answerEd25519(
  group: Ed25519Group,
  share: Ed25519Share,
  { message, hiding, binding }: Ed25519Request,
  hedge: readonly Uint8Array[],
  random: (length: number) => Uint8Array = randomBytes,
): Ed25519Answer {
  const x2 = share.x2.slice().reverse();
  const secret = group.negateScalar(x2);
  const fresh = random(64);
  const nonces = makeNonces(group, secret, fresh, hedge);
  try {
    const own = commit(group, ASSISTANT, nonces);
    const commitments = [{ identifier: DEVICE, hiding, binding }, own] as const;
    // Signer 2's secret is -x2 and its Lagrange coefficient -1: weighted, x2.
    const signing = { publicKey: share.y, message, commitments };
    return { ...own, share: sign(group, signing, 1, nonces, x2).share };
  } finally {
    wipe(x2, secret, fresh, nonces.hiding, nonces.binding);
  }
}

/** random_bytes of nonce_generate are the halves of SHA-512("roaming-key/1 nonce" ‖ 0x00 ‖ fresh ‖ hedge). */
function makeNonces(
  group: Ed25519Group,
  secret: Uint8Array,
  fresh: Uint8Array,
  hedge: readonly Uint8Array[],
): Nonces {
  const input = concat(NONCE_LABEL, fresh, ...hedge);
  const seed = group.sha512(input);
  const nonces = {
    hiding: nonceGenerate(group, seed.subarray(0, 32), secret),
    binding: nonceGenerate(group, seed.subarray(32), secret),
  };
  wipe(input, seed);
  return nonces;
}

/**
 * Change of password (docs/protocol.md section 6): the assistant moves its share by as much as the device's has moved.
 *
 * @param delta x1 - x1' mod ℓ, 32 bytes, big-endian
 * @returns computes the ticket's members
 * @throws RoamingKeyError `invalid_request` unless 0 < delta < ℓ, or, from the computation, where the sum is 0
 */
export function moveEd25519Share({ x2, y }: Ed25519Share, delta: Uint8Array): () => Ed25519Share {
  const difference = os2ip(delta);
  if (delta.length !== 32 || difference === 0n || difference >= ED25519_ORDER)
    throw new RoamingKeyError('invalid_request', 'delta is not between 0 and the order of the group');
  return () => {
    const moved = mod(os2ip(x2) + difference, ED25519_ORDER);
    if (moved === 0n) throw new RoamingKeyError('invalid_request', 'delta leaves no share');
    return { x2: i2osp(moved, 32), y };
  };
}

/** delta = x1 - x1' mod ℓ: by how much the assistant has to move its share when the device's becomes x1'. */
export function ed25519Delta(f: Uint8Array, newF: Uint8Array): Uint8Array {
  return i2osp(mod(elgamalDeviceShare(f, ORDER) - elgamalDeviceShare(newF, ORDER), ED25519_ORDER), 32);
}

/** What a device keeps between request and answer; for one request alone. */
export interface Ed25519Commitment {
  readonly nonces: Nonces;
  /** What is sent. */
  readonly request: Ed25519Request;
}

/**
 * The device's first step: nonces for one request, and commitments to them. `completeEd25519` wipes the nonces; who never
 * comes to that calls `wipeEd25519Commitment`.
 *
 * @param f the password's bytes for this scheme, 48 of them, which the caller wipes
 */
export function commitEd25519(
  f: Uint8Array,
  message: Uint8Array,
  random: (length: number) => Uint8Array = randomBytes,
): Ed25519Commitment {
  const half = littleEndian(mod(deviceShareOf(f) * HALF, ED25519_ORDER));
  const [fresh, more] = [random(64), random(16)];
  const nonces = makeNonces(nobleEd25519, half, fresh, [sha256(message), more]);
  wipe(half, fresh, more);
  const { hiding, binding } = commit(nobleEd25519, DEVICE, nonces);
  return { nonces, request: { message, hiding, binding } };
}

const HALF = (ED25519_ORDER + 1n) / 2n;

/** Wipes nonces that are not used after all. */
export function wipeEd25519Commitment({ nonces }: Ed25519Commitment): void {
  wipe(nonces.hiding, nonces.binding);
}

/**
 * The device's second step: adds its share to the assistant's, once that was found right.
 *
 * @param publicKey A, of the record
 * @param f as for `commitEd25519`
 * @returns the signature, 64 bytes, which verifies under A
 * @throws RoamingKeyError `bad_response` where the assistant's commitments or share are wrong
 */
export function completeEd25519(
  publicKey: Uint8Array,
  f: Uint8Array,
  { nonces, request }: Ed25519Commitment,
  answer: Ed25519Answer,
): Uint8Array<ArrayBuffer> {
  const group = nobleEd25519;
  const x1 = littleEndian(deviceShareOf(f));
  let publicShare: Uint8Array | undefined;
  try {
    if (!group.isElement(publicKey))
      throw new RoamingKeyError('bad_record', "this device record's public key is not of prime order");
    if (!group.isElement(answer.hiding) || !group.isElement(answer.binding) || !isScalar(answer.share))
      throw wrongAnswer();
    const { message, hiding, binding } = request;
    const commitments: readonly [Commitment, Commitment] = [
      { identifier: DEVICE, hiding, binding },
      { identifier: ASSISTANT, hiding: answer.hiding, binding: answer.binding },
    ];
    const partial: PartialSignature = sign(group, { publicKey, message, commitments }, 0, nonces, x1);
    // Signer 2's public key is -(A - x1·B) and its Lagrange coefficient -1.
    publicShare = group.subtract(publicKey, group.multiplyBase(x1));
    if (!verifyShare(group, partial, answer.share, publicShare)) throw wrongAnswer();
    const z = group.addScalars(partial.share, answer.share);
    const signature = concat(partial.groupCommitment, z);
    if (!verifyEd25519(signature, message, publicKey)) throw wrongAnswer();
    return signature;
  } finally {
    wipe(x1, publicShare, nonces.hiding, nonces.binding);
  }
}

function deviceShareOf(f: Uint8Array): bigint {
  return elgamalDeviceShare(f, ORDER);
}

function isScalar(bytes: Uint8Array): boolean {
  return bytes.length === 32 && os2ip(bytes.slice().reverse()) < ED25519_ORDER;
}

function littleEndian(scalar: bigint): Uint8Array {
  return i2osp(scalar, 32).reverse();
}

function wrongAnswer(): RoamingKeyError {
  return new RoamingKeyError('bad_response', 'the assistant computed a wrong share of the signature');
}
