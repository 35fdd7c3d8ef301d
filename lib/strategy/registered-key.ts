/**
 * A key as a relying party remembers it (docs/protocol.md sections 6 and 8).
 *
 * A key may have several tickets, one after another or at once, and so several disabling secrets. Whoever holds any of
 * them may disable the key. Names are therefore only ever added: a thief who has recovered the key and registers
 * it once more, with a name of his own, must not put the owner's kit out of force.
 */
import { fromBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { type LoginJwk, type ProofAlgorithm, readStoredJwk } from './public-key.ts';

/** Disabling names that a key may gather, and keys that an account may gather. Bounds the work of one login. */
export const MAX_NAMES = 32;
export const MAX_KEYS = 32;

/** A key of an account, as an app stores it. */
export interface RegisteredKey {
  /** The public key: Ed25519, P-256, or RSA from 2048 bits. Members that a public key does not need are ignored. */
  readonly jwk: LoginJwk;
  /** The one algorithm it proves with. Default: Ed25519, ES256 or PS256, by the kind of key. */
  readonly alg?: ProofAlgorithm;
  /** Every disabling name u that it was ever registered with: base64url of 32 bytes each. */
  readonly u: string | readonly string[];
}

/** What a registration proof has shown: `account` owns this key, and it can be disabled under each of `u`. */
export interface Registration extends RegisteredKey {
  readonly account: string;
  /** RFC 7638 SHA-256 thumbprint, base64url: the key's name at this relying party. */
  readonly jkt: string;
  readonly jwk: LoginJwk;
  readonly alg: ProofAlgorithm;
  /** The new name and all that were stored before. */
  readonly u: readonly string[];
}

/** A registered key, checked. */
export interface KnownKey {
  readonly jkt: string;
  readonly jwk: LoginJwk;
  readonly alg: ProofAlgorithm;
  readonly u: readonly string[];
}

/**
 * Adds what a registration has shown to the keys of an account: a new key goes to the end, a known one keeps its
 * place, its algorithm and all its disabling names, and gains those it lacks. To be called inside the transaction that
 * also reads and writes `keys`.
 *
 * @returns the keys to store
 * @throws RoamingKeyError `refused` for another algorithm than before, or more than 32 keys or names
 * @example
 * const keys = mergeKey(await db.keysOf(account), registration);
 * await db.setKeys(account, keys);
 */
export function mergeKey(keys: readonly RegisteredKey[], registration: Registration): RegisteredKey[] {
  const { jwk, alg, u, jkt } = registration;
  const at = keys.findIndex((key) => readStoredJwk(key.jwk)?.jkt === jkt);
  const before = keys[at];
  if (!before) {
    if (keys.length >= MAX_KEYS) throw new RoamingKeyError('refused', 'the account has too many keys');
    return [...keys, { jwk, alg, u: mergeNames([], u) }];
  }
  if (knownKey(before)?.alg !== alg)
    throw new RoamingKeyError('refused', 'the key is registered with another algorithm');
  const after = { ...before, alg, u: mergeNames(namesOf(before), u) };
  return keys.map((key, i) => (i === at ? after : key));
}

/** The union of disabling names, oldest first. */
export function mergeNames(before: readonly string[], more: readonly string[]): readonly string[] {
  const names = [...new Set([...before, ...more])];
  if (names.length > MAX_NAMES) throw new RoamingKeyError('refused', 'the key has too many disabling names');
  return names;
}

/** Checks a key that an app has stored. `undefined` where nothing may be proven with it. */
export function knownKey(key: RegisteredKey): KnownKey | undefined {
  const read = readStoredJwk(key.jwk);
  if (!read) return undefined;
  const alg = key.alg ?? (read.algs[0] as ProofAlgorithm);
  const u = namesOf(key);
  if (!read.algs.includes(alg) || u.length === 0 || !u.every(isName)) return undefined;
  return { jkt: read.jkt, jwk: read.jwk, alg, u };
}

/**
 * Finds the key of that thumbprint among an account's; entries that cannot be used are passed over. Where an app has
 * stored a key several times, it has the names of all entries, and the algorithm of the first.
 */
export function findKey(keys: readonly RegisteredKey[], jkt: string): KnownKey | undefined {
  const entries = keys.map(knownKey).filter((key) => key !== undefined);
  const own = entries.filter((key) => key.jkt === jkt);
  const isThere = own.length > 0;
  // Joined whether it is that key or another, so that it takes as long to find none.
  const joined = isThere ? own : entries.slice(0, 1);
  const [first] = joined;
  const key = first && { ...first, u: [...new Set(joined.flatMap(({ u }) => u))] };
  return isThere ? key : undefined;
}

/**
 * Refuses a key that was disabled under any of its names.
 *
 * @throws RoamingKeyError `disabled`, or `unavailable` if it cannot be found out
 */
export async function assertNotDisabled(
  names: readonly string[],
  disabled: Pick<Store, 'isDisabled'>,
): Promise<void> {
  let isDisabled: boolean;
  try {
    isDisabled = await disabled.isDisabled(names);
  } catch (error) {
    throw unavailable('it cannot be found out whether the key is disabled', error);
  }
  if (isDisabled !== false) throw new RoamingKeyError('disabled', 'the key is disabled');
}

/** The error for a part of the app that has failed; one that is `unavailable` already stays as it is. */
export function unavailable(message: string, cause: unknown): RoamingKeyError {
  if (cause instanceof RoamingKeyError && cause.code === 'unavailable') return cause;
  return new RoamingKeyError('unavailable', message, { cause });
}

function namesOf(key: RegisteredKey): readonly string[] {
  return typeof key.u === 'string' ? [key.u] : key.u;
}

function isName(u: unknown): boolean {
  return typeof u === 'string' && u.length === 43 && fromBase64url(u)?.length === 32;
}
