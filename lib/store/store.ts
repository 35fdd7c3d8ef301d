import type { GuessPolicy } from './guess-policy.ts';

/**
 * What an assistant and a relying party remember, as a few atomic operations (docs/protocol.md sections 5 to 7).
 *
 * Every operation is one indivisible step, also against other processes that share the store: guesses in flight
 * on ten machines must get no more answers than the policy allows. All times are whole seconds since the epoch and
 * are read from the store's own clock. An operation that cannot be carried out rejects (any error will do: the
 * caller answers `unavailable` and gives no help); it never resolves with a guess.
 *
 * Names: `id` is the ticket's state id, `u` the disabling name, `t` the disabling secret, `jti` a request's number;
 * all are base64url.
 */
export interface Store {
  /** Prepares files, tables, scripts. Idempotent; the first operation may also do it by itself. */
  init(): Promise<void>;

  /**
   * Before the password is looked at: checks `u` and `id` for marks, marks `jti` as seen for `id` until `seenUntil`
   * (whatever else is answered, but for `new`, which writes nothing), and opens a reservation if the policy allows
   * another guess. The answers are tried in this order: `disabled`, `retired`, `replayed`, `new`, `locked` or `busy`,
   * `reserved`.
   * Rejects where `seenUntil` is past by the store's clock: a replay would go unnoticed.
   */
  reserve(request: ReserveRequest): Promise<ReserveAnswer>;

  /**
   * The password was wrong: the reservation becomes a failure. One that has lapsed, and so became a failure when
   * its time was up, adds nothing more.
   */
  fail(request: ReservationKey): Promise<FailAnswer>;

  /**
   * The password was right and the work is done: closes the reservation, sets the failures since the last success
   * to 0, makes the id known for `policy.knownFor` and, for `retire`, marks it for good, durably. Not where a mark was
   * set meanwhile: then nothing but the closing. A reservation that has lapsed stays one failure within the window.
   */
  settle(request: SettleRequest): Promise<SettleAnswer>;

  /** The password was right but the work could not be done: closes the reservation, counts nothing. */
  release(request: ReservationKey): Promise<void>;

  /**
   * Marks `u` as disabled and appends `t` to the feed, durably and visibly to every process before it resolves.
   * Idempotent. `isNew` is false where the mark was there already.
   */
  disable(mark: { readonly u: string; readonly t: string }): Promise<{ readonly isNew: boolean }>;

  /** Whether any of the names bears the disabled mark; one step for all. Rejects with a TypeError for anything but an array. */
  isDisabled(names: readonly string[]): Promise<boolean>;

  /**
   * Disabling secrets in the order in which they were marked, after `cursor`: exactly `limit`, or fewer where the page
   * ends the list at the time of the call. An entry becomes visible only after all before it. `next` is the cursor to go on with; with nothing new it equals `cursor`. A cursor this store never gave
   * (or one from before a restore) starts over: an entry too many does no harm, one too few would.
   */
  feed(request: { readonly after?: string; readonly limit: number }): Promise<FeedPage>;

  /**
   * Claims a one-time name until `expiresAt`: true for the first claim, false while it is claimed and false
   * where `expiresAt` is past by the store's clock, since a second claim would go unnoticed.
   */
  claimOnce(request: { readonly name: string; readonly expiresAt: number }): Promise<boolean>;

  /**
   * Adds `by` to the hits under a name and tells their sum, for limits that all processes share.
   *
   * Hits are counted in a fixed window: it begins with the first of them and ends `seconds` later by the store's clock,
   * however many follow; then the name is forgotten. 0 asks and changes nothing; a negative number takes hits back. A count
   * stays from 0 to a thousand million; at 0 the name is forgotten at once, and the next hit begins a window of its own.
   * No window ends later than `seconds` from now. Hits need not survive a crash, and no backup has them.
   * Rejects with a TypeError where `seconds` is not a whole number from 1 to 86400, or `by` none up to a thousand million.
   */
  count(request: CountRequest): Promise<CountAnswer>;

  /** Operator: lifts the lock of an id (failures to 0, recent failures forgotten, stop lifted). False if nothing is kept of it. */
  unlock(id: string): Promise<boolean>;

  /** Data protection: forgets everything about an id but a retired mark. False if there was nothing. */
  forget(id: string): Promise<boolean>;

  /** All disabled and retired marks, for a backup. Newest last. */
  exportMarks(): AsyncIterable<Mark>;

  /**
   * Re-applies marks after a restore; durable; idempotent. Resolves with how many were new.
   * Rejects with a TypeError at the first thing that is no mark; what came before it may have been applied.
   */
  importMarks(marks: AsyncIterable<Mark> | Iterable<Mark>): Promise<number>;

  /** Deletes what has expired (seen requests, claims, counters, entries without content). Resolves with how many rows. */
  prune(): Promise<number>;

  /** Resolves if the store reads and writes; rejects otherwise, also where it is full or read-only. */
  health(): Promise<void>;

  /** Lets go of files and of connections that the store opened itself. */
  close(): Promise<void>;
}

/** Names one reservation. */
export interface ReservationKey {
  readonly id: string;
  readonly jti: string;
  readonly policy: GuessPolicy;
}

export interface ReserveRequest extends ReservationKey {
  readonly u: string;
  /** Until when the jti stays seen. */
  readonly seenUntil: number;
  /**
   * False answers `new` for an id that is not known by a success and has no open or failed guess: anyone can make tickets,
   * so the caller limits how many entries an address creates. Nothing is written, and the caller may ask again.
   */
  readonly admitNew: boolean;
}

/**
 * `retryAt`: when it is worth trying again; absent on `locked` when the id is stopped for good.
 */
export type ReserveAnswer =
  | { readonly answer: 'reserved'; readonly now: number }
  | { readonly answer: 'disabled' | 'retired' | 'replayed' | 'new'; readonly now: number }
  | { readonly answer: 'locked'; readonly now: number; readonly retryAt?: number }
  | { readonly answer: 'busy'; readonly now: number; readonly retryAt: number };

export interface FailAnswer {
  readonly now: number;
  /** Further wrong passwords that would be answered at once. */
  readonly attemptsLeft: number;
  /** When the next try will be answered; absent when the id is stopped for good. */
  readonly retryAt?: number;
  /**
   * Whether this call added a failure, the first that the store knows of the id, so that the caller can count it for
   * the address.
   */
  readonly isNew: boolean;
}

export interface SettleRequest extends ReservationKey {
  readonly u: string;
  readonly retire?: boolean;
  /** Counts one reissue of the ticket, durably. Default false. */
  readonly reissue?: boolean;
  /** Whether the success makes an id known that is not known yet. Default true. */
  readonly remember?: boolean;
}

export type SettleAnswer =
  | {
      readonly answer: 'settled';
      readonly now: number;
      readonly failedSince: FailedSince;
      /** When the last success before this one happened, if the id was known by it. */
      readonly lastUsed: number | null;
      /** How often the ticket was reissued before this request; absent where it never was. */
      readonly reissues?: Reissues;
      /** Whether this call made an entry for an id that had neither a failure nor a known success. */
      readonly isNew: boolean;
    }
  | { readonly answer: 'disabled' | 'retired'; readonly now: number };

/** Wrong passwords since the last success; `last` in seconds since the epoch, null where there was none. */
export interface FailedSince {
  readonly count: number;
  readonly last: number | null;
}

/** Reissues of a ticket; `last` in seconds since the epoch. */
export interface Reissues {
  readonly count: number;
  readonly last: number;
}

export interface CountRequest {
  /** What is counted; hits under other names, claims and ids are another matter. Never a bare address of a person. */
  readonly name: string;
  /** How long a window is. */
  readonly seconds: number;
  /** How many hits; 0 only asks. */
  readonly by: number;
}

export interface CountAnswer {
  readonly now: number;
  /** Hits within the window, these included. */
  readonly count: number;
  /** When the window ends; `now` without one. */
  readonly resetAt: number;
}

export interface FeedPage {
  readonly disabled: readonly string[];
  readonly next: string;
}

/** A mark that a restored backup must not lose. `at`: when it was set, in seconds since the epoch. */
export type Mark =
  | { readonly kind: 'disabled'; readonly u: string; readonly t: string; readonly at: number }
  | { readonly kind: 'retired'; readonly id: string; readonly at: number };
