import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError } from '../base/errors.ts';
import { checkNames } from '../base/options.ts';
import { openSqlite, patiently, type SqliteHandle } from '../databases/sqlite-driver.ts';
import { backedBy } from './backing.ts';
import { type Counter, checkCount, counted } from './counters.ts';
import {
  decideFail,
  decideRelease,
  decideReserve,
  decideSettle,
  decideUnlock,
  emptyAt,
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
import { migrate, prepareAll } from './sqlite-schema.ts';
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

export interface SqliteStoreOptions {
  /** The clock: whole seconds since the epoch, one for all processes that share the file. Default: this machine's. */
  readonly now?: () => number;
  /** How long an operation waits for other processes, in milliseconds, before it rejects. Default 5000. */
  readonly busyTimeout?: number;
  /**
   * What is on the disk before an operation resolves. Default `marks`: disabled and retired marks; guesses are with the
   * operating system, so that they outlive a killed process, while a power cut may lose those of the last half minute.
   * `everything`: guesses too, at the price of a disk flush each.
   */
  readonly durable?: 'marks' | 'everything';
}

const PRUNE_EVERY = 64;
const PRUNE_AT_ONCE = 256;
const LEVEL = { normal: 1, extra: 3 };
/** How many steps one transaction takes at most, so that other processes get their turn. */
const STEPS_AT_ONCE = 64;

type Act<T> = (sql: ReturnType<typeof prepareAll>, now: number) => T;

/** An atomic step that waits for its transaction. */
interface Step {
  readonly act: Act<unknown>;
  readonly durably: boolean;
  /** When it was asked for, in milliseconds. */
  readonly since: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keeps everything in one SQLite file: the store for one machine, with any number of processes.
 *
 * Uses node:sqlite where the runtime has it, else libsql. A file that it creates is readable by its owner alone and is
 * in WAL mode, which network file systems do not support. A handle that the app opened keeps the app's settings. One
 * process must not open one file with both libraries: their locks do not see each other.
 *
 * @param database a file name, or an open handle of node:sqlite (`DatabaseSync`) or libsql (`Database`)
 * @throws TypeError naming the option that is wrong
 * @example
 * const store = new SqliteStore('/var/lib/app/roaming-key.db')
 * await store.init()
 */
export class SqliteStore implements Store {
  readonly #database: string | SqliteHandle;
  readonly #now: () => number;
  readonly #busyTimeout: number;
  readonly #durable: 'marks' | 'everything';
  #opening: Promise<void> | undefined;
  #db: SqliteHandle | undefined;
  #sql: ReturnType<typeof prepareAll> | undefined;
  #level = LEVEL.normal;
  #untilPrune = PRUNE_EVERY;
  #isClosed = false;
  readonly #waiting: Step[] = [];
  #isWriting = false;

  constructor(database: string | SqliteHandle, options: SqliteStoreOptions = {}) {
    const { now = epochSeconds, busyTimeout = 5000, durable = 'marks' } = options;
    if (typeof database === 'string' ? database === '' : typeof database?.prepare !== 'function') {
      throw new TypeError('database must be a file name or an open handle');
    }
    if (!(busyTimeout >= 0 && busyTimeout <= 60_000))
      throw new TypeError('busyTimeout must be from 0 to 60000 ms');
    if (durable !== 'marks' && durable !== 'everything') {
      throw new TypeError("durable must be 'marks' or 'everything'");
    }
    this.#database = database;
    this.#now = now;
    this.#busyTimeout = busyTimeout;
    this.#durable = durable;
    backedBy(this, database);
  }

  async init(): Promise<void> {
    if (this.#isClosed) throw new Error('The store is closed.');
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
  }

  reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const { id, u, jti, seenUntil } = request;
    return this.#write((sql, now) => {
      const row = sql.known.get(u, id, id, jti, id) as KnownRow;
      const known = { disabled: row.disabled === 1, retired: row.retired === 1, tally: parse(row.tally) };
      const decided = decideReserve({ ...known, seen: (row.seen ?? 0) > now }, request, now);
      if (decided.answer.answer === 'new') return decided.answer;
      sql.take.run(id, jti, seenUntil);
      this.#keep(id, decided.tally, request);
      this.#pruneSometimes(now);
      return decided.answer;
    });
  }

  fail(request: ReservationKey): Promise<FailAnswer> {
    return this.#write((_, now) => {
      const decided = decideFail(this.#tally(request.id), request, now);
      this.#keep(request.id, decided.tally, request);
      return decided.answer;
    });
  }

  settle(request: SettleRequest): Promise<SettleAnswer> {
    const { id, u, jti } = request;
    return this.#write((sql, now) => {
      const row = sql.known.get(u, id, id, jti, id) as KnownRow;
      const known = { disabled: row.disabled === 1, retired: row.retired === 1, tally: parse(row.tally) };
      const decided = decideSettle(known, request, now);
      if (decided.retire) sql.retire.run(id, now);
      this.#keep(id, decided.tally, request);
      return decided.answer;
    }, request.retire || request.reissue);
  }

  release(request: ReservationKey): Promise<void> {
    return this.#write((_, now) => {
      this.#keep(request.id, decideRelease(this.#tally(request.id), request, now), request);
    });
  }

  disable({ u, t }: { readonly u: string; readonly t: string }): Promise<{ readonly isNew: boolean }> {
    return this.#write((sql, now) => ({ isNew: changed(sql.disable.run(u, t, now, newTag())) }), true);
  }

  async isDisabled(names: readonly string[]): Promise<boolean> {
    checkNames(names);
    return this.#read((sql) => (sql.isDisabled.get(JSON.stringify(names)) as { found: number }).found === 1);
  }

  feed({ after, limit }: { readonly after?: string; readonly limit: number }): Promise<FeedPage> {
    return this.#read((sql) => {
      const cursor = readCursor(after);
      const at = cursor && (sql.feedTag.get(cursor.seq) as { tag: string } | undefined);
      const known = cursor && at?.tag === cursor.tag ? cursor : undefined;
      const page = sql.feed.all(known?.seq ?? 0, limit) as FeedEntry[];
      const last = page.at(-1) ?? known;
      return { disabled: page.map(({ t }) => t), next: last ? cursorOf(last) : '' };
    });
  }

  claimOnce({ name, expiresAt }: { readonly name: string; readonly expiresAt: number }): Promise<boolean> {
    return this.#write((sql, now) => {
      const taken = sql.isTaken.get('', name) as { until: number } | undefined;
      if (expiresAt <= now || (taken && taken.until > now)) return false;
      sql.take.run('', name, expiresAt);
      this.#pruneSometimes(now);
      return true;
    });
  }

  async count(request: CountRequest): Promise<CountAnswer> {
    checkCount(request);
    const { name, by } = request;
    return this.#write((sql, now) => {
      const { count, until } = counted(sql.counter.get(name, now) as Counter | undefined, request, now);
      if (count === 0) sql.dropCounter.run(name);
      else if (by !== 0) sql.keepCounter.run(name, count, until);
      this.#pruneSometimes(now);
      return { now, count, resetAt: until };
    });
  }

  unlock(id: string): Promise<boolean> {
    return this.#write((sql, now) => {
      const kept = parse((sql.liveTally.get(id, now) as { tally: string } | undefined)?.tally);
      if (!kept) return false;
      const tally = decideUnlock(kept, now);
      if (tally) sql.keepTally.run(id, JSON.stringify(tally), emptyAt(tally, 0));
      else sql.dropTally.run(id);
      return true;
    });
  }

  forget(id: string): Promise<boolean> {
    return this.#write((sql) => {
      const seen = changed(sql.dropScope.run(id));
      return changed(sql.dropTally.run(id)) || seen;
    });
  }

  exportMarks(): AsyncIterable<Mark> {
    return mergeMarks(
      (after) => this.#read((sql) => sql.feed.all(after, EXPORT_PAGE) as FeedEntry[]),
      (after) => this.#read((sql) => sql.retired.all(after, EXPORT_PAGE) as RetiredEntry[]),
    );
  }

  async importMarks(marks: AsyncIterable<Mark> | Iterable<Mark>): Promise<number> {
    let added = 0;
    for await (const batch of batches(marks)) {
      added += await this.#write(
        (sql) =>
          batch.filter((mark) =>
            changed(
              mark.kind === 'disabled'
                ? sql.disable.run(mark.u, mark.t, mark.at, newTag())
                : sql.retire.run(mark.id, mark.at),
            ),
          ).length,
        true,
      );
    }
    return added;
  }

  async prune(): Promise<number> {
    let sum = 0;
    for (let rows = -1; rows !== 0; sum += rows) rows = await this.#write((_, now) => this.#prune(now));
    return sum;
  }

  async health(): Promise<void> {
    await this.#write((sql) => sql.take.run('', '', 0));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    if (typeof this.#database === 'string' && this.#sql) {
      try {
        this.#db?.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      } catch {
        // Whoever opens the file next does it.
      }
      this.#db?.close();
    }
    this.#sql = undefined;
    this.#db = undefined;
  }

  async #open(): Promise<void> {
    const own = typeof this.#database === 'string';
    const db = typeof this.#database === 'string' ? await openSqlite(this.#database) : this.#database;
    try {
      await patiently(this.#busyTimeout, () => {
        if (own) db.exec('PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216');
        migrate(db);
      });
      const given = db.prepare('PRAGMA synchronous').get() as { synchronous: number };
      const least = this.#durable === 'everything' ? LEVEL.extra : LEVEL.normal;
      this.#level = own ? least : Math.max(given.synchronous, least);
      db.exec(`PRAGMA synchronous = ${this.#level}`);
      this.#sql = prepareAll(db);
      this.#db = db;
    } catch (error) {
      if (own) db.close();
      throw error;
    }
  }

  async #read<T>(act: (sql: ReturnType<typeof prepareAll>) => T): Promise<T> {
    if (!this.#sql) await this.init();
    // Whoever reads again and again must not keep everybody's writes waiting.
    await new Promise(setImmediate);
    return patiently(this.#busyTimeout, () => act(this.#statements()));
  }

  /**
   * One atomic step. Steps that are asked for at about the same time share a transaction, whose cost is most of theirs;
   * none of them resolves before it is committed.
   *
   * @param act decides before it writes: what it throws then is its own affair, and not that of the others
   */
  async #write<T>(act: Act<T>, durably = false): Promise<T> {
    if (!this.#sql) await this.init();
    return new Promise<T>((resolve, reject) => {
      const since = performance.now();
      this.#waiting.push({ act, durably, since, resolve: resolve as (result: unknown) => void, reject });
      if (!this.#isWriting) {
        this.#isWriting = true;
        setImmediate(() => void this.#writeAll());
      }
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#commit(this.#waiting.splice(0, STEPS_AT_ONCE));
      // What these steps' callers do next may belong to the next transaction.
      if (this.#waiting.length > 0) await new Promise(setImmediate);
    }
    this.#isWriting = false;
  }

  async #commit(steps: readonly Step[]): Promise<void> {
    const [first] = steps as readonly [Step, ...Step[]];
    const raise = this.#level < LEVEL.extra && steps.some(({ durably }) => durably);
    const waited = performance.now() - first.since;
    try {
      const outcomes = await patiently(this.#busyTimeout - waited, () => this.#transaction(steps, raise));
      for (const settle of outcomes) settle();
    } catch (error) {
      if (steps.length === 1) first.reject(error);
      // One that cannot be done must not take the others with it.
      else for (const step of steps) await this.#commit([step]);
    }
  }

  /** @returns what is to be told to whom, once all is committed */
  #transaction(steps: readonly Step[], raise: boolean): readonly (() => void)[] {
    const sql = this.#statements();
    if (raise) this.#db?.exec(`PRAGMA synchronous = ${LEVEL.extra}`);
    try {
      sql.begin.run();
      try {
        const now = this.#now();
        const outcomes = steps.map(({ act, resolve, reject }) => {
          try {
            const result = act(sql, now);
            return () => resolve(result);
          } catch (error) {
            if (!isRoamingKeyError(error)) throw error;
            return () => reject(error);
          }
        });
        sql.commit.run();
        return outcomes;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    } finally {
      if (raise) this.#db?.exec(`PRAGMA synchronous = ${this.#level}`);
    }
  }

  /** SQLite rolls back by itself after some errors, a full disk among them; then there is nothing left to do. */
  #rollBack(): void {
    try {
      this.#statements().rollback.run();
    } catch {}
  }

  #statements(): ReturnType<typeof prepareAll> {
    if (!this.#sql) throw new Error('The store is closed.');
    return this.#sql;
  }

  #tally(id: string): Tally | undefined {
    return parse((this.#statements().tally.get(id) as { tally: string } | undefined)?.tally);
  }

  #keep(id: string, tally: TallyUpdate, { policy }: ReservationKey): void {
    const sql = this.#statements();
    if (tally) sql.keepTally.run(id, JSON.stringify(tally), emptyAt(tally, policy.window));
    else if (tally === null) sql.dropTally.run(id);
  }

  #pruneSometimes(now: number): void {
    this.#untilPrune -= 1;
    if (this.#untilPrune > 0) return;
    this.#untilPrune = PRUNE_EVERY;
    this.#prune(now);
  }

  #prune(now: number): number {
    const sql = this.#statements();
    const once = Number(sql.pruneOnce.run(now, PRUNE_AT_ONCE).changes);
    const counters = Number(sql.pruneCounters.run(now, PRUNE_AT_ONCE).changes);
    return once + counters + Number(sql.pruneTallies.run(now, PRUNE_AT_ONCE).changes);
  }
}

interface KnownRow {
  readonly disabled: number;
  readonly retired: number;
  readonly seen: number | null;
  readonly tally: string | null;
}

function parse(tally: string | null | undefined): Tally | undefined {
  return tally ? (JSON.parse(tally) as Tally) : undefined;
}

function changed(result: { readonly changes: number | bigint }): boolean {
  return Number(result.changes) > 0;
}
