import { RoamingKeyError } from '../base/errors.ts';
import {
  attemptsLeft,
  type GuessPolicy,
  type GuessState,
  isStopped,
  judgeGuess,
  nextGuessAt,
} from './guess-policy.ts';
import type {
  FailAnswer,
  Reissues,
  ReservationKey,
  ReserveAnswer,
  ReserveRequest,
  SettleAnswer,
  SettleRequest,
} from './store.ts';

/**
 * What a store keeps of the guesses at one id, as a value that turns into JSON and back (docs/protocol.md section 7).
 *
 * A reservation that is not closed becomes a failure when its deadline passes; nothing has to happen at that moment, since
 * every step below first brings the tally up to its own time.
 */
export interface Tally {
  /** Failures since the last success. */
  readonly failures: number;
  /** When the last failure happened; null if there was none. */
  readonly last: number | null;
  /** When the failures within the policy's window happened; never more than the policy's limit. */
  readonly recent: readonly number[];
  /** Open reservations: jti, and when each becomes a failure. */
  readonly open: readonly (readonly [jti: string, deadline: number])[];
  /** Whether the limit was ever reached. */
  readonly stopped: boolean;
  /** When the last success happened, and until when the id is known by it; null if it is not. */
  readonly used: { readonly at: number; readonly until: number } | null;
  /** How often the ticket was reissued, and when last; null if never. */
  readonly reissues: Reissues | null;
}

const EMPTY: Tally = {
  failures: 0,
  last: null,
  recent: [],
  open: [],
  stopped: false,
  used: null,
  reissues: null,
};

/** Whether a tally holds no failure. */
function isClean(tally: Tally): boolean {
  return tally.failures === 0 && !tally.stopped && tally.recent.length === 0;
}

/** Whether an id has neither a guess nor a success to be known by. */
function isUnknown(tally: Tally): boolean {
  return isClean(tally) && tally.open.length === 0 && tally.used === null;
}

/** Whether a tally tells of nothing but a success: without it the id is new again, and no guess is lost. */
export function isOnlyUse(tally: Tally): boolean {
  return isClean(tally) && tally.open.length === 0 && tally.reissues === null;
}

/** When a tally is empty by the passing of time alone; null where that never happens. */
export function emptyAt(tally: Tally, window: number): number | null {
  if (tally.failures > 0 || tally.stopped || tally.open.length > 0 || tally.reissues) return null;
  return tally.recent.reduce((latest, at) => Math.max(latest, at + window), tally.used?.until ?? 0);
}

function withFailure(tally: Tally, at: number, policy: GuessPolicy): Tally {
  const counted = {
    ...tally,
    failures: tally.failures + 1,
    last: Math.max(tally.last ?? 0, at),
    recent: [...tally.recent.filter((then) => then > at - policy.window), at],
  };
  return { ...counted, stopped: isStopped({ ...counted, recent: counted.recent.length }, policy) };
}

/** A tally as it stands at `now`: lapsed reservations have become failures, each at its own deadline. */
export function tallyAt(kept: Tally | undefined, now: number, policy: GuessPolicy): Tally {
  // Tallies of earlier versions have neither `used` nor `reissues`.
  let tally: Tally = { ...EMPTY, ...kept };
  const lapsed = tally.open.map(([, deadline]) => deadline).filter((deadline) => deadline <= now);
  if (lapsed.length > 0) {
    tally = { ...tally, open: tally.open.filter(([, deadline]) => deadline > now) };
    for (const deadline of lapsed.sort((a, b) => a - b)) tally = withFailure(tally, deadline, policy);
  }
  const used = tally.used && tally.used.until > now ? tally.used : null;
  return { ...tally, used, recent: tally.recent.filter((then) => then > now - policy.window) };
}

function stateOf(tally: Tally): GuessState {
  return {
    failures: tally.failures,
    lastFailure: tally.last,
    recent: tally.recent.length,
    open: tally.open.length,
    stopped: tally.stopped,
  };
}

function without(tally: Tally, jti: string): Tally {
  return { ...tally, open: tally.open.filter(([name]) => name !== jti) };
}

/** What a store has to write: a tally to keep, `null` to delete it, `undefined` to leave it as it is. */
export type TallyUpdate = Tally | null | undefined;

function update(tally: Tally): TallyUpdate {
  return isUnknown(tally) && !tally.reissues ? null : tally;
}

/** What a store knows when a request arrives, all read in one atomic step with what it writes afterwards. */
export interface Known {
  readonly disabled: boolean;
  readonly retired: boolean;
  readonly tally: Tally | undefined;
}

/**
 * Decides {@link Store.reserve}. The caller marks the jti as seen whatever the answer, but for `new`.
 *
 * @throws RoamingKeyError `unavailable` where `seenUntil` is past already: nothing would notice a replay, so the
 * clocks of store and assistant are too far apart for any help.
 */
export function decideReserve(
  known: Known & { readonly seen: boolean },
  request: ReserveRequest,
  now: number,
): { readonly answer: ReserveAnswer; readonly tally: TallyUpdate } {
  if (request.seenUntil <= now) {
    throw new RoamingKeyError('unavailable', 'the clocks of the store and of the assistant differ too much');
  }
  const { id: _, jti, policy, admitNew } = request;
  const refuse = (answer: ReserveAnswer) => ({ answer, tally: undefined });
  if (known.disabled) return refuse({ answer: 'disabled', now });
  if (known.retired) return refuse({ answer: 'retired', now });
  const tally = tallyAt(known.tally, now, policy);
  if (known.seen || tally.open.some(([name]) => name === jti)) return refuse({ answer: 'replayed', now });
  if (!admitNew && isUnknown(tally)) return refuse({ answer: 'new', now });
  const judged = judgeGuess(stateOf(tally), now, policy);
  if (judged.verdict === 'stop') return refuse({ answer: 'locked', now });
  if (judged.verdict === 'wait') return refuse({ answer: 'locked', now, retryAt: judged.retryAt });
  if (judged.verdict === 'busy') return refuse({ answer: 'busy', now, retryAt: judged.retryAt });
  const open = [...tally.open, [jti, now + policy.reservationTimeout] as const];
  return { answer: { answer: 'reserved', now }, tally: { ...tally, open } };
}

/** Decides {@link Store.fail}. */
export function decideFail(
  kept: Tally | undefined,
  { jti, policy }: ReservationKey,
  now: number,
): { readonly answer: FailAnswer; readonly tally: TallyUpdate } {
  const before = tallyAt(kept, now, policy);
  const isOpen = before.open.some(([name]) => name === jti);
  const tally = isOpen ? withFailure(without(before, jti), now, policy) : before;
  const state = stateOf(tally);
  const retryAt = nextGuessAt(state, now, policy);
  const answer = {
    now,
    attemptsLeft: attemptsLeft(state, policy),
    isNew: isOpen && before.failures === 0 && before.recent.length === 0,
  };
  return {
    answer: retryAt === undefined ? answer : { ...answer, retryAt },
    tally: isOpen ? tally : undefined,
  };
}

/** Decides {@link Store.settle}; `retire` tells the store to set the mark. */
export function decideSettle(
  known: Known,
  { jti, policy, retire = false, reissue = false, remember = true }: SettleRequest,
  now: number,
): { readonly answer: SettleAnswer; readonly tally: TallyUpdate; readonly retire: boolean } {
  const tally = without(tallyAt(known.tally, now, policy), jti);
  const marked = known.disabled ? 'disabled' : known.retired ? 'retired' : undefined;
  if (marked) return { answer: { answer: marked, now }, tally: update(tally), retire: false };
  const { used, reissues } = tally;
  // A retired id is never asked for again.
  const isRemembered = policy.knownFor > 0 && !retire && (remember || used !== null);
  const answer = {
    answer: 'settled',
    now,
    failedSince: { count: tally.failures, last: tally.failures > 0 ? tally.last : null },
    lastUsed: used?.at ?? null,
    ...(reissues && { reissues }),
    isNew: isClean(tally) && used === null && (isRemembered || (reissue && reissues === null)),
  } as const;
  const after = {
    ...tally,
    failures: 0,
    used: isRemembered ? { at: now, until: now + policy.knownFor } : used,
    reissues: reissue ? { count: (reissues?.count ?? 0) + 1, last: now } : reissues,
  };
  return { answer, tally: update(after), retire };
}

/** Decides {@link Store.release}. */
export function decideRelease(
  kept: Tally | undefined,
  { jti, policy }: ReservationKey,
  now: number,
): TallyUpdate {
  const tally = tallyAt(kept, now, policy);
  return tally.open.some(([name]) => name === jti) ? update(without(tally, jti)) : undefined;
}

/** Decides {@link Store.unlock}: open reservations, the last success and the reissues stay. */
export function decideUnlock(kept: Tally, now: number): TallyUpdate {
  const { used, reissues } = { ...EMPTY, ...kept };
  const open = kept.open.filter(([, deadline]) => deadline > now);
  return update({ ...EMPTY, open, used, reissues });
}
