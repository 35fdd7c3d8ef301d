import { PostgresDatabase, type PostgresOptions, type Query } from '../../databases/postgres.ts';
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

/** `schema` is `roaming_records` by default. */
export interface PostgresRecordStoreOptions extends PostgresOptions {}

/** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  // Names are compared byte by byte, whatever the database's own order.
  (schema) => `
  CREATE TABLE ${schema}.records (owner text PRIMARY KEY, key text NOT NULL UNIQUE, u text COLLATE "C" NOT NULL,
    kid text NOT NULL, record text NOT NULL, at bigint NOT NULL);
  CREATE INDEX records_u ON ${schema}.records (u);
  CREATE INDEX records_kid ON ${schema}.records (kid);
  CREATE TABLE ${schema}.fetches (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL,
    at bigint NOT NULL, address text NOT NULL);
  CREATE INDEX fetches_owner ON ${schema}.fetches (owner, seq);`,
];

const NOW = 'floor(extract(epoch FROM clock_timestamp()))::bigint';
const UNIQUE_VIOLATION = '23505';

/**
 * Keeps records in PostgreSQL 13 or later: one statement or one short transaction an operation, by the server's clock.
 * The pool may be that of another store of the same app, but not of the assistant's.
 *
 * What was deleted or replaced stays in the table until the server's vacuum, and in its log until that is recycled.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const records = new PostgresRecordStore({ pool: new Pool({ connectionString: 'postgres://localhost/app' }) })
 */
export class PostgresRecordStore implements RecordStore {
  readonly #database: PostgresDatabase;
  readonly #sql: ReturnType<typeof statements>;

  constructor(options: PostgresRecordStoreOptions) {
    const plan = {
      schema: 'roaming_records',
      versions: 'records_version',
      migrations: MIGRATIONS,
      tables: ['records', 'fetches'],
    };
    this.#database = new PostgresDatabase(options, plan);
    this.#sql = statements(this.#database.schema);
    noteBacking(this, options.pool);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  async put({ owner, key, u, kid, record, keepKey = false, replaces }: PutRequest) {
    try {
      return await this.#change(`owner ${owner}`, async (query) => {
        const old = (await query(this.#sql.ofOwner, [owner])).rows[0] as
          | { key: string; record: string }
          | undefined;
        if (replaces !== undefined && !old?.record.startsWith(replaces)) return 'absent';
        const keeps = keepKey && old !== undefined;
        const inForce = keeps ? old.key : key;
        const holder = (await query(this.#sql.holder, [inForce])).rows[0] as { owner: string } | undefined;
        if (holder && holder.owner !== owner) return 'taken';
        await query(this.#sql.put, [owner, inForce, u, kid, record]);
        return keeps ? 'kept' : 'stored';
      });
    } catch (error) {
      // Two owners took the key at once.
      if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return 'taken';
      throw error;
    }
  }

  fetch({ key, otherwise, stranger, address }: FetchRequest): Promise<FoundRecord | undefined> {
    return this.#one(async (query) => {
      const found = await query(this.#sql.fetch, [key, otherwise, address, stranger]);
      const row = found.rows[0] as (FoundRecord & { noted_for: string }) | undefined;
      if (!row) return undefined;
      await query(this.#sql.forget, [row.noted_for, FETCHES_KEPT]);
      return { key: row.key, u: row.u, record: row.record };
    });
  }

  find(owner: string): Promise<StoredRecord | undefined> {
    return this.#one(async (query) => {
      const row = (await query(this.#sql.find, [owner])).rows[0] as StoredRecord | undefined;
      return row && { u: row.u, kid: row.kid, at: Number(row.at), record: row.record };
    });
  }

  fetches(owner: string): Promise<readonly RecordFetch[]> {
    return this.#one(async (query) => {
      const { rows } = await query(this.#sql.fetches, [owner, FETCHES_KEPT]);
      return (rows as RecordFetch[]).map(({ at, address }) => ({ at: Number(at), address }));
    });
  }

  async delete(owner: string): Promise<boolean> {
    return (await this.#change(`owner ${owner}`, (query) => query(this.#sql.delete, [owner]))).rowCount === 1;
  }

  async deleteNamed(u: string): Promise<number> {
    return (await this.#change(`u ${u}`, (query) => query(this.#sql.deleteNamed, [u]))).rowCount ?? 0;
  }

  names({ after, limit }: { readonly after: string; readonly limit: number }): Promise<readonly string[]> {
    return this.#one(async (query) => {
      const { rows } = await query(this.#sql.names, [after, limit]);
      return (rows as { u: string }[]).map(({ u }) => u);
    });
  }

  async health(): Promise<void> {
    await this.#one(async (query) => {
      await query(this.#sql.note, ['', '']);
      await query(this.#sql.delete, ['']);
    });
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  #one<T>(act: (query: Query) => Promise<T>): Promise<T> {
    return this.#database.transaction([], false, act);
  }

  #change<T>(lock: string, act: (query: Query) => Promise<T>): Promise<T> {
    return this.#database.transaction([{ name: lock }], true, act);
  }
}

function statements(schema: string) {
  return {
    ofOwner: `SELECT key, record FROM ${schema}.records WHERE owner = $1`,
    holder: `SELECT owner FROM ${schema}.records WHERE key = $1`,
    put: `INSERT INTO ${schema}.records (owner, key, u, kid, record, at) VALUES ($1, $2, $3, $4, $5, ${NOW})
      ON CONFLICT (owner) DO UPDATE SET key = excluded.key, u = excluded.u, kid = excluded.kid,
        record = excluded.record, at = excluded.at`,
    // Notes by inserting: a row that is updated makes all fetches of it wait for each other, which could be noticed.
    fetch: `WITH found AS (SELECT CASE WHEN key = $1 THEN owner ELSE $4 END AS noted_for, key, u, record
        FROM ${schema}.records WHERE key =
        CASE WHEN EXISTS (SELECT FROM ${schema}.records WHERE key = $1) THEN $1 ELSE $2 END),
      noted AS (INSERT INTO ${schema}.fetches (owner, at, address) SELECT noted_for, ${NOW}, $3 FROM found)
      SELECT noted_for, key, u, record FROM found`,
    note: `INSERT INTO ${schema}.fetches (owner, at, address) VALUES ($1, ${NOW}, $2)`,
    forget: `DELETE FROM ${schema}.fetches WHERE owner = $1 AND seq <=
      (SELECT seq FROM ${schema}.fetches WHERE owner = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)`,
    find: `SELECT u, kid, at, record FROM ${schema}.records WHERE owner = $1`,
    fetches: `SELECT at, address FROM ${schema}.fetches WHERE owner = $1 ORDER BY seq DESC LIMIT $2`,
    delete: `WITH gone AS (DELETE FROM ${schema}.fetches WHERE owner = $1)
      DELETE FROM ${schema}.records WHERE owner = $1`,
    deleteNamed: `WITH gone AS (DELETE FROM ${schema}.fetches
        WHERE owner IN (SELECT owner FROM ${schema}.records WHERE u = $1))
      DELETE FROM ${schema}.records WHERE u = $1`,
    names: `SELECT DISTINCT u FROM ${schema}.records WHERE u > $1 ORDER BY u LIMIT $2`,
  };
}
