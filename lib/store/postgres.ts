import { checkNames } from '../base/options.ts';
import { type Lock, PostgresDatabase, type PostgresOptions, type Query } from '../databases/postgres.ts';
import { noteBacking } from './backing.ts';
import { checkCount, MAX_COUNT } from './counters.ts';
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
import { MIGRATIONS, type Statements, statements, TABLES } from './postgres-schema.ts';
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

/** `schema` is `roaming_key` by default. */
export interface PostgresStoreOptions extends PostgresOptions {}

const PRUNE_EVERY = 256;
const PRUNE_AT_ONCE = 1024;

/**
 * Keeps everything in PostgreSQL 13 or later: one statement or one short transaction an operation, by the server's clock.
 *
 * What belongs to one id is serialised by an advisory lock, as a row that is not there yet cannot be locked; a success
 * holds the lock of its `u` shared, so that disabling waits for successes in flight; the feed is appended to by one
 * transaction at a time, so that no entry shows up behind a reader. All processes must reach the same primary.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const store = new PostgresStore({ pool: new Pool({ connectionString: 'postgres://localhost/app' }) })
 * await store.init()
 */
export class PostgresStore implements Store {
  readonly #database: PostgresDatabase;
  readonly #sql: Statements;
  #untilPrune = PRUNE_EVERY;

  constructor(options: PostgresStoreOptions) {
    const plan = {
      schema: 'roaming_key',
      versions: 'schema_version',
      migrations: MIGRATIONS,
      tables: TABLES,
      findings,
    };
    this.#database = new PostgresDatabase(options, plan);
    this.#sql = statements(this.#database.schema);
    noteBacking(this, options.pool);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  async reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const { id, u, jti, seenUntil } = request;
    const answer = await this.#database.transaction([idLock(id)], false, async (query) => {
      const { now, known } = await this.#known(query, u, id, jti);
      const decided = decideReserve(known, request, now);
      if (decided.answer.answer === 'new') return decided.answer;
      const tally = this.#tallyRow(id, decided.tally, request);
      if (tally) await query(this.#sql.takeAndKeepTally, [id, jti, seenUntil, ...tally]);
      else await query(this.#sql.take, [id, jti, seenUntil]);
      return decided.answer;
    });
    await this.#pruneSometimes();
    return answer;
  }

  fail(request: ReservationKey): Promise<FailAnswer> {
    return this.#database.transaction([idLock(request.id)], false, async (query) => {
      const { now, tally } = await this.#tally(query, request.id);
      const decided = decideFail(tally, request, now);
      await this.#keep(query, request.id, decided.tally, request);
      return decided.answer;
    });
  }

  settle(request: SettleRequest): Promise<SettleAnswer> {
    const { id, u, jti, retire = false, reissue = false } = request;
    const locks = [idLock(id), { ...uLock(u), shared: true }];
    return this.#database.transaction(locks, retire || reissue, async (query) => {
      const { now, known } = await this.#known(query, u, id, jti);
      const decided = decideSettle(known, request, now);
      if (decided.retire) await query(this.#sql.retire, [[id], [now]]);
      await this.#keep(query, id, decided.tally, request);
      return decided.answer;
    });
  }

  release(request: ReservationKey): Promise<void> {
    return this.#database.transaction([idLock(request.id)], false, async (query) => {
      const { now, tally } = await this.#tally(query, request.id);
      await this.#keep(query, request.id, decideRelease(tally, request, now), request);
    });
  }

  async disable({ u, t }: { readonly u: string; readonly t: string }): Promise<{ readonly isNew: boolean }> {
    const locks = [uLock(u), FEED_LOCK];
    const { rowCount } = await this.#database.transaction(locks, true, (query) =>
      query(this.#sql.disable, [[u], [t], [null], [newTag()]]),
    );
    return { isNew: rowCount === 1 };
  }

  async isDisabled(names: readonly string[]): Promise<boolean> {
    checkNames(names);
    const { rows } = await this.#database.transaction([], false, (query) =>
      query(this.#sql.isDisabled, [names]),
    );
    return (rows[0] as { found: boolean }).found;
  }

  feed({ after, limit }: { readonly after?: string; readonly limit: number }): Promise<FeedPage> {
    return this.#database.transaction([], false, async (query) => {
      const cursor = readCursor(after);
      const at = cursor && (await query(this.#sql.feedTag, [cursor.seq])).rows[0];
      const known = cursor && (at as { tag: string } | undefined)?.tag === cursor.tag ? cursor : undefined;
      const page = (await query(this.#sql.feed, [known?.seq ?? 0, limit])).rows.map(feedEntry);
      const last = page.at(-1) ?? known;
      return { disabled: page.map(({ t }) => t), next: last ? cursorOf(last) : '' };
    });
  }

  async claimOnce({
    name,
    expiresAt,
  }: {
    readonly name: string;
    readonly expiresAt: number;
  }): Promise<boolean> {
    const { rowCount } = await this.#database.transaction([], false, (query) =>
      query(this.#sql.claim, [name, expiresAt]),
    );
    await this.#pruneSometimes();
    return rowCount === 1;
  }

  async count(request: CountRequest): Promise<CountAnswer> {
    checkCount(request);
    const { name, seconds, by } = request;
    const row = await this.#database.transaction([], false, async (query) => {
      const { addHits, takeHits, hits } = this.#sql;
      if (by > 0) return (await query(addHits, [name, seconds, by, MAX_COUNT])).rows[0] as CounterRow;
      const left = by < 0 ? (await query(takeHits, [name, seconds, by])).rows[0] : undefined;
      return (left ?? (await query(hits, [name, seconds])).rows[0]) as CounterRow;
    });
    await this.#pruneSometimes();
    const [now, count] = [Number(row.now), Number(row.count)];
    return { now, count, resetAt: count === 0 ? now : Number(row.until) };
  }

  unlock(id: string): Promise<boolean> {
    return this.#database.transaction([idLock(id)], false, async (query) => {
      const { now, tally } = await this.#tally(query, id, this.#sql.liveTally);
      if (!tally) return false;
      const left = decideUnlock(tally, now);
      if (left) await query(this.#sql.keepTally, [id, JSON.stringify(left), emptyAt(left, 0)]);
      else await query(this.#sql.dropTally, [id]);
      return true;
    });
  }

  forget(id: string): Promise<boolean> {
    return this.#database.transaction([idLock(id)], false, async (query) => {
      const seen = (await query(this.#sql.dropScope, [id])).rowCount ?? 0;
      const tally = (await query(this.#sql.dropTally, [id])).rowCount ?? 0;
      return seen + tally > 0;
    });
  }

  exportMarks(): AsyncIterable<Mark> {
    return mergeMarks(
      async (after) =>
        (
          await this.#database.transaction([], false, (query) => query(this.#sql.feed, [after, EXPORT_PAGE]))
        ).rows.map(feedEntry),
      async (after) =>
        (
          await this.#database.transaction([], false, (query) =>
            query(this.#sql.retired, [after, EXPORT_PAGE]),
          )
        ).rows.map(retiredEntry),
    );
  }

  async importMarks(marks: AsyncIterable<Mark> | Iterable<Mark>): Promise<number> {
    let added = 0;
    for await (const batch of batches(marks)) {
      const disabled = batch.filter((mark) => mark.kind === 'disabled');
      const retired = batch.filter((mark) => mark.kind === 'retired');
      added += await this.#database.transaction([FEED_LOCK], true, async (query) => {
        const rows = [
          disabled.map(({ u }) => u),
          disabled.map(({ t }) => t),
          disabled.map(({ at }) => at),
          disabled.map(() => newTag()),
        ];
        const first = await query(this.#sql.disable, rows);
        const second = await query(this.#sql.retire, [
          retired.map(({ id }) => id),
          retired.map(({ at }) => at),
        ]);
        return (first.rowCount ?? 0) + (second.rowCount ?? 0);
      });
    }
    return added;
  }

  async prune(): Promise<number> {
    let sum = 0;
    for (let rows = -1; rows !== 0; sum += rows) rows = await this.#prune();
    return sum;
  }

  async health(): Promise<void> {
    await this.#database.transaction([], false, (query) => query(this.#sql.take, ['', '', 0]));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #known(query: Query, u: string, id: string, jti: string) {
    const [row] = (await query(this.#sql.known, [u, id, jti])).rows as [KnownRow];
    const now = Number(row.now);
    const { disabled, retired } = row;
    return { now, known: { disabled, retired, seen: Number(row.seen ?? 0) > now, tally: parse(row.tally) } };
  }

  async #tally(query: Query, id: string, text = this.#sql.tally) {
    const [row] = (await query(text, [id])).rows as [Pick<KnownRow, 'now' | 'tally'>];
    return { now: Number(row.now), tally: parse(row.tally) };
  }

  #tallyRow(id: string, tally: TallyUpdate, { policy }: ReservationKey) {
    return tally ? [id, JSON.stringify(tally), emptyAt(tally, policy.window)] : undefined;
  }

  async #keep(query: Query, id: string, tally: TallyUpdate, request: ReservationKey): Promise<void> {
    const row = this.#tallyRow(id, tally, request);
    if (row) await query(this.#sql.keepTally, row);
    else if (tally === null) await query(this.#sql.dropTally, [id]);
  }

  /** What is left over by a failure here goes with the next time. */
  async #pruneSometimes(): Promise<void> {
    this.#untilPrune -= 1;
    if (this.#untilPrune > 0) return;
    this.#untilPrune = PRUNE_EVERY;
    await this.#prune().catch(() => {});
  }

  #prune(): Promise<number> {
    return this.#database.transaction([], false, async (query) => {
      const once = (await query(this.#sql.pruneOnce, [PRUNE_AT_ONCE])).rowCount ?? 0;
      const counters = (await query(this.#sql.pruneCounters, [PRUNE_AT_ONCE])).rowCount ?? 0;
      return once + counters + ((await query(this.#sql.pruneTallies, [PRUNE_AT_ONCE])).rowCount ?? 0);
    });
  }
}

interface KnownRow {
  readonly now: string | number;
  readonly disabled: boolean;
  readonly retired: boolean;
  readonly seen: string | number | null;
  readonly tally: string | null;
}

interface CounterRow {
  readonly now: string | number;
  readonly count: string | number | null;
  readonly until: string | number | null;
}

function parse(tally: string | null): Tally | undefined {
  return tally === null ? undefined : (JSON.parse(tally) as Tally);
}

function feedEntry(row: unknown): FeedEntry {
  const { seq, tag, u, t, at } = row as FeedEntry;
  return { seq: Number(seq), tag, u, t, at: Number(at) };
}

function retiredEntry(row: unknown): RetiredEntry {
  const { seq, id, at } = row as RetiredEntry;
  return { seq: Number(seq), id, at: Number(at) };
}

const FEED_LOCK: Lock = { name: 'feed' };

function idLock(id: string): Lock {
  return { name: `id ${id}` };
}

function uLock(u: string): Lock {
  return { name: `u ${u}` };
}

function findings(settings: Record<string, unknown>): string[] {
  const found: string[] = [];
  if (settings['fsync'] !== 'on') {
    found.push('PostgreSQL may lose or damage everything in a power cut: set fsync = on.');
  }
  if (settings['full_page_writes'] !== 'on') {
    found.push('PostgreSQL may damage tables in a power cut: set full_page_writes = on.');
  }
  if (settings['synchronous_commit'] === 'off') {
    found.push('PostgreSQL may forget the last wrong passwords in a crash: set synchronous_commit = on.');
  }
  return found;
}
