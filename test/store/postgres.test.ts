import { Pool } from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { PostgresStore } from '../../lib/store/postgres.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let shared: Pool;
let opened = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  shared = new Pool({ connectionString: postgres.url, max: 10 });
}, 60_000);

afterAll(async () => {
  await shared?.end();
  await postgres?.stop();
});

interface StoredTally {
  readonly last: number | null;
  readonly recent: number[];
  readonly open: [string, number][];
}

/** Moves every time that the store holds into the past: the server's clock cannot be set. */
async function shift(schema: string, by: number): Promise<void> {
  const { rows } = await shared.query<{ id: string; tally: string }>(
    `SELECT id, tally FROM ${schema}.guesses`,
  );
  for (const { id, tally } of rows) {
    const old = JSON.parse(tally) as StoredTally;
    const moved = {
      ...old,
      last: old.last === null ? null : old.last - by,
      recent: old.recent.map((at) => at - by),
      open: old.open.map(([jti, deadline]) => [jti, deadline - by]),
    };
    await shared.query(`UPDATE ${schema}.guesses SET tally = $2, empty_at = empty_at - $3 WHERE id = $1`, [
      id,
      JSON.stringify(moved),
      by,
    ]);
  }
  await shared.query(`UPDATE ${schema}.once SET until = until - $1`, [by]);
}

const open = async () => {
  opened += 1;
  const schema = `test_${process.pid}_${opened}`;
  const others: PostgresStore[] = [];
  return {
    store: new PostgresStore({ pool: shared, schema, strict: true }),
    async another() {
      const pool = new Pool({ connectionString: postgres.url, max: 4 });
      const store = new PostgresStore({ pool, schema, owned: true });
      others.push(store);
      return store;
    },
    advance: (seconds: number) => shift(schema, seconds),
    async close() {
      for (const store of others) await store.close();
      await shared.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    },
  };
};

describe('PostgresStore keeps the contract', () => {
  for (const { name, run } of storeContract({ open })) it(name, run, 20_000);
});
