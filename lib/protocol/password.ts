/**
 * From password to secrets (docs/protocol.md section 2). The paper's h(π) is salted and slow here, and the salt never
 * leaves the device: what the assistant sees tests no guess (G5).
 */
import { expand } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { utf8, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { loaded } from '../base/load.ts';

/** Cost of a password guess: Argon2id (RFC 9106), version 0x13. */
export interface KdfParameters {
  readonly name: 'argon2id';
  /** Passes. */
  readonly t: number;
  /** Memory in KiB. */
  readonly m: number;
  /** Lanes. */
  readonly p: number;
}

/** 64 MiB, three passes, four lanes: about a third of a second. */
export const DEFAULT_KDF: KdfParameters = { name: 'argon2id', t: 3, m: 65_536, p: 4 };

/** Computes 32 bytes of Argon2id; may run elsewhere, in a worker for instance, and tell how much is done, 0 to 1. */
export type Argon2id = (
  password: Uint8Array,
  salt: Uint8Array,
  kdf: KdfParameters,
  onProgress?: (done: number) => void,
) => Promise<Uint8Array>;

const lane = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** KDF parameters neither below the floor (a tampered record must not weaken) nor above the ceiling (nor exhaust). */
export const KDF_PARAMETERS = v.pipe(
  v.strictObject({
    name: v.literal('argon2id'),
    t: v.pipe(lane, v.maxValue(64)),
    m: v.pipe(lane, v.minValue(19_456), v.maxValue(2 ** 20)),
    p: v.pipe(lane, v.maxValue(16)),
  }),
  v.check(({ t, m }) => t * m >= 38_912 && t * m <= 2 ** 22),
);

const MAX_PASSWORD_BYTES = 1024;

/**
 * Brings a password into the one form in which it is used: OpaqueString of RFC 8265, and nothing else of RFC 8264.
 *
 * @returns UTF-8 bytes, at most 1024
 * @throws RoamingKeyError `bad_password` if it is empty, too long, or has control characters or half surrogate pairs
 */
export function normalisePassword(password: string): Uint8Array<ArrayBuffer> {
  const refuse = (why: string) => new RoamingKeyError('bad_password', `the password ${why}`);
  if (typeof password !== 'string') throw new TypeError('password must be a string');
  // Normalising can shrink a text, but not without bound: three code points to one, at most.
  if (password.length > 4 * MAX_PASSWORD_BYTES) throw refuse('is too long');
  if (/\p{Cs}/u.test(password)) throw refuse('is not valid Unicode');
  const text = password.replace(/\p{Zs}/gu, ' ').normalize('NFC');
  if (text === '') throw refuse('is empty');
  if (/\p{Cc}/u.test(text)) throw refuse('has control characters');
  const bytes = utf8(text);
  if (bytes.length > MAX_PASSWORD_BYTES) {
    wipe(bytes);
    throw refuse('is too long');
  }
  return bytes;
}

/**
 * Argon2id by WebAssembly, on the thread that asks.
 *
 * @throws RoamingKeyError `unsupported` where WebAssembly is missing or forbidden, or memory does not suffice
 */
export const argon2idInline: Argon2id = async (password, salt, kdf) => {
  const { argon2idWasm } = await loaded(import('../crypto/argon2id-wasm.ts'));
  try {
    return await argon2idWasm(password, salt, kdf);
  } catch (error) {
    const { message, cause } = error as Error;
    throw new RoamingKeyError('unsupported', message, { cause });
  }
};

/**
 * K = Argon2id(OpaqueString(password), salt). The caller wipes it.
 *
 * @param salt 32 bytes
 * @throws RoamingKeyError `bad_password`, `unsupported` where Argon2id cannot be computed
 */
export async function stretchPassword(
  password: string,
  salt: Uint8Array,
  kdf: KdfParameters,
  argon2id: Argon2id = argon2idInline,
  onProgress?: (done: number) => void,
): Promise<Uint8Array> {
  const normal = normalisePassword(password);
  try {
    return await argon2id(normal, salt, kdf, onProgress);
  } finally {
    wipe(normal);
  }
}

/** β, from which the assistant sees that the user knows the password: 32 bytes. */
export function verifier(k: Uint8Array): Uint8Array {
  return expand(sha256, k, utf8('roaming-key/1 verifier'), 32);
}

/** f(L), the device's half of the user's key: `length` bytes, at most 8160. */
export function deviceShare(k: Uint8Array, scheme: string, length: number): Uint8Array {
  return expand(sha256, k, utf8(`roaming-key/1 ${scheme} share`), length);
}
