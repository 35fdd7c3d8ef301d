import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { checkNames, wholeNumber } from '../base/options.ts';
import { Counters } from './counters.ts';
import {
  decideFail,
  decideRelease,
  decideReserve,
  decideSettle,
  decideUnlock,
  emptyAt,
  isOnlyUse,
  type Tally,
  type TallyUpdate,
} from './ledger.ts';
import {
  batches,
  cursorOf,
  EXPORT_PAGE,
  type FeedEntry,
  mergeMarks,
  newTag,
  type RetiredEntry,
  readCursor,
} from './marks.ts';
import { OnceSet } from './once.ts';
import type {
  CountAnswer,
  CountRequest,
  FailAnswer,
  FeedPage,
  Mark,
  ReservationKey,
  ReserveAnswer,
  ReserveRequest,
  SettleAnswer,
  SettleRequest,
  Store,
} from './store.ts';

export interface MemoryStoreOptions {
  /** The clock: whole seconds since the epoch. Default: this machine's. */
  readonly now?: () => number;
  /**
   * How many ids are kept. Default 100000. When it is full, those that are known by a success alone make room, the ones
   * that were used longest ago first.
   */
  readonly maxIds?: number;
  /** How many seen requests, and how many claims, are kept. Default 1000000. */
  readonly maxSeen?: number;
  /** How many names are counted at a time. Default 1000000. */
  readonly maxCounters?: number;
  /** How many disabled, and how many retired, marks are kept. Default 1000000. */
  readonly maxMarks?: number;
}

/**
 * Keeps everything in the memory of one process: the reference for {@link Store}, for tests and for trying things out.
 *
 * Disabled marks are gone when the process ends, so this is no store for production. When it is full it rejects.
 *
 * @throws TypeError naming the option that is not a whole positive number
 */
export class MemoryStore implements Store {
  readonly #now: () => number;
  readonly #maxIds: number;
  readonly #maxMarks: number;
  readonly #seen: OnceSet;
  readonly #claims: OnceSet;
  readonly #counters: Counters;
  readonly #tallies = new Map<string, { readonly tally: Tally; readonly emptyAt: number | null }>();
  readonly #disabled = new Set<string>();
  readonly #feed: FeedEntry[] = [];
  readonly #retired = new Map<string, RetiredEntry>();
  #swept = 0;

  constructor(options: MemoryStoreOptions = {}) {
    const { now = epochSeconds, maxIds = 100_000, maxSeen = 1_000_000, maxMarks = 1_000_000 } = options;
    const { maxCounters = 1_000_000 } = options;
    for (const [name, value] of Object.entries({ maxIds, maxSeen, maxCounters, maxMarks }))
      wholeNumber(name, value, 1);
    this.#now = now;
    this.#maxIds = maxIds;
    this.#maxMarks = maxMarks;
    this.#seen = new OnceSet(maxSeen);
    this.#claims = new OnceSet(maxSeen);
    this.#counters = new Counters(maxCounters, now);
  }

  async init(): Promise<void> {}

  async reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const now = this.#now();
    const { id, u, jti, seenUntil } = request;
    const name = `${id} ${jti}`;
    const decided = decideReserve({ ...this.#known(id, u), seen: this.#seen.has(name, now) }, request, now);
    if (decided.answer.answer === 'new') return decided.answer;
    this.#seen.makeRoom(now);
    this.#keep(id, decided.tally, request, now);
    this.#seen.add(name, seenUntil);
    return decided.answer;
  }

  async fail(request: ReservationKey): Promise<FailAnswer> {
    const now = this.#now();
    const decided = decideFail(this.#tallies.get(request.id)?.tally, request, now);
    this.#keep(request.id, decided.tally, request, now);
    return decided.answer;
  }

  async settle(request: SettleRequest): Promise<SettleAnswer> {
    const now = this.#now();
    const decided = decideSettle(this.#known(request.id, request.u), request, now);
    if (decided.retire) this.#retire(request.id, now);
    this.#keep(request.id, decided.tally, request, now);
    return decided.answer;
  }

  async release(request: ReservationKey): Promise<void> {
    const now = this.#now();
    this.#keep(request.id, decideRelease(this.#tallies.get(request.id)?.tally, request, now), request, now);
  }

  async disable({ u, t }: { readonly u: string; readonly t: string }): Promise<{ readonly isNew: boolean }> {
    return { isNew: this.#disable(u, t, this.#now()) };
  }

  async isDisabled(names: readonly string[]): Promise<boolean> {
    checkNames(names);
    return names.some((u) => this.#disabled.has(u));
  }

  async feed({ after, limit }: { readonly after?: string; readonly limit: number }): Promise<FeedPage> {
    const cursor = readCursor(after);
    const isKnown = cursor !== undefined && this.#feed[cursor.seq - 1]?.tag === cursor.tag;
    const start = isKnown ? cursor.seq : 0;
    const page = this.#feed.slice(start, start + limit);
    const last = page.at(-1);
    return { disabled: page.map(({ t }) => t), next: last ? cursorOf(last) : isKnown ? (after ?? '') : '' };
  }

  async claimOnce({
    name,
    expiresAt,
  }: {
    readonly name: string;
    readonly expiresAt: number;
  }): Promise<boolean> {
    const now = this.#now();
    if (expiresAt <= now || this.#claims.has(name, now)) return false;
    this.#claims.makeRoom(now);
    this.#claims.add(name, expiresAt);
    return true;
  }

  count(request: CountRequest): Promise<CountAnswer> {
    return this.#counters.count(request);
  }

  async unlock(id: string): Promise<boolean> {
    const now = this.#now();
    const kept = this.#tallies.get(id);
    if (!kept || (kept.emptyAt !== null && kept.emptyAt <= now)) return false;
    const tally = decideUnlock(kept.tally, now);
    if (tally) this.#tallies.set(id, { tally, emptyAt: emptyAt(tally, 0) });
    else this.#tallies.delete(id);
    return true;
  }

  async forget(id: string): Promise<boolean> {
    const seen = this.#seen.delete((name) => name.startsWith(`${id} `));
    return this.#tallies.delete(id) || seen > 0;
  }

  exportMarks(): AsyncIterable<Mark> {
    const retired = [...this.#retired.values()];
    return mergeMarks(
      async (after) => this.#feed.slice(after, after + EXPORT_PAGE),
      async (after) => retired.slice(after, after + EXPORT_PAGE),
    );
  }

  async importMarks(marks: AsyncIterable<Mark> | Iterable<Mark>): Promise<number> {
    let added = 0;
    for await (const batch of batches(marks)) {
      for (const mark of batch) {
        const isNew =
          mark.kind === 'disabled' ? this.#disable(mark.u, mark.t, mark.at) : this.#retire(mark.id, mark.at);
        if (isNew) added += 1;
      }
    }
    return added;
  }

  async prune(): Promise<number> {
    const now = this.#now();
    const once = this.#seen.sweep(now) + this.#claims.sweep(now);
    return once + this.#counters.sweep(now) + this.#sweepTallies(now);
  }

  async health(): Promise<void> {}

  async close(): Promise<void> {}

  #known(id: string, u: string) {
    return {
      disabled: this.#disabled.has(u),
      retired: this.#retired.has(id),
      tally: this.#tallies.get(id)?.tally,
    };
  }

  #keep(id: string, tally: TallyUpdate, { policy }: ReservationKey, now: number): void {
    if (tally === undefined) return;
    if (tally === null) {
      this.#tallies.delete(id);
      return;
    }
    if (!this.#tallies.has(id) && this.#tallies.size >= this.#maxIds) {
      if (this.#swept !== now) this.#sweepTallies(now);
      if (this.#tallies.size >= this.#maxIds) throw new RoamingKeyError('unavailable', 'the store is full');
    }
    // At the end of the map, which is in the order of use.
    this.#tallies.delete(id);
    this.#tallies.set(id, { tally, emptyAt: emptyAt(tally, policy.window) });
  }

  #sweepTallies(now: number): number {
    const before = this.#tallies.size;
    this.#swept = now;
    for (const [id, kept] of this.#tallies) {
      if (kept.emptyAt !== null && kept.emptyAt <= now) this.#tallies.delete(id);
    }
    if (this.#tallies.size >= this.#maxIds) this.#makeRoom();
    return before - this.#tallies.size;
  }

  #makeRoom(): void {
    const enough = this.#maxIds * 0.9;
    for (const [id, { tally }] of this.#tallies) {
      if (this.#tallies.size <= enough) return;
      if (isOnlyUse(tally)) this.#tallies.delete(id);
    }
  }

  #disable(u: string, t: string, at: number): boolean {
    if (this.#disabled.has(u)) return false;
    if (this.#disabled.size >= this.#maxMarks) throw new RoamingKeyError('unavailable', 'the store is full');
    this.#disabled.add(u);
    this.#feed.push({ seq: this.#feed.length + 1, tag: newTag(), u, t, at });
    return true;
  }

  #retire(id: string, at: number): boolean {
    if (this.#retired.has(id)) return false;
    if (this.#retired.size >= this.#maxMarks) throw new RoamingKeyError('unavailable', 'the store is full');
    this.#retired.set(id, { seq: this.#retired.size + 1, id, at });
    return true;
  }
}
