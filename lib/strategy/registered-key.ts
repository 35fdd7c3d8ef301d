/**
 * A key as a relying party remembers it (docs/protocol.md sections 6 and 8).
 *
 * A key may have several tickets, one after another or at once, and so several disabling secrets. The holder of any of
 * them may disable the key. Names are therefore only ever added: a thief who has the key and registers it once more,
 * with a name of his own, must not void the owner's kit.
 */
import { fromBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { type LoginJwk, type ProofAlgorithm, type ReadLoginJwk, readStoredJwk } from './public-key.ts';

/** Keys that an account may have. */
export const MAX_KEYS = 32;
/** Names that a key may gain in a day. */
export const NAMES_A_DAY = 32;
const DAY = 86_400;
/** Entries that every search looks at, so that its time does not depend on how many keys an account has. */
const SLOTS = 2 * MAX_KEYS;

/** A key of an account, as an app stores it: plain JSON. Store every member; `mergeKey` makes them. */
export interface RegisteredKey {
  /** The public key: Ed25519, P-256, or RSA from 2048 bits. Members that a public key does not need are ignored. */
  readonly jwk: LoginJwk;
  /** RFC 7638 SHA-256 thumbprint, base64url. Without it logins compute it, and take longer the more keys there are. */
  readonly jkt?: string;
  /** The one algorithm it proves with. Default: Ed25519, ES256 or PS256, by the kind of key. */
  readonly alg?: ProofAlgorithm;
  /** Every disabling name that it was ever registered with: base64url of 32 bytes each. */
  readonly disablingNames?: readonly string[];
  /** @deprecated The same as `disablingNames`, as it was called before. One of the two must be there. */
  readonly u?: string | readonly string[];
  /** The voucher: the `jkt` of the key that opened the session in which this one was registered. */
  readonly by?: string;
  /** When it was registered, or its voucher was set; seconds since the epoch. */
  readonly at?: number;
  /** Taken from the account, but kept since it vouches for another; see `removeKey`. */
  readonly isRemoved?: true;
  /** How many names it has gained since when, within a day. */
  readonly named?: { readonly since: number; readonly count: number };
}

/** What a registration proof has shown: `account` owns this key, and it can be disabled under each of its names. */
export interface Registration extends RegisteredKey {
  readonly account: string;
  /** RFC 7638 SHA-256 thumbprint, base64url: the key's name at this relying party. */
  readonly jkt: string;
  readonly alg: ProofAlgorithm;
  /** The new name and all that were stored before. */
  readonly disablingNames: readonly string[];
  /** The relying party's time; seconds since the epoch. */
  readonly provenAt: number;
  /** What becomes of the voucher of a key that is known: it stays, it goes, or it is replaced where it is still this one. */
  readonly voucher: 'kept' | 'removed' | { readonly replaces: string | undefined };
}

/** A registered key, checked. */
export interface KnownKey {
  readonly jkt: string;
  readonly jwk: LoginJwk;
  readonly alg: ProofAlgorithm;
  readonly disablingNames: readonly string[];
  readonly by: string | undefined;
  readonly at: number | undefined;
}

/**
 * Adds what a registration has shown to the keys of an account: a new key goes to the end, a known one keeps its
 * place, its algorithm and all its disabling names, and gains those it lacks. To be called inside the transaction that
 * also reads and writes `keys`.
 *
 * @returns the keys to store
 * @throws RoamingKeyError `refused` for another algorithm than before or more than 32 keys, `busy` for more than 32 new
 *   names of a key in a day
 * @example
 * const keys = mergeKey(await db.keysOf(account), registration);
 * await db.setKeys(account, keys);
 */
export function mergeKey(keys: readonly RegisteredKey[], registration: Registration): RegisteredKey[] {
  const at = keys.map(jktOf).lastIndexOf(registration.jkt);
  const before = keys[at];
  assertRoom(keys, before, registration.by !== undefined);
  const after = updated(before, registration);
  return before ? keys.map((key, i) => (i === at ? after : key)) : [...keys, after];
}

/** The entry of a key after a registration. */
export function updated(before: RegisteredKey | undefined, registration: Registration): RegisteredKey {
  const { jwk, jkt, alg, by, provenAt: at, voucher } = registration;
  const names = before ? namesOf(before) : [];
  const disablingNames = mergeNames(names, registration.disablingNames);
  const named = countNames(before?.named, disablingNames.length - names.length, at);
  const added = { jkt, disablingNames, ...(named && { named }) };
  if (!before) return { jwk, alg, ...added, at, ...(by !== undefined && { by }) };
  if (checked(before)?.alg !== alg)
    throw new RoamingKeyError('refused', 'the key is registered with another algorithm', {
      reason: 'algorithm',
    });
  const { u: _u, isRemoved: _isRemoved, ...kept } = before;
  const after = { ...kept, alg, ...added };
  if (voucher === 'kept' || (voucher !== 'removed' && voucher.replaces !== before.by)) return after;
  const { by: _by, ...confirmed } = after;
  return voucher === 'removed' || by === undefined ? confirmed : { ...confirmed, by, at };
}

/** Refuses a key more than an account may have. */
export function assertRoom(
  keys: readonly RegisteredKey[],
  known: RegisteredKey | undefined,
  isVouched: boolean,
): void {
  const live = keys.filter((key) => !key.isRemoved).length;
  const needs = !known || known.isRemoved;
  // Removed keys are kept while they vouch for others, so a session could make more and more of them.
  if (needs && (live >= MAX_KEYS || (isVouched && !known && keys.length >= SLOTS)))
    throw new RoamingKeyError('refused', 'the account has too many keys', { reason: 'keys' });
}

/** The union of disabling names, oldest first. Names are only ever added. */
export function mergeNames(before: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...before, ...more])];
}

/** Takes away a voucher after the key was confirmed by other means than a session of a key, such as by mail. */
export function confirmKey(keys: readonly RegisteredKey[], jkt: string): RegisteredKey[] {
  return keys.map((key) => {
    const { by, ...confirmed } = key;
    return by !== undefined && jktOf(key) === jkt ? confirmed : key;
  });
}

/**
 * Takes a key from an account. It stays as a tombstone while it vouches for another: else a thief could remove the key
 * that he used, and what he registered with it would not fall with it.
 *
 * @returns the keys to store
 */
export function removeKey(keys: readonly RegisteredKey[], jkt: string): RegisteredKey[] {
  let left = keys.map((key) => (jktOf(key) === jkt ? { ...key, isRemoved: true as const } : key));
  for (let length = -1; length !== left.length; ) {
    length = left.length;
    const vouchers = new Set(left.map(({ by }) => by));
    left = left.filter((key) => !key.isRemoved || vouchers.has(jktOf(key)));
  }
  return left;
}

/** Names gained within the day. */
function countNames(
  before: RegisteredKey['named'],
  added: number,
  now: number,
): RegisteredKey['named'] | undefined {
  if (added <= 0) return before;
  const isToday = before !== undefined && Math.abs(now - before.since) < DAY;
  const since = isToday ? before.since : now;
  const count = (isToday ? before.count : 0) + added;
  if (count > NAMES_A_DAY)
    throw new RoamingKeyError('busy', 'the key has gained too many names today', { retryAt: since + DAY });
  return { since, count };
}

const computed = new WeakMap<object, string>();

/** The thumbprint of an entry: stored, else computed. */
export function jktOf(key: RegisteredKey): string | undefined {
  if (typeof key.jkt === 'string') return key.jkt;
  const known = computed.get(key) ?? readStoredJwk(key.jwk)?.jkt;
  if (known !== undefined) computed.set(key, known);
  return known;
}

/** Fills the places of keys that an account does not have. */
const FREE = { jkt: '', jwk: { crv: 'Ed25519', kty: 'OKP', x: '' } } as const satisfies RegisteredKey;

/** Every entry of a key; its time does not depend on how many keys there are, or whether this one is among them. */
export function entriesOf(keys: readonly RegisteredKey[], jkt: string): readonly RegisteredKey[] {
  const found: RegisteredKey[] = [];
  for (let i = 0; i < Math.max(SLOTS, keys.length); i++) {
    const key = keys[i] ?? FREE;
    if (jktOf(key) === jkt) found.push(key);
  }
  return found;
}

/**
 * Finds a key that may prove something; entries that cannot be used are passed over. Where an app has stored a key several
 * times, it has the names of all entries, the algorithm of the first and the voucher of the last.
 */
export function findKey(keys: readonly RegisteredKey[], jkt: string): KnownKey | undefined {
  const entries = entriesOf(keys, jkt);
  return entries.at(-1)?.isRemoved ? undefined : joined(entries);
}

/** The entries of one key as one, removed or not. */
export function joined(entries: readonly RegisteredKey[]): KnownKey | undefined {
  const last = entries.at(-1);
  if (!last) return undefined;
  const keys = entries.map(checked).filter((key) => key !== undefined);
  const [first] = keys;
  return first && { ...first, ...allNames(keys), by: last.by, at: last.at };
}

const allNames = (keys: readonly KnownKey[]) => ({
  disablingNames: [...new Set(keys.flatMap(({ disablingNames }) => disablingNames))],
});

/** Checks a key that an app has stored. `undefined` where nothing may be proven with it. */
function checked(key: RegisteredKey): KnownKey | undefined {
  const read = readStoredJwk(key.jwk);
  const alg = read && algOf(key, read);
  const disablingNames = namesOf(key);
  if (!read || !alg || disablingNames.length === 0 || !disablingNames.every(isName)) return undefined;
  return { jkt: read.jkt, jwk: read.jwk, alg, disablingNames, by: key.by, at: key.at };
}

/** The one algorithm that an entry proves with. */
export function algOf({ alg }: RegisteredKey, { algs }: ReadLoginJwk): ProofAlgorithm | undefined {
  return alg === undefined ? algs[0] : algs.find((one) => one === alg);
}

/** The names of an entry. */
export function namesOf({ disablingNames, u = [] }: RegisteredKey): readonly string[] {
  return disablingNames ?? (typeof u === 'string' ? [u] : u);
}

function isName(u: unknown): boolean {
  return typeof u === 'string' && u.length === 43 && fromBase64url(u)?.length === 32;
}

/** Whether any of the names is disabled. */
export async function areDisabled(
  names: readonly string[],
  disabled: Pick<Store, 'isDisabled'>,
): Promise<boolean> {
  if (names.length === 0) return false;
  try {
    return (await disabled.isDisabled(names)) !== false;
  } catch (error) {
    throw unavailable('the list of disabled keys cannot be asked', error);
  }
}

/** The error for a part of the app that has failed; one that is `unavailable` already stays as it is. */
export function unavailable(message: string, cause: unknown): RoamingKeyError {
  if (cause instanceof RoamingKeyError && cause.code === 'unavailable') return cause;
  return new RoamingKeyError('unavailable', message, { cause });
}
