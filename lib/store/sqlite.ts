import { epochSeconds } from '../base/clock.ts';
import { checkNames } from '../base/options.ts';
import { SqliteDatabase, type SqliteOptions } from '../databases/sqlite.ts';
import type { SqliteHandle } from '../databases/sqlite-driver.ts';
import { noteBacking } from './backing.ts';
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
import { MIGRATIONS, prepareAll } from './sqlite-schema.ts';
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

export interface SqliteStoreOptions extends SqliteOptions {
  /** The clock: whole seconds since the epoch, one for all processes that share the file. Default: this machine's. */
  readonly now?: () => number;
  /**
   * What is on the disk before an operation resolves. Default `marks`: disabled and retired marks; guesses are with the
   * operating system, so that they outlive a killed process, while a power cut may lose those of the last half minute.
   * `everything`: guesses too, at the price of a disk flush each.
   */
  readonly durable?: 'marks' | 'everything';
}

const PRUNE_EVERY = 64;
const PRUNE_AT_ONCE = 256;

type Sql = ReturnType<typeof prepareAll>;

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
  readonly #database: SqliteDatabase<Sql>;
  readonly #now: () => number;
  #untilPrune = PRUNE_EVERY;

  constructor(database: string | SqliteHandle, options: SqliteStoreOptions = {}) {
    const { now = epochSeconds, durable = 'marks' } = options;
    if (durable !== 'marks' && durable !== 'everything') {
      throw new TypeError("durable must be 'marks' or 'everything'");
    }
    this.#database = new SqliteDatabase(database, options, {
      versions: 'roaming_key_schema',
      migrations: MIGRATIONS,
      prepare: prepareAll,
      isAlwaysDurable: durable === 'everything',
    });
    this.#now = now;
    noteBacking(this, database);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const { id, u, jti, seenUntil } = request;
    return this.#write((sql, now) => {
      const row = sql.known.get(u, id, id, jti, id) as KnownRow;
      const known = { disabled: row.disabled === 1, retired: row.retired === 1, tally: parse(row.tally) };
      const decided = decideReserve({ ...known, seen: (row.seen ?? 0) > now }, request, now);
      if (decided.answer.answer === 'new') return decided.answer;
      sql.take.run(id, jti, seenUntil);
      keep(sql, id, decided.tally, request);
      this.#pruneSometimes(sql, now);
      return decided.answer;
    });
  }

  fail(request: ReservationKey): Promise<FailAnswer> {
    return this.#write((sql, now) => {
      const decided = decideFail(tallyOf(sql, request.id), request, now);
      keep(sql, request.id, decided.tally, request);
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
      keep(sql, id, decided.tally, request);
      return decided.answer;
    }, request.retire || request.reissue);
  }

  release(request: ReservationKey): Promise<void> {
    return this.#write((sql, now) => {
      keep(sql, request.id, decideRelease(tallyOf(sql, request.id), request, now), request);
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
      this.#pruneSometimes(sql, now);
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
      this.#pruneSometimes(sql, now);
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
    for (let rows = -1; rows !== 0; sum += rows) rows = await this.#write(prune);
    return sum;
  }

  async health(): Promise<void> {
    await this.#database.checkFiles();
    await this.#write((sql) => sql.take.run('', '', 0));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #read<T>(act: (sql: Sql) => T): Promise<T> {
    return this.#database.read(act);
  }

  #write<T>(act: (sql: Sql, now: number) => T, durably = false): Promise<T> {
    return this.#database.write(durably ? 'disk' : 'system', (sql) => act(sql, this.#now()));
  }

  #pruneSometimes(sql: Sql, now: number): void {
    this.#untilPrune -= 1;
    if (this.#untilPrune > 0) return;
    this.#untilPrune = PRUNE_EVERY;
    prune(sql, now);
  }
}

function tallyOf(sql: Sql, id: string): Tally | undefined {
  return parse((sql.tally.get(id) as { tally: string } | undefined)?.tally);
}

function keep(sql: Sql, id: string, tally: TallyUpdate, { policy }: ReservationKey): void {
  if (tally) sql.keepTally.run(id, JSON.stringify(tally), emptyAt(tally, policy.window));
  else if (tally === null) sql.dropTally.run(id);
}

function prune(sql: Sql, now: number): number {
  const once = Number(sql.pruneOnce.run(now, PRUNE_AT_ONCE).changes);
  const counters = Number(sql.pruneCounters.run(now, PRUNE_AT_ONCE).changes);
  return once + counters + Number(sql.pruneTallies.run(now, PRUNE_AT_ONCE).changes);
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
