import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { DEFAULT_GUESS_POLICY } from '../../lib/store/guess-policy.ts';
import { PostgresStore, type PostgresStoreOptions } from '../../lib/store/postgres.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { shift as shiftOn } from './postgres-shift.ts';

let postgres: TestPostgres;
let shared: Pool;
let opened = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  shared = new Pool({ connectionString: postgres.url, max: 10 });
  shared.on('error', () => {});
});

afterAll(async () => {
  await shared?.end();
  await postgres?.stop();
});

/** Waits for what a server or a connection does in its own time, however busy the machine is. */
const shift = (schema: string, by: number) => shiftOn(shared, schema, by);

const open = async () => {
  opened += 1;
  const schema = `test_${process.pid}_${opened}`;
  const store = new PostgresStore({ pool: shared, schema, strict: true, timeout: 60_000 });
  const stores = [store];
  return {
    store,
    async another() {
      const pool = new Pool({ connectionString: postgres.url, max: 4 });
      const other = new PostgresStore({ pool, schema, owned: true, timeout: 60_000 });
      stores.push(other);
      return other;
    },
    advance: (seconds: number) => shift(schema, seconds),
    async close() {
      for (const one of stores) await one.close();
      await shared.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    },
  };
};

describe('PostgresStore keeps the contract', () => {
  for (const { name, run } of storeContract({ open })) it(name, run, 180_000);
});

const guess = (jti: string) => ({
  id: 'id',
  u: 'u',
  jti,
  policy: DEFAULT_GUESS_POLICY,
  seenUntil: 4_000_000_000,
  admitNew: true,
});

const freshSchema = () => {
  opened += 1;
  return `test_${process.pid}_${opened}`;
};

/** A store on a pool of its own, under a name by which the server knows its connections. */
function own(options: Partial<PostgresStoreOptions> & { url?: string; max?: number } = {}) {
  const { url = postgres.url, max = 4, ...more } = options;
  const schema = freshSchema();
  const pool = new Pool({ connectionString: url, max, application_name: schema });
  return {
    schema,
    pool,
    store: new PostgresStore({ pool, schema, owned: true, ...more }),
    /** For what must succeed on a busy machine. */
    patient: new PostgresStore({ pool, schema, timeout: 60_000 }),
  };
}

describe('the schema', () => {
  it('is made once by many processes at once', async () => {
    const { schema, store } = own();
    const others = Array.from({ length: 5 }, () => {
      const pool = new Pool({ connectionString: postgres.url, max: 2 });
      return new PostgresStore({ pool, schema, owned: true });
    });
    await Promise.all([store, ...others].map((one) => one.init()));
    for (const one of [store, ...others]) {
      await one.health();
      await one.close();
    }
  });

  it('may have been made by someone with more rights', async () => {
    const { schema, store } = own();
    await store.init();
    await shared.query(`CREATE ROLE ${schema}_app LOGIN`);
    await shared.query(`GRANT USAGE ON SCHEMA ${schema} TO ${schema}_app`);
    await shared.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${schema}_app`,
    );
    await shared.query('REVOKE CREATE ON DATABASE postgres FROM PUBLIC');
    const url = new URL(postgres.url);
    url.username = `${schema}_app`;
    const pool = new Pool({ connectionString: url.href, max: 1 });
    const limited = new PostgresStore({ pool, schema, owned: true });
    expect((await limited.reserve(guess('a'))).answer).toBe('reserved');
    await limited.settle({ ...guess('a'), retire: true });
    expect((await limited.count({ name: 'name', seconds: 60, by: 1 })).count).toBe(1);
    expect(await limited.disable({ u: 'u', t: 't' })).toEqual({ isNew: true });
    await limited.close();
    await store.close();
  });

  it('of the first version is brought up to date, by several processes at once, with all that it holds', async () => {
    const { schema, store } = own();
    await store.disable({ u: 'u', t: 't' });
    await shared.query(`DROP TABLE ${schema}.counters; UPDATE ${schema}.schema_version SET version = 1`);
    const others = Array.from({ length: 4 }, () => {
      const pool = new Pool({ connectionString: postgres.url, max: 2 });
      return new PostgresStore({ pool, schema, owned: true });
    });
    const counts = await Promise.all(others.map((one) => one.count({ name: 'name', seconds: 60, by: 1 })));
    expect(new Set(counts.map(({ count }) => count))).toEqual(new Set([1, 2, 3, 4]));
    expect(await others[0]?.isDisabled(['u'])).toBe(true);
    for (const one of [store, ...others]) await one.close();
  });

  it('of a newer version is refused', async () => {
    const { schema, store, pool } = own();
    await store.init();
    await pool.query(`UPDATE ${schema}.schema_version SET version = 99`);
    const later = new PostgresStore({ pool, schema });
    await expect(later.init()).rejects.toThrow('version 99');
    await expect(later.isDisabled(['u'])).rejects.toThrow('version 99');
    await later.close();
    await store.close();
  });
});

describe('the settings of the server', () => {
  const risky: [string, string, RegExp][] = [
    ['fsync', 'off', /fsync = on/],
    ['full_page_writes', 'off', /full_page_writes = on/],
    ['synchronous_commit', 'off', /synchronous_commit = on/],
  ];

  it.each(risky)('%s = %s is warned of, or refused', async (name, bad, warning) => {
    await shared.query(`ALTER SYSTEM SET ${name} = ${bad}`);
    await shared.query('SELECT pg_reload_conf()');
    try {
      await eventually(async () => {
        const { rows } = await shared.query(`SHOW ${name}`);
        expect(rows[0]).toEqual({ [name]: bad });
      });
      const warnings: string[] = [];
      const lenient = own({ onWarning: (w) => warnings.push(w) });
      await lenient.store.init();
      expect(warnings).toEqual([expect.stringMatching(warning)]);
      await lenient.store.close();
      const strict = own({ strict: true });
      await expect(strict.store.init()).rejects.toThrow(warning);
      await strict.store.close();
    } finally {
      await shared.query(`ALTER SYSTEM RESET ${name}`);
      await shared.query('SELECT pg_reload_conf()');
    }
  });

  it('that make it read-only are refused always', async () => {
    const url = new URL(postgres.url);
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    const { store } = own({ url: url.href, onWarning: () => {} });
    await expect(store.init()).rejects.toThrow('read-only');
    await store.close();
  });

  it('do not keep marks from being on the disk, nor change what the app chose for itself', async () => {
    const url = new URL(postgres.url);
    url.searchParams.set(
      'options',
      '-c synchronous_commit=off -c default_transaction_isolation=serializable',
    );
    const { schema, store, pool } = own({ url: url.href, max: 1, onWarning: () => {} });
    await store.init();
    await shared.query(`CREATE TABLE ${schema}.levels (what text, level text)`);
    await shared.query(`CREATE FUNCTION ${schema}.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO ${schema}.levels VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NEW; END $$`);
    for (const table of ['disabled', 'retired', 'guesses']) {
      await shared.query(`CREATE TRIGGER note AFTER INSERT ON ${schema}.${table} FOR EACH ROW
        EXECUTE FUNCTION ${schema}.note()`);
    }
    await store.reserve(guess('a'));
    await store.disable({ u: 'v', t: 't' });
    await store.settle({ ...guess('a'), retire: true });
    await store.importMarks([{ kind: 'disabled', u: 'w', t: 't', at: 1 }]);
    const { rows } = await shared.query(`SELECT what, level FROM ${schema}.levels`);
    expect(rows).toEqual([
      { what: 'guesses', level: 'off' },
      { what: 'disabled', level: 'on' },
      { what: 'retired', level: 'on' },
      { what: 'disabled', level: 'on' },
    ]);
    expect((await pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }]);
    await store.close();
  });
});

describe('a server that fails', () => {
  const kill = (schema: string) =>
    shared.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      schema,
    ]);

  it('may end connections at any time: operations reject, the process and the counts stay', async () => {
    const { schema, store } = own();
    const policy = { ...DEFAULT_GUESS_POLICY, free: 1000, limit: 1000 };
    await store.init();
    await kill(schema);
    await eventually(() => store.health());
    let failed = 0;
    let asked = 0;
    let done = false;
    const guesses = Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (let i = 0; !done; i++) {
          const request = { ...guess(`${worker}-${i}`), policy };
          asked += 1;
          const reserved = await store.reserve(request).catch(() => undefined);
          if (reserved?.answer !== 'reserved') continue;
          await store.fail(request).then(
            () => {
              failed += 1;
            },
            () => {},
          );
        }
      }),
    );
    for (let i = 1; i <= 8; i++) {
      await expect.poll(() => failed, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(2 * i);
      await kill(schema);
    }
    done = true;
    await guesses;
    await shift(schema, 61);
    const settled = await eventually(() => store.settle({ ...guess('none'), policy }));
    const count = settled.answer === 'settled' ? settled.failedSince.count : -1;
    expect(failed).toBeGreaterThanOrEqual(16);
    expect(count).toBeGreaterThanOrEqual(failed);
    expect(count).toBeLessThanOrEqual(asked);
    await store.close();
  });

  it('that holds a lock makes an operation reject within its time, and nothing has happened', async () => {
    const { schema, store, patient } = own({ timeout: 200 });
    await patient.init();
    const blocker = await shared.connect();
    await blocker.query(
      `BEGIN; LOCK TABLE ${schema}.once, ${schema}.disabled, ${schema}.counters IN ACCESS EXCLUSIVE MODE`,
    );
    const since = performance.now();
    const results = await Promise.allSettled([
      store.reserve(guess('a')),
      store.disable({ u: 'u', t: 't' }),
      store.claimOnce({ name: 'name', expiresAt: 4_000_000_000 }),
      store.count({ name: 'name', seconds: 60, by: 1 }),
      store.health(),
    ]);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(performance.now() - since).toBeLessThan(20_000);
    await blocker.query('ROLLBACK');
    blocker.release();
    expect((await patient.reserve(guess('a'))).answer).toBe('reserved');
    expect((await patient.fail(guess('a'))).isNew).toBe(true);
    await store.close();
  });

  it('with no connection free makes operations reject within their time', async () => {
    const { store, pool, patient } = own({ max: 1, timeout: 1000, maxPending: 3 });
    await patient.init();
    const taken = await pool.connect();
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => store.reserve(guess(`${i}`))),
    );
    const messages = results.map((result) => (result.status === 'rejected' ? String(result.reason) : ''));
    expect(messages.filter((message) => message.includes('too many'))).toHaveLength(7);
    expect(messages.filter((message) => message.includes('in time'))).toHaveLength(3);
    taken.release();
    for (let i = 0; i < 5; i++) expect((await store.reserve(guess(`${i}`))).answer).toBe('reserved');
    await store.close();
  });

  it('that is not there makes init and operations reject', async () => {
    const url = new URL(postgres.url);
    url.port = '1';
    const { store } = own({ url: url.href, timeout: 300 });
    await expect(store.init()).rejects.toThrow();
    await expect(store.reserve(guess('a'))).rejects.toThrow();
    await store.close();
  });
});

describe('disabling', () => {
  it('waits for a success in flight, and a success for it', async () => {
    const { schema, store } = own();
    await store.init();
    await store.reserve(guess('a'));
    const blocker = await shared.connect();
    await blocker.query(`BEGIN; LOCK TABLE ${schema}.guesses IN SHARE MODE`);
    let isSettled = false;
    let isDisabled = false;
    const settling = store.settle(guess('a')).then((answer) => {
      isSettled = true;
      return answer;
    });
    const locks = () =>
      shared.query(`SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '${schema}.guesses'::regclass`);
    await eventually(async () => expect((await locks()).rowCount).toBe(1));
    const disabling = store.disable({ u: 'u', t: 't' }).then(() => {
      isDisabled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([isSettled, isDisabled]).toEqual([false, false]);
    await blocker.query('ROLLBACK');
    blocker.release();
    expect((await settling).answer).toBe('settled');
    await disabling;
    expect((await store.settle(guess('a'))).answer).toBe('disabled');
    await store.close();
  });
});

describe('what PostgresStore leaves behind', () => {
  it('does not grow with the number of requests', async () => {
    const { schema, store } = own();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 300; i++)
        await store.reserve({ ...guess(`${round}-${i}`), id: `${i % 3}`, admitNew: false });
      await shared.query(`UPDATE ${schema}.once SET until = 1`);
    }
    const { rows } = await shared.query(`SELECT count(*)::int AS n FROM ${schema}.once`);
    expect((rows[0] as { n: number }).n).toBeLessThanOrEqual(600);
    await store.close();
  });

  it('does not grow with the number of names that are counted', async () => {
    const { schema, store } = own();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 300; i++) await store.count({ name: `${round}-${i}`, seconds: 60, by: 1 });
      await shared.query(`UPDATE ${schema}.counters SET until = 1`);
    }
    const { rows } = await shared.query(`SELECT count(*)::int AS n FROM ${schema}.counters`);
    expect((rows[0] as { n: number }).n).toBeLessThanOrEqual(600);
    await store.close();
  });

  it('of hits waits for no disk: the table is not logged', async () => {
    const { schema, store } = own();
    await store.init();
    const { rows } = await shared.query(
      `SELECT relname FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relpersistence = 'u' AND relkind = 'r'`,
    );
    expect(rows).toEqual([{ relname: 'counters' }]);
    await store.close();
  });
});

describe('options of PostgresStore', () => {
  it('refuses what is none', () => {
    for (const bad of [undefined, null, {}, 'postgres://localhost']) {
      expect(() => new PostgresStore({ pool: bad as unknown as Pool })).toThrow(/^pool/);
    }
    for (const schema of ['', 'A', 'a-b', 'a"b', '1a', 'x'.repeat(64)]) {
      expect(() => new PostgresStore({ pool: shared, schema })).toThrow(/^schema/);
    }
    expect(() => new PostgresStore({ pool: shared, timeout: 0 })).toThrow(/^timeout/);
  });

  it('leaves the app its pool, with the listeners it had', async () => {
    const before = shared.listenerCount('error');
    const store = new PostgresStore({ pool: shared, schema: freshSchema() });
    await store.init();
    expect(shared.listenerCount('error')).toBe(before + 1);
    await store.close();
    expect(shared.listenerCount('error')).toBe(before);
    await expect(store.isDisabled(['u'])).rejects.toThrow('closed');
    expect((await shared.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
