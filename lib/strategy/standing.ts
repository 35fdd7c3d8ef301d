/**
 * Whether a registered key counts (docs/protocol.md section 8): it is not disabled, and it stands.
 *
 * A thief in the owner's session can register a key of his own. So a key that was registered in a session of another is
 * vouched for by that one: when the owner disables the key that the thief used, what he registered with it is suspended.
 * After a while, and a login while it stands, a key stands by itself.
 */
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import {
  areDisabled,
  confirmKey,
  entriesOf,
  findKey,
  jktOf,
  type KnownKey,
  namesOf,
  type RegisteredKey,
  unavailable,
} from './registered-key.ts';
import { type RelyingParty, type RelyingPartyOptions, relyingParty } from './relying-party.ts';

/** What a relying party needs to judge a key. */
type Judge = Pick<RelyingParty, 'disabled' | 'vouchFor'>;

/** The keys that the app has for an account, removed ones included. */
export async function keysOf(rp: RelyingParty, account: string): Promise<readonly RegisteredKey[]> {
  try {
    return (await rp.keysOf(account)) ?? [];
  } catch (error) {
    throw unavailable('the keys of the account cannot be read', error);
  }
}

/**
 * Refuses a key that does not count.
 *
 * @throws RoamingKeyError `disabled` under any of its names; `suspended` where it does not stand; `unavailable`
 */
export async function assertCounts(rp: Judge, keys: readonly RegisteredKey[], key: KnownKey): Promise<void> {
  if (await areDisabled(key.disablingNames, rp.disabled))
    throw new RoamingKeyError('disabled', 'the key is disabled');
  if (!(await stands(rp, keys, key)))
    throw new RoamingKeyError('suspended', 'a key that vouches for this one does not count any more');
}

/** Whether a key that is not disabled stands: each voucher, up to one that has none, is known and not disabled. */
export async function stands(rp: Judge, keys: readonly RegisteredKey[], key: KnownKey): Promise<boolean> {
  const names = namesOfVouchers(rp, keys, key);
  return names !== undefined && !(await areDisabled(names, rp.disabled));
}

/** `undefined` where a voucher is not there, or vouches for itself in the end. */
function namesOfVouchers(
  { vouchFor }: Judge,
  keys: readonly RegisteredKey[],
  key: KnownKey,
): readonly string[] | undefined {
  const names: string[] = [];
  const met = new Set([key.jkt]);
  let by = vouchFor === 0 ? undefined : key.by;
  while (by !== undefined) {
    const entries = entriesOf(keys, by);
    if (entries.length === 0 || met.has(by)) return undefined;
    met.add(by);
    names.push(...entries.flatMap(namesOf));
    by = entries.at(-1)?.by;
  }
  return names;
}

/**
 * Takes the voucher from a key that has just logged in while it stood, where it is old enough: by compare-and-set, since
 * another process may have set a new one. An app that has no `updateKeys` keeps it.
 */
export async function outgrowVoucher(
  rp: RelyingParty,
  account: string,
  { jkt, by, at }: { readonly jkt: string; readonly by?: string; readonly at?: number },
): Promise<void> {
  if (!rp.updateKeys || by === undefined || at === undefined || rp.vouchFor === 0) return;
  if (rp.now() - at < rp.vouchFor) return;
  await rp.updateKeys(account, (keys) => {
    const last = entriesOf(keys, jkt).at(-1);
    return last?.by === by && last.at === at ? confirmKey(keys, jkt) : [...keys];
  });
}

/** Which key an app asks about. */
export interface KeyOfAccount {
  readonly account: string;
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly jkt: string;
}

/**
 * Whether a key still counts: it is one of the account's, not disabled and not suspended. For tokens, and whatever else
 * outlives a login without being a session.
 *
 * @throws RoamingKeyError `unavailable` where it is not known
 * @example
 * if (!(await isLive(rp, { account: payload.sub, jkt: payload.jkt }))) return res.sendStatus(403);
 */
export async function isLive(options: RelyingPartyOptions, key: KeyOfAccount): Promise<boolean> {
  try {
    await assertLive(checkedOnce(options), key);
    return true;
  } catch (error) {
    if (isRoamingKeyError(error, 'disabled', 'suspended')) return false;
    throw error;
  }
}

/**
 * Refuses a key that does not count for an account.
 *
 * @returns the key
 * @throws RoamingKeyError `disabled` also for a key that the account does not have, `suspended`, `unavailable`
 */
export async function assertLive(
  rp: RelyingParty,
  { account, jkt }: KeyOfAccount,
  found?: (key: KnownKey) => void,
): Promise<void> {
  const keys = await keysOf(rp, account);
  const key = findKey(keys, jkt);
  if (!key) throw new RoamingKeyError('disabled', 'the account does not have the key any more');
  found?.(key);
  await assertCounts(rp, keys, key);
}

/** A key of an account, and whether it counts. */
export interface KeyState extends RegisteredKey {
  readonly jkt: string;
  readonly disablingNames: readonly string[];
  readonly state: 'live' | 'disabled' | 'suspended' | 'removed';
}

/**
 * Lists the keys of an account and whether they count, for a page where users see what was added and by which key.
 *
 * @throws RoamingKeyError `unavailable`
 * @example
 * const added = (await listKeys(rp, 'ada')).filter(({ by }) => by !== undefined);
 */
export async function listKeys(options: RelyingPartyOptions, account: string): Promise<readonly KeyState[]> {
  const rp = checkedOnce(options);
  const keys = await keysOf(rp, account);
  const names = new Set(keys.map(jktOf));
  const states = [...names].map(async (jkt): Promise<KeyState | undefined> => {
    if (jkt === undefined) return undefined;
    const entries = entriesOf(keys, jkt);
    const stored = entries.at(-1) as RegisteredKey;
    const disablingNames = [...new Set(entries.flatMap(namesOf))];
    const known = findKey(keys, jkt);
    const state = (await areDisabled(disablingNames, rp.disabled))
      ? 'disabled'
      : stored.isRemoved || !known
        ? 'removed'
        : (await stands(rp, keys, known))
          ? 'live'
          : 'suspended';
    return { ...stored, jkt, disablingNames, state };
  });
  return (await Promise.all(states)).filter((state) => state !== undefined);
}

/**
 * Which keys of an account a disabling name has killed: those that bear it, and those that are suspended since a key that
 * bears it vouches for them. Empty where the name is of no key here, or the list does not have it yet.
 *
 * @param name the disabling name u; `codeName` makes it of a printed code
 * @throws RoamingKeyError `unavailable`
 */
export async function keysKilledBy(
  options: RelyingPartyOptions,
  account: string,
  name: string,
): Promise<readonly KeyState[]> {
  const keys = await listKeys(options, account);
  const bears = keys.filter((key) => key.state === 'disabled' && key.disablingNames.includes(name));
  const dead = fallWith(keys, bears);
  return keys.filter(({ jkt, state }) => dead.has(jkt) && (state === 'disabled' || state === 'suspended'));
}

/** Thumbprints of these keys, and of those that they vouch for in the end. */
export function fallWith(
  keys: readonly Pick<KeyState, 'jkt' | 'by'>[],
  first: readonly Pick<KeyState, 'jkt'>[],
): ReadonlySet<string> {
  const fallen = new Set(first.map(({ jkt }) => jkt));
  for (let size = -1; size !== fallen.size; ) {
    size = fallen.size;
    for (const { jkt, by } of keys) if (by !== undefined && fallen.has(by)) fallen.add(jkt);
  }
  return fallen;
}

const parties = new WeakMap<RelyingPartyOptions, RelyingParty>();

function checkedOnce(options: RelyingPartyOptions): RelyingParty {
  const rp = parties.get(options) ?? relyingParty(options);
  parties.set(options, rp);
  return rp;
}
