import { epochSeconds } from '../../base/clock.ts';
import { openSqlite, patiently, type SqliteHandle } from '../../databases/sqlite-driver.ts';
import { backedBy } from '../../store/backing.ts';
import {
  FETCHES_KEPT,
  type FetchRequest,
  type FoundRecord,
  type PutRequest,
  type RecordFetch,
  type RecordStore,
  type StoredRecord,
} from './record-store.ts';

export interface SqliteRecordStoreOptions {
  /** The clock: whole seconds since the epoch, one for all processes that share the file. Default: this machine's. */
  readonly now?: () => number;
  /** How long an operation waits for other processes, in milliseconds, before it rejects. Default 5000. */
  readonly busyTimeout?: number;
}

/** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
const MIGRATIONS = [
  `
  CREATE TABLE roaming_records (owner TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, u TEXT NOT NULL, kid TEXT NOT NULL,
    record TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX roaming_records_u ON roaming_records (u);
  CREATE INDEX roaming_records_kid ON roaming_records (kid);
  CREATE TABLE roaming_fetches (seq INTEGER PRIMARY KEY, owner TEXT NOT NULL, at INTEGER NOT NULL, address TEXT NOT NULL);
  CREATE INDEX roaming_fetches_owner ON roaming_fetches (owner, seq);
  `,
];

/**
 * Keeps records in an SQLite file: for one machine, with any number of processes. It may be the file, or the handle,
 * of another store of the same app, but not of the assistant's.
 *
 * What is deleted or replaced is overwritten (`secure_delete`), in the log too as soon as no process reads there. A handle
 * that the app opened keeps the app's settings.
 *
 * @param database a file name, or an open handle of node:sqlite (`DatabaseSync`) or libsql (`Database`)
 * @throws TypeError naming the option that is wrong
 * @example
 * const records = new SqliteRecordStore('/var/lib/app/records.db')
 */
export class SqliteRecordStore implements RecordStore {
  readonly #database: string | SqliteHandle;
  readonly #now: () => number;
  readonly #busyTimeout: number;
  #opening: Promise<void> | undefined;
  #db: SqliteHandle | undefined;
  #sql: ReturnType<typeof prepareAll> | undefined;
  #isClosed = false;

  constructor(database: string | SqliteHandle, options: SqliteRecordStoreOptions = {}) {
    const { now = epochSeconds, busyTimeout = 5000 } = options;
    if (typeof database === 'string' ? database === '' : typeof database?.prepare !== 'function')
      throw new TypeError('database must be a file name or an open handle');
    if (!(busyTimeout >= 0 && busyTimeout <= 60_000))
      throw new TypeError('busyTimeout must be from 0 to 60000 ms');
    this.#database = database;
    this.#now = now;
    this.#busyTimeout = busyTimeout;
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

  put({ owner, key, u, kid, record, keepKey = false, replaces }: PutRequest) {
    return this.#change((sql, now) => {
      const old = sql.ofOwner.get(owner) as { key: string; record: string } | undefined;
      if (replaces !== undefined && !old?.record.startsWith(replaces)) return 'absent';
      const keeps = keepKey && old !== undefined;
      const inForce = keeps ? old.key : key;
      const holder = sql.holder.get(inForce) as { owner: string } | undefined;
      if (holder && holder.owner !== owner) return 'taken';
      sql.put.run(owner, inForce, u, kid, record, now);
      return keeps ? 'kept' : 'stored';
    });
  }

  fetch({ key, otherwise, stranger, address }: FetchRequest): Promise<FoundRecord | undefined> {
    return this.#write((sql, now) => {
      const found = sql.fetch.get(key, key, otherwise) as (FoundRecord & { owner: string }) | undefined;
      if (!found) return undefined;
      const owner = found.key === key ? found.owner : stranger;
      sql.note.run(owner, now, address);
      sql.forget.run(owner, owner, FETCHES_KEPT);
      return { key: found.key, u: found.u, record: found.record };
    });
  }

  find(owner: string): Promise<StoredRecord | undefined> {
    return this.#read((sql) => {
      const row = sql.find.get(owner) as StoredRecord | undefined;
      return row && { u: row.u, kid: row.kid, at: row.at };
    });
  }

  fetches(owner: string): Promise<readonly RecordFetch[]> {
    return this.#read((sql) =>
      (sql.fetches.all(owner, FETCHES_KEPT) as RecordFetch[]).map(({ at, address }) => ({ at, address })),
    );
  }

  delete(owner: string): Promise<boolean> {
    return this.#change((sql) => remove(sql, owner));
  }

  deleteNamed(u: string): Promise<number> {
    return this.#change((sql) => {
      const owners = sql.owners.all(u) as { owner: string }[];
      return owners.filter(({ owner }) => remove(sql, owner)).length;
    });
  }

  names({ after, limit }: { readonly after: string; readonly limit: number }): Promise<readonly string[]> {
    return this.#read((sql) => (sql.names.all(after, limit) as { u: string }[]).map(({ u }) => u));
  }

  async health(): Promise<void> {
    await this.find('');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => {});
    if (typeof this.#database === 'string' && this.#sql) {
      this.#cleanLog();
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
        if (own) db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
        migrate(db);
      });
      this.#sql = prepareAll(db);
      this.#db = db;
    } catch (error) {
      if (own) db.close();
      throw error;
    }
  }

  #statements(): ReturnType<typeof prepareAll> {
    if (!this.#sql) throw new Error('The store is closed.');
    return this.#sql;
  }

  async #read<T>(act: (sql: ReturnType<typeof prepareAll>) => T): Promise<T> {
    if (!this.#sql) await this.init();
    return patiently(this.#busyTimeout, () => act(this.#statements()));
  }

  async #write<T>(act: (sql: ReturnType<typeof prepareAll>, now: number) => T): Promise<T> {
    if (!this.#sql) await this.init();
    return patiently(this.#busyTimeout, () => this.#transaction(act));
  }

  /** Changes what is stored: on the disk before this resolves, and what was there before overwritten. */
  async #change<T>(act: (sql: ReturnType<typeof prepareAll>, now: number) => T): Promise<T> {
    if (!this.#sql) await this.init();
    const db = this.#db as SqliteHandle;
    const result = await patiently(this.#busyTimeout, () => {
      const before = SETTINGS.map((name) => `PRAGMA ${name} = ${readSetting(db, name)}`).join('; ');
      db.exec('PRAGMA secure_delete = ON; PRAGMA synchronous = EXTRA');
      try {
        return this.#transaction(act);
      } finally {
        db.exec(before);
      }
    });
    this.#cleanLog();
    return result;
  }

  /** What was overwritten still stands in the log until that is emptied. */
  #cleanLog(): void {
    try {
      this.#db?.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A process reads the log now. The next change, or the last close, empties it.
    }
  }

  #transaction<T>(act: (sql: ReturnType<typeof prepareAll>, now: number) => T): T {
    const sql = this.#statements();
    sql.begin.run();
    try {
      const result = act(sql, this.#now());
      sql.commit.run();
      return result;
    } catch (error) {
      try {
        sql.rollback.run();
      } catch {
        // SQLite has rolled back by itself, as it does when the disk is full.
      }
      throw error;
    }
  }
}

const SETTINGS = ['secure_delete', 'synchronous'] as const;

function readSetting(db: SqliteHandle, name: (typeof SETTINGS)[number]): number {
  return (db.prepare(`PRAGMA ${name}`).get() as Record<typeof name, number>)[name];
}

function remove(sql: ReturnType<typeof prepareAll>, owner: string): boolean {
  sql.forgetAll.run(owner);
  return Number(sql.delete.run(owner).changes) > 0;
}

function migrate(db: SqliteHandle): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec('CREATE TABLE IF NOT EXISTS roaming_records_schema (version INTEGER NOT NULL)');
    const row = db.prepare('SELECT version FROM roaming_records_schema').get() as
      | { version: number }
      | undefined;
    const version = row?.version ?? 0;
    if (version > MIGRATIONS.length)
      throw new Error(`The store's schema has version ${version}; this package knows ${MIGRATIONS.length}.`);
    if (version < MIGRATIONS.length) {
      for (const step of MIGRATIONS.slice(version)) db.exec(step);
      db.exec('DELETE FROM roaming_records_schema');
      db.exec(`INSERT INTO roaming_records_schema (version) VALUES (${MIGRATIONS.length})`);
    }
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function prepareAll(db: SqliteHandle) {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    ofOwner: db.prepare('SELECT key, record FROM roaming_records WHERE owner = ?'),
    holder: db.prepare('SELECT owner FROM roaming_records WHERE key = ?'),
    put: db.prepare(`INSERT INTO roaming_records (owner, key, u, kid, record, at) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (owner) DO UPDATE SET key = excluded.key, u = excluded.u, kid = excluded.kid,
        record = excluded.record, at = excluded.at`),
    fetch: db.prepare(`SELECT owner, key, u, record FROM roaming_records WHERE key =
      CASE WHEN EXISTS (SELECT 1 FROM roaming_records WHERE key = ?) THEN ? ELSE ? END`),
    note: db.prepare('INSERT INTO roaming_fetches (owner, at, address) VALUES (?, ?, ?)'),
    forget: db.prepare(`DELETE FROM roaming_fetches WHERE owner = ? AND seq <=
      (SELECT seq FROM roaming_fetches WHERE owner = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`),
    forgetAll: db.prepare('DELETE FROM roaming_fetches WHERE owner = ?'),
    find: db.prepare('SELECT u, kid, at FROM roaming_records WHERE owner = ?'),
    fetches: db.prepare('SELECT at, address FROM roaming_fetches WHERE owner = ? ORDER BY seq DESC LIMIT ?'),
    delete: db.prepare('DELETE FROM roaming_records WHERE owner = ?'),
    owners: db.prepare('SELECT owner FROM roaming_records WHERE u = ?'),
    names: db.prepare('SELECT DISTINCT u FROM roaming_records WHERE u > ? ORDER BY u LIMIT ?'),
  };
}
