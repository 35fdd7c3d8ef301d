import { createHash } from 'node:crypto';
import type { Bound } from './bounded.ts';

interface QueryResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: unknown[];
}

interface PgClient {
  query(query: {
    text: string;
    values?: unknown[];
    query_timeout: number;
  }): Promise<QueryResult | QueryResult[]>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
  release(error?: Error | boolean): void;
}

/** What the store uses of a `Pool` of npm `pg`. */
export interface PgPool {
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
  end(): Promise<unknown>;
}

/** Sends one statement on the connection that a unit of work has. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<QueryResult>;

/** A connection without listener ends the process when it breaks; what it reports shows in the statement that fails. */
export function ignore(): void {}

/** A lock that lasts until the transaction ends, shared or not. */
export interface Lock {
  readonly name: string;
  readonly shared?: boolean;
}

/** The number that stands for a lock's name; two names that collide merely wait for each other. */
function lockNumber(name: string): string {
  return createHash('sha256').update(`roaming-key ${name}`).digest().readBigInt64BE().toString();
}

/** Runs statements on a pool: each unit of work on one connection and within bounded time. */
export class Connections {
  readonly #pool: PgPool;
  readonly #bound: Bound;

  constructor(pool: PgPool, bound: Bound) {
    this.#pool = pool;
    this.#bound = bound;
    pool.on('error', ignore);
  }

  /** Runs `act` on a connection; one that failed in any way is closed, since nobody knows what it is still doing. */
  async use<T>(act: (query: Query) => Promise<T>): Promise<T> {
    const connecting = this.#pool.connect() as Promise<PgClient>;
    const client = await this.#bound.wait(connecting, (late) => late.release());
    const deadline = Date.now() + this.#bound.timeout;
    const query: Query = async (text, values) => {
      const query_timeout = Math.max(1, deadline - Date.now());
      const result = await client.query({
        text,
        ...(values && { values: [...values] }),
        query_timeout,
      });
      return Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
    };
    client.on('error', ignore);
    try {
      const result = await act(query);
      client.off('error', ignore);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /**
   * Runs `act` in a transaction that holds `locks`, taken in their order before the first statement of `act` looks at
   * anything.
   *
   * @param durably waits for the disk, and for synchronous standbys, even where the server's default does not. The server
   * then sets no time limit: one that ended the wait for a standby would report a success that it is not.
   */
  transaction<T>(locks: readonly Lock[], durably: boolean, act: (query: Query) => Promise<T>): Promise<T> {
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
        ({ name, shared }) => `SELECT pg_advisory_xact_lock${shared ? '_shared' : ''}(${lockNumber(name)})`,
      ),
    ].join('; ');
    return this.use(async (query) => {
      await query(begin);
      const result = await act(query);
      const { command } = await query('COMMIT');
      if (command !== 'COMMIT') throw new Error(`The transaction ended with ${command}.`);
      return result;
    });
  }
}
