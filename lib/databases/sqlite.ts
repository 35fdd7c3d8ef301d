import { statSync } from 'node:fs';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { wrongOption } from '../base/options.ts';
import { sharedRun } from '../base/shared-run.ts';
import { openSqlite, patiently, type SqliteHandle } from './sqlite-driver.ts';

export interface SqliteOptions {
  /** How long an operation waits for other processes, in milliseconds, before it rejects. Default 5000. */
  readonly busyTimeout?: number;
}

/** What a store keeps in a database. */
export interface SqlitePlan<S> {
  /** The table that holds the schema's version. */
  readonly versions: string;
  /** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
  readonly migrations: readonly string[];
  /** Prepares all statements. */
  readonly prepare: (db: SqliteHandle) => S;
  /** Whether every write is on the disk before it resolves. */
  readonly isAlwaysDurable?: boolean;
}

/**
 * Where a write is when it resolves: with the operating system, on the disk, or on the disk with what it replaced
 * overwritten, in the log too unless another process reads there.
 */
export type Durability = 'system' | 'disk' | 'erased';

/** How many steps one transaction takes at most, so that other processes get their turn. */
const STEPS_AT_ONCE = 64;
const LEVEL = { normal: 1, extra: 3 };
/** How often the files are looked at while nothing needs the disk, in milliseconds. */
const LOOK_EVERY = 1000;

/** An atomic step that waits for its transaction. */
interface Step<S> {
  readonly act: (sql: S) => unknown;
  readonly durability: Durability;
  /** When it was asked for, in milliseconds. */
  readonly since: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** An open database: statements, transactions, and files that must stay in place. */
interface Open<S> {
  readonly db: SqliteHandle;
  readonly sql: S;
  readonly begin: () => void;
  readonly commit: () => void;
  readonly rollBack: () => void;
  /** `PRAGMA synchronous` between transactions. */
  readonly level: number;
  /** The names of the files, and which files they were when the database was opened. */
  readonly files: ReadonlyMap<string, string>;
}

/** One SQLite database of one store: a file that is opened at the first use, or a handle that the app opened. */
export class SqliteDatabase<S> {
  readonly #database: string | SqliteHandle;
  readonly #plan: SqlitePlan<S>;
  readonly #busyTimeout: number;
  readonly #openOnce = sharedRun(() => this.#prepare(), { keep: true });
  #opening: Promise<void> | undefined;
  readonly #waiting: Step<S>[] = [];
  #open: Open<S> | undefined;
  #isClosed = false;
  #isWriting = false;
  #lookedAt = 0;
  #isLost = false;

  /** @throws TypeError naming the option that is wrong */
  constructor(database: string | SqliteHandle, { busyTimeout = 5000 }: SqliteOptions, plan: SqlitePlan<S>) {
    if (typeof database === 'string' ? database === '' : typeof database?.prepare !== 'function') {
      throw wrongOption('database', 'a file name or an open handle', database);
    }
    if (typeof database === 'string' && /^file:/i.test(database)) {
      throw new TypeError('database must be the name of a file, not a file: URI');
    }
    if (!(busyTimeout >= 0 && busyTimeout <= 60_000))
      throw wrongOption('busyTimeout', 'from 0 to 60000 ms', busyTimeout);
    this.#database = database;
    this.#busyTimeout = busyTimeout;
    this.#plan = plan;
  }

  async init(): Promise<void> {
    if (this.#isClosed) throw new Error('the store is closed');
    this.#opening = this.#openOnce();
    await this.#opening;
  }

  async read<T>(act: (sql: S) => T): Promise<T> {
    if (!this.#open) await this.init();
    // A caller that reads again and again must not keep writes waiting.
    await new Promise(setImmediate);
    return patiently(this.#busyTimeout, () => {
      const open = this.#opened();
      this.#lookAfter(open, false);
      return act(open.sql);
    });
  }

  /**
   * One atomic step. Steps that are asked for at about the same time share a transaction, whose cost is most of theirs;
   * none of them resolves before it is committed.
   *
   * @param act decides before it writes: a RoamingKeyError that it throws rejects this step alone
   */
  async write<T>(durability: Durability, act: (sql: S) => T): Promise<T> {
    if (!this.#open) await this.init();
    return new Promise<T>((resolve, reject) => {
      const since = performance.now();
      this.#waiting.push({ act, durability, since, resolve: resolve as (result: unknown) => void, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      setImmediate(() => void this.#writeAll());
    });
  }

  /**
   * Rejects where the files are no longer those that were opened: what is written to a deleted or replaced file is gone
   * with the process.
   */
  async checkFiles(): Promise<void> {
    if (!this.#open) await this.init();
    this.#lookAfter(this.#opened(), true);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    const open = this.#open;
    this.#open = undefined;
    if (typeof this.#database !== 'string' || !open) return;
    emptyLog(open.db);
    open.db.close();
  }

  async #prepare(): Promise<void> {
    const own = typeof this.#database === 'string';
    const db = typeof this.#database === 'string' ? await openSqlite(this.#database) : this.#database;
    try {
      await patiently(this.#busyTimeout, () => {
        if (own) db.exec('PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216');
        this.#migrate(db);
      });
      const least = this.#plan.isAlwaysDurable ? LEVEL.extra : LEVEL.normal;
      const level = own ? least : Math.max(setting(db, 'synchronous'), least);
      db.exec(`PRAGMA synchronous = ${level}`);
      const [begin, commit, rollback] = ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'].map((text) =>
        db.prepare(text),
      );
      const rollBack = () => {
        try {
          rollback?.run();
        } catch {
          // SQLite has rolled back by itself, as it does when the disk is full.
        }
      };
      this.#open = {
        db,
        sql: this.#plan.prepare(db),
        begin: () => begin?.run(),
        commit: () => commit?.run(),
        rollBack,
        level,
        files: filesOf(db, own),
      };
    } catch (error) {
      if (own) db.close();
      throw error;
    }
  }

  #migrate(db: SqliteHandle): void {
    const { versions, migrations } = this.#plan;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(`CREATE TABLE IF NOT EXISTS ${versions} (version INTEGER NOT NULL)`);
      const row = db.prepare(`SELECT version FROM ${versions}`).get() as { version: number } | undefined;
      const version = row?.version ?? 0;
      if (version > migrations.length)
        throw new Error(`the store's schema has version ${version}; this package knows ${migrations.length}`);
      if (version < migrations.length) {
        for (const step of migrations.slice(version)) db.exec(step);
        db.exec(`DELETE FROM ${versions}; INSERT INTO ${versions} (version) VALUES (${migrations.length})`);
      }
      db.exec('COMMIT');
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  }

  #opened(): Open<S> {
    if (!this.#open) throw new Error('the store is closed');
    return this.#open;
  }

  #lookAfter({ files }: Open<S>, now: boolean): void {
    const time = performance.now();
    if (!this.#isLost && (now || time - this.#lookedAt >= LOOK_EVERY)) {
      this.#lookedAt = time;
      for (const [file, identity] of files) if (identityOf(file) !== identity) this.#isLost = true;
    }
    if (this.#isLost) {
      const [file] = files.keys();
      throw new RoamingKeyError('unavailable', `${file} was deleted or replaced while it was open: restart`);
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#commit(this.#waiting.splice(0, STEPS_AT_ONCE));
      // What these steps' callers do next may belong to the next transaction.
      if (this.#waiting.length > 0) await new Promise(setImmediate);
    }
    this.#isWriting = false;
  }

  async #commit(steps: readonly Step<S>[]): Promise<void> {
    const [first] = steps as readonly [Step<S>, ...Step<S>[]];
    const waited = performance.now() - first.since;
    try {
      const outcomes = await patiently(this.#busyTimeout - waited, () => this.#transaction(steps));
      for (const settle of outcomes) settle();
    } catch (error) {
      if (steps.length === 1) first.reject(error);
      // A step that cannot be done must not take the others with it.
      else for (const step of steps) await this.#commit([step]);
    }
  }

  /** @returns what settles each step, once all is committed */
  #transaction(steps: readonly Step<S>[]): readonly (() => void)[] {
    const open = this.#opened();
    const { db, sql, level } = open;
    const isDurable = steps.some(({ durability }) => durability !== 'system');
    const isErasing = steps.some(({ durability }) => durability === 'erased');
    const raised = [
      ...(isDurable && level < LEVEL.extra
        ? [{ name: 'synchronous', value: LEVEL.extra, before: level }]
        : []),
      ...(isErasing ? [{ name: 'secure_delete', value: 1, before: setting(db, 'secure_delete') }] : []),
    ];
    this.#lookAfter(open, false);
    for (const { name, value } of raised) db.exec(`PRAGMA ${name} = ${value}`);
    try {
      open.begin();
      try {
        const outcomes = steps.map(({ act, resolve, reject }) => {
          try {
            const result = act(sql);
            return () => resolve(result);
          } catch (error) {
            if (!isRoamingKeyError(error)) throw error;
            return () => reject(error);
          }
        });
        open.commit();
        // What was written durably must be in the file that is found at the next start.
        if (isDurable) this.#lookAfter(open, true);
        return outcomes;
      } catch (error) {
        open.rollBack();
        throw error;
      }
    } finally {
      for (const { name, before } of raised) db.exec(`PRAGMA ${name} = ${before}`);
      if (isErasing) emptyLog(db);
    }
  }
}

function setting(db: SqliteHandle, name: string): number {
  return (db.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name] as number;
}

/** Moves everything from the log into the database; what was overwritten stands in the log until then. */
function emptyLog(db: SqliteHandle): void {
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // Another process reads there; the next change, or the last process that closes the file, does it.
  }
}

/**
 * The database's file and, where the store decides over them, its log and the log's index.
 *
 * @throws RoamingKeyError `unavailable` where the file is gone already
 */
function filesOf(db: SqliteHandle, own: boolean): ReadonlyMap<string, string> {
  const rows = db.prepare('PRAGMA database_list').all() as { name: string; file: string | null }[];
  const file = rows.find(({ name }) => name === 'main')?.file;
  if (!file) return new Map();
  const names = own ? [file, `${file}-wal`, `${file}-shm`] : [file];
  const found = new Map<string, string>();
  for (const name of names) {
    const identity = identityOf(name);
    if (identity) found.set(name, identity);
  }
  if (!found.has(file)) throw new RoamingKeyError('unavailable', `${file} was deleted while it was open`);
  return found;
}

/** Device and inode of a file; empty where it is missing. */
function identityOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev} ${found.ino}` : '';
}
