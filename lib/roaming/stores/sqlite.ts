import { epochSeconds } from '../../base/clock.ts';
import { SqliteDatabase, type SqliteOptions } from '../../databases/sqlite.ts';
import type { SqliteHandle } from '../../databases/sqlite-driver.ts';
import { noteBacking } from '../../store/backing.ts';
import {
  FETCHES_KEPT,
  type FetchRequest,
  type FoundRecord,
  type PutRequest,
  type RecordFetch,
  type RecordStore,
  type StoredRecord,
} from './record-store.ts';

export interface SqliteRecordStoreOptions extends SqliteOptions {
  /** The clock: whole seconds since the epoch, one for all processes that share the file. Default: this machine's. */
  readonly now?: () => number;
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
  readonly #database: SqliteDatabase<Sql>;
  readonly #now: () => number;

  constructor(database: string | SqliteHandle, options: SqliteRecordStoreOptions = {}) {
    const plan = { versions: 'roaming_records_schema', migrations: MIGRATIONS, prepare: prepareAll };
    this.#database = new SqliteDatabase(database, options, plan);
    this.#now = options.now ?? epochSeconds;
    noteBacking(this, database);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  put({ owner, key, u, kid, record, keepKey = false, replaces }: PutRequest) {
    return this.#change((sql) => {
      const old = sql.ofOwner.get(owner) as { key: string; record: string } | undefined;
      if (replaces !== undefined && !old?.record.startsWith(replaces)) return 'absent';
      const keeps = keepKey && old !== undefined;
      const inForce = keeps ? old.key : key;
      const holder = sql.holder.get(inForce) as { owner: string } | undefined;
      if (holder && holder.owner !== owner) return 'taken';
      sql.put.run(owner, inForce, u, kid, record, this.#now());
      return keeps ? 'kept' : 'stored';
    });
  }

  fetch({ key, otherwise, stranger, address }: FetchRequest): Promise<FoundRecord | undefined> {
    return this.#database.write('system', (sql) => {
      const found = sql.fetch.get(key, key, otherwise) as (FoundRecord & { owner: string }) | undefined;
      if (!found) return undefined;
      const owner = found.key === key ? found.owner : stranger;
      sql.note.run(owner, this.#now(), address);
      sql.forget.run(owner, owner, FETCHES_KEPT);
      return { key: found.key, u: found.u, record: found.record };
    });
  }

  find(owner: string): Promise<StoredRecord | undefined> {
    return this.#database.read((sql) => {
      const row = sql.find.get(owner) as StoredRecord | undefined;
      return row && { u: row.u, kid: row.kid, at: row.at, record: row.record };
    });
  }

  fetches(owner: string): Promise<readonly RecordFetch[]> {
    return this.#database.read((sql) =>
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
    return this.#database.read((sql) => (sql.names.all(after, limit) as { u: string }[]).map(({ u }) => u));
  }

  async health(): Promise<void> {
    await this.#database.checkFiles();
    await this.#database.write('system', (sql) => {
      sql.note.run('', this.#now(), '');
      sql.forgetAll.run('');
    });
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Changes what is stored: on the disk before this resolves, and what was there before overwritten. */
  #change<T>(act: (sql: Sql) => T): Promise<T> {
    return this.#database.write('erased', act);
  }
}

type Sql = ReturnType<typeof prepareAll>;

function remove(sql: Sql, owner: string): boolean {
  sql.forgetAll.run(owner);
  return Number(sql.delete.run(owner).changes) > 0;
}

function prepareAll(db: SqliteHandle) {
  return {
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
    find: db.prepare('SELECT u, kid, at, record FROM roaming_records WHERE owner = ?'),
    fetches: db.prepare('SELECT at, address FROM roaming_fetches WHERE owner = ? ORDER BY seq DESC LIMIT ?'),
    delete: db.prepare('DELETE FROM roaming_records WHERE owner = ?'),
    owners: db.prepare('SELECT owner FROM roaming_records WHERE u = ?'),
    names: db.prepare('SELECT DISTINCT u FROM roaming_records WHERE u > ? ORDER BY u LIMIT ?'),
  };
}
