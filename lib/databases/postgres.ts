import { createHash } from 'node:crypto';
import { RoamingKeyError } from '../base/errors.ts';
import { wrongOption } from '../base/options.ts';
import { sharedRun } from '../base/shared-run.ts';
import { Bound, type BoundOptions, type CheckOptions, report } from './bounded.ts';

interface QueryResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: unknown[];
}

interface PgClient {
  query(query: { text: string; values?: unknown[] }): Promise<QueryResult | QueryResult[]>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
  release(error?: Error | boolean): void;
}

/** What a store uses of a `Pool` of npm `pg` 8.7 or later. */
export interface PgPool {
  connect(): Promise<unknown>;
  on(event: 'error' | 'connect', listener: (subject: unknown) => void): unknown;
  off(event: 'error' | 'connect', listener: (subject: unknown) => void): unknown;
  end(): Promise<unknown>;
}

export interface PostgresOptions extends BoundOptions, CheckOptions {
  /** A `Pool` of npm `pg` 8.7 or later. */
  readonly pool: PgPool;
  /** The schema that holds the tables; made where it is missing. */
  readonly schema?: string;
  /** Whether closing the store ends the pool. Default false. */
  readonly owned?: boolean;
}

/** What a store keeps in a database. */
export interface PostgresPlan {
  /** The schema where the options name none. */
  readonly schema: string;
  /** The table that holds the schema's version. */
  readonly versions: string;
  /** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
  readonly migrations: readonly ((schema: string) => string)[];
  /** The tables that they make. */
  readonly tables: readonly string[];
  /** What the server's settings put at risk, in words. */
  readonly findings?: (settings: Record<string, unknown>) => string[];
}

/** Sends one statement of a transaction. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<QueryResult>;

/** A lock that lasts until the transaction ends, shared or not. */
export interface Lock {
  readonly name: string;
  readonly shared?: boolean;
}

/** A connection without listener ends the process when it breaks; what it reports shows in the statement that fails. */
function ignore(): void {}

/** A server may end a connection with the same bytes that complete it, before anyone who waits for it can listen. */
function listen(client: unknown): void {
  (client as PgClient).on('error', ignore);
}

const HAS_VERSION = `SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2) AS found`;
const HAS_SCHEMA = 'SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1) AS found';
const SETTINGS = `SELECT current_setting('default_transaction_read_only') AS read_only, current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
  current_setting('synchronous_commit') AS synchronous_commit`;
const WITHOUT_RIGHTS = `SELECT name FROM unnest($1::text[]) AS name WHERE NOT (has_table_privilege(name, 'SELECT')
  AND has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE') AND has_table_privilege(name, 'DELETE'))`;
/** serialization_failure and deadlock_detected: nothing has happened, and the same again may succeed. */
const IS_WORTH_ANOTHER_TRY: ReadonlySet<unknown> = new Set(['40001', '40P01']);
/** read_only_sql_transaction, and what a replica says to READ WRITE: feature_not_supported. */
const IS_READ_ONLY: ReadonlySet<unknown> = new Set(['25006', '0A000']);

/** The PostgreSQL database of one store: a schema on a pool, every unit of work in bounded time. */
export class PostgresDatabase {
  /** The schema's name, quoted. */
  readonly schema: string;
  readonly #pool: PgPool;
  readonly #name: string;
  readonly #owned: boolean;
  readonly #checks: CheckOptions;
  readonly #bound: Bound;
  readonly #plan: PostgresPlan;
  readonly #opening = sharedRun(() => this.#open(), { keep: true });
  #isOpen = false;
  #isClosed = false;

  /** @throws TypeError naming the option that is wrong */
  constructor(options: PostgresOptions, plan: PostgresPlan) {
    const { pool, schema = plan.schema, owned = false } = options;
    if (typeof pool?.connect !== 'function') throw wrongOption('pool', 'a Pool of npm pg 8.7 or later', pool);
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema))
      throw new TypeError('schema must be 1 to 63 small letters, digits and underscores');
    this.#pool = pool;
    this.#name = schema;
    this.schema = `"${schema}"`;
    this.#owned = owned;
    this.#checks = options;
    this.#bound = new Bound(options);
    this.#plan = plan;
    pool.on('error', ignore);
    pool.on('connect', listen);
  }

  /** Opens the database, and requires the rights on every table, which servers grant table by table. */
  async init(): Promise<void> {
    await this.#ready();
    const tables = this.#plan.tables.map((name) => `${this.schema}.${name}`);
    const { rows } = await this.transaction([], false, (query) => query(WITHOUT_RIGHTS, [tables]));
    const [lacking] = rows as { name: string }[];
    if (lacking)
      throw new RoamingKeyError(
        'unavailable',
        `the PostgreSQL role may not use ${lacking.name}: grant it SELECT, INSERT, UPDATE and DELETE`,
      );
  }

  async #ready(): Promise<void> {
    if (this.#isClosed) throw new Error('the store is closed');
    await this.#opening();
  }

  /**
   * Runs `act` in a transaction that holds `locks`, taken in their order before the first statement of `act` looks at
   * anything; again where the server could not serialise it, as long as there is time.
   *
   * The transaction names everything it needs, whatever the defaults of server, role and pooler are: what lies between
   * READ COMMITTED and a serialised order is done by the locks, and READ WRITE is refused by a replica, whose data may
   * be old.
   *
   * @param durably waits for the disk, and for synchronous standbys, even where the server's default does not. The server
   * then sets no time limit: one that ended the wait for a standby would report a success that it is not.
   */
  transaction<T>(locks: readonly Lock[], durably: boolean, act: (query: Query) => Promise<T>): Promise<T> {
    return this.#bound.run(async () => {
      if (!this.#isOpen || this.#isClosed) await this.#ready();
      return this.#transaction(locks, durably, act);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#owned) return void (await this.#bound.wait(this.#pool.end()));
    this.#pool.off('error', ignore);
    this.#pool.off('connect', listen);
  }

  async #transaction<T>(
    locks: readonly Lock[],
    durably: boolean,
    act: (query: Query) => Promise<T>,
  ): Promise<T> {
    const { timeout } = this.#bound;
    const begin = [
      'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
      `SET LOCAL lock_timeout = ${timeout}`,
      `SET LOCAL statement_timeout = ${durably ? 0 : timeout}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${2 * timeout}`,
      ...(durably
        ? [
            `SELECT set_config('synchronous_commit', 'on', true)
              WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')`,
          ]
        : []),
      ...locks.map(
        ({ name, shared }) =>
          `SELECT pg_advisory_xact_lock${shared ? '_shared' : ''}(${lockNumber(`${this.#name} ${name}`)})`,
      ),
    ].join('; ');
    const deadline = performance.now() + timeout;
    for (;;) {
      try {
        return await this.#use(async (query) => {
          await query(begin);
          const result = await act(query);
          const { command } = await query('COMMIT');
          if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`);
          return result;
        });
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (!IS_WORTH_ANOTHER_TRY.has(code) || performance.now() >= deadline) throw error;
      }
    }
  }

  /** Runs `act` on a connection; one that failed in any way is closed, since its state is unknown. */
  async #use<T>(act: (query: Query) => Promise<T>): Promise<T> {
    const connecting = this.#pool.connect() as Promise<PgClient>;
    const client = await this.#bound.wait(connecting, (late) => late.release());
    const query: Query = async (text, values) => {
      const result = await client.query({ text, ...(values && { values: [...values] }) });
      return Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
    };
    // Stays on a connection that is closed: it may report its end after this.
    client.on('error', ignore);
    try {
      const result = await this.#bound.wait(act(query));
      client.off('error', ignore);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  async #open(): Promise<void> {
    try {
      const { findings } = this.#plan;
      const found = await this.#transaction([], false, async (query) => {
        const { rows } = await query(SETTINGS);
        return { version: await this.#version(query), settings: rows[0] as Record<string, unknown> };
      });
      if (found.settings['read_only'] === 'on') throw readOnly();
      report(findings?.(found.settings) ?? [], this.#checks);
      if (found.version < this.#plan.migrations.length) await this.#migrate();
      this.#isOpen = true;
    } catch (error) {
      throw IS_READ_ONLY.has((error as { code?: unknown }).code) ? readOnly(error) : error;
    }
  }

  async #version(query: Query): Promise<number> {
    const { versions, migrations } = this.#plan;
    // Asks the catalogue's tables: what to_regclass knows may be older than a lock that was just waited for.
    const { rows } = await query(HAS_VERSION, [this.#name, versions]);
    if (!(rows[0] as { found: boolean }).found) return 0;
    const [row] = (await query(`SELECT version FROM ${this.schema}.${versions}`)).rows as [
      { version: number }?,
    ];
    const version = Number(row?.version ?? 0);
    if (version > migrations.length)
      throw new Error(`the store's schema has version ${version}; this package knows ${migrations.length}`);
    return version;
  }

  /** Brings the schema up to date; several processes may do so at once, and one that finds it so needs no right to change it. */
  async #migrate(): Promise<void> {
    const { schema } = this;
    const { versions, migrations } = this.#plan;
    await this.#transaction([{ name: 'migrate' }], true, async (query) => {
      const version = await this.#version(query);
      if (version === migrations.length) return;
      const { rows } = await query(HAS_SCHEMA, [this.#name]);
      if (!(rows[0] as { found: boolean }).found) await query(`CREATE SCHEMA ${schema}`);
      const steps = [
        `CREATE TABLE IF NOT EXISTS ${schema}.${versions} (version integer NOT NULL)`,
        ...migrations.slice(version).map((step) => step(schema)),
        `DELETE FROM ${schema}.${versions}`,
        `INSERT INTO ${schema}.${versions} (version) VALUES (${migrations.length})`,
      ];
      await query(steps.join(';\n'));
    });
  }
}

function readOnly(cause?: unknown): RoamingKeyError {
  const message = 'the PostgreSQL server is read-only, as a replica is: connect to the primary';
  return new RoamingKeyError('unavailable', message, { cause });
}

/** The number that stands for a lock's name; two names that collide merely wait for each other. */
function lockNumber(name: string): string {
  return createHash('sha256').update(`roaming-key ${name}`).digest().readBigInt64BE().toString();
}
