/** Servers whose defaults are not ours: isolation levels, replicas, poolers, time limits, users with few rights. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PostgresRecordStore } from '../../lib/roaming/stores/postgres.ts';
import { RedisRecordStore } from '../../lib/roaming/stores/redis.ts';
import { storeContract } from '../../lib/store/contract.ts';
import { DEFAULT_GUESS_POLICY } from '../../lib/store/guess-policy.ts';
import { PostgresStore } from '../../lib/store/postgres.ts';
import { RedisStore } from '../../lib/store/redis.ts';
import { isAbsent } from '../support/binaries.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { redisAvailable, startRedis, type TestRedis } from '../support/redis.ts';
import { shift } from './postgres-shift.ts';

const timeout = 60_000;
const onWarning = () => {};
const policy = DEFAULT_GUESS_POLICY;
const guess = (jti: string) => ({ id: 'id', u: 'u', jti, policy, seenUntil: 4_000_000_000, admitNew: true });
let opened = 0;
const fresh = () => {
  opened += 1;
  return `server_${process.pid}_${opened}`;
};
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe('PostgreSQL', () => {
  let server: TestPostgres;
  let shared: Pool;
  beforeAll(async () => {
    server = await startPostgres();
    shared = new Pool({ connectionString: server.url, max: 4 });
    // A server that stops may end connections that the pool has let go of.
    shared.on('connect', (client) => client.on('error', () => {}));
  }, 180_000);
  afterAll(async () => {
    await shared?.end();
    await server?.stop();
  });

  const withOptions = (options: string) => {
    const url = new URL(server.url);
    url.searchParams.set('options', options);
    return url.href;
  };

  function openOn(url: () => string) {
    return async () => {
      const schema = fresh();
      const stores: PostgresStore[] = [];
      const another = async () => {
        const pool = new Pool({ connectionString: url(), max: 5 });
        const store = new PostgresStore({ pool, schema, owned: true, timeout, onWarning });
        stores.push(store);
        return store;
      };
      return {
        store: await another(),
        another,
        advance: (seconds: number) => shift(shared, schema, seconds),
        async close() {
          for (const store of stores) await store.close();
          await shared.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        },
      };
    };
  }

  for (const level of ['repeatable read', 'serializable']) {
    const url = () => withOptions(`-c default_transaction_isolation=${level.replace(' ', '\\ ')}`);
    describe(`with ${level} as its default keeps the contract where operations meet`, () => {
      const cases = storeContract({ open: openOn(url) });
      for (const { name, run } of cases)
        if (/at once|meanwhile|acknowledged|history|histories/.test(name)) it(name, run, 180_000);
    });
  }

  it('with a time limit of its own for statements is given ours', async () => {
    const pool = new Pool({ connectionString: withOptions('-c statement_timeout=300'), max: 2 });
    const schema = fresh();
    const store = new PostgresStore({ pool, schema, owned: true, timeout });
    closing.push(() => store.close());
    await store.init();
    const locker = await shared.connect();
    await locker.query(`BEGIN; LOCK TABLE ${schema}.disabled`);
    const disabling = store.disable({ u: 'u', t: 't' });
    await locker.query('SELECT pg_sleep(1)');
    await locker.query('COMMIT');
    locker.release();
    expect(await disabling).toEqual({ isNew: true });
  });

  it('that cannot serialise is asked again', async () => {
    const schema = fresh();
    const pool = new Pool({ connectionString: server.url, max: 2 });
    const store = new PostgresStore({ pool, schema, owned: true, timeout });
    closing.push(() => store.close());
    await store.init();
    await shared.query(`CREATE SEQUENCE ${schema}.tries`);
    await shared.query(`CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('${schema}.tries') <= 3 THEN RAISE serialization_failure; END IF; RETURN NEW; END $$`);
    await shared.query(`CREATE TRIGGER fail BEFORE INSERT ON ${schema}.guesses FOR EACH ROW
      EXECUTE FUNCTION ${schema}.fail()`);
    expect(await store.reserve(guess('a'))).toMatchObject({ answer: 'reserved' });
    expect(await store.reserve(guess('a'))).toMatchObject({ answer: 'replayed' });
  });

  it('that is a replica is refused, by its reads too', async () => {
    const replica = await startPostgres({ standby: true });
    closing.push(() => replica.stop());
    for (const Store of [PostgresStore, PostgresRecordStore]) {
      const pool = new Pool({ connectionString: replica.url });
      const store = new Store({ pool, owned: true, timeout, onWarning });
      await expect(store.init()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('read-only'),
      });
      await store.close();
    }
  });

  it('that grants too little is found at the start, whatever the table', async () => {
    const role = fresh();
    await shared.query(`CREATE ROLE ${role} LOGIN`);
    const url = new URL(server.url);
    url.username = role;
    for (const Store of [PostgresStore, PostgresRecordStore]) {
      const schema = fresh();
      const owner = new Store({
        pool: new Pool({ connectionString: server.url }),
        schema,
        owned: true,
        timeout,
        onWarning,
      });
      await owner.init();
      await owner.close();
      await shared.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
      const store = new Store({
        pool: new Pool({ connectionString: url.href }),
        schema,
        owned: true,
        timeout,
        onWarning,
      });
      closing.push(() => store.close());
      await store.init();
      const { rows } = await shared.query(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = '${schema}' AND tablename NOT LIKE '%version'`,
      );
      expect(rows.length).toBeGreaterThan(1);
      for (const { name } of rows) {
        await shared.query(`REVOKE UPDATE ON ${schema}.${name} FROM ${role}`);
        await expect(store.init(), name).rejects.toMatchObject({
          code: 'unavailable',
          message: expect.stringContaining(name),
        });
        await shared.query(`GRANT UPDATE ON ${schema}.${name} TO ${role}`);
      }
      await store.init();
    }
  });

  it('may end a connection with the bytes that complete it: the process stays', async () => {
    const schema = fresh();
    const pool = new Pool({ connectionString: server.url, max: 1 });
    const store = new PostgresStore({ pool, schema, owned: true, timeout });
    closing.push(() => store.close());
    let isEnding = true;
    pool.on('connect', (client) => {
      // As if FATAL stood behind ReadyForQuery in one packet.
      if (isEnding) client.emit('error', new Error('terminating connection'));
      isEnding = false;
    });
    await store.init().catch(() => {});
    await expect.poll(() => store.health().then(() => 'ok', String)).toBe('ok');
  });

  describe.skipIf(isAbsent('/usr/sbin/pgbouncer'))('behind PgBouncer', () => {
    let bouncer: ChildProcess | undefined;
    let folder: string;
    afterEach(async () => {
      if (bouncer?.exitCode === null) {
        bouncer.kill('SIGKILL');
        await once(bouncer, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    });

    async function startBouncer(mode: string): Promise<string> {
      folder = mkdtempSync(path.join(tmpdir(), 'bouncer-'));
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as AddressInfo;
      await new Promise((resolve) => probe.close(resolve));
      const { port: target } = new URL(server.url);
      const lines = [
        '[databases]',
        `postgres = host=127.0.0.1 port=${target} user=postgres`,
        '[pgbouncer]',
        `listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =`,
        `auth_type = any\npool_mode = ${mode}\ndefault_pool_size = 3`,
      ];
      writeFileSync(path.join(folder, 'bouncer.ini'), lines.join('\n'));
      const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
      bouncer = spawn('/usr/sbin/pgbouncer', [...user, path.join(folder, 'bouncer.ini')], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      await new Promise<void>((ready, fail) => {
        bouncer?.once('exit', (code) => fail(new Error(`pgbouncer ended with ${code}`)));
        bouncer?.stderr?.on('data', (data: Buffer) => data.includes('process up') && ready());
      });
      return `postgres://postgres@127.0.0.1:${port}/postgres`;
    }

    it('that pools transactions keeps the contract where operations meet', async () => {
      const url = await startBouncer('transaction');
      const cases = storeContract({ open: openOn(() => url) });
      for (const { name, run } of cases)
        if (/one jti at once|acknowledged|another process/.test(name)) await run();
    }, 180_000);

    it('that pools statements is refused', async () => {
      const url = await startBouncer('statement');
      const pool = new Pool({ connectionString: url });
      const store = new PostgresStore({ pool, schema: fresh(), owned: true, timeout });
      await expect(store.init()).rejects.toThrow(/transaction/);
      await store.close();
    });
  });
});

const isSkipped = !redisAvailable && !process.env['CI'];

describe.skipIf(isSkipped)('Redis', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  const client = (more: { username?: string; password?: string } = {}) =>
    createClient({ url: server.url.includes(':') ? server.url : `unix://${server.url}`, ...more });

  it('lets a user without INFO work, and says what it could not look at', async () => {
    const admin = client();
    await admin.connect();
    closing.push(async () => admin.close());
    const prefix = fresh();
    await admin.sendCommand(['ACL', 'SETUSER', prefix, 'on', '>pw', `~{${prefix}}*`, '+@all', '-@dangerous']);
    const user = client({ username: prefix, password: 'pw' });
    const warnings: string[] = [];
    const store = new RedisStore({
      client: user,
      prefix,
      owned: true,
      timeout,
      onWarning: (text) => warnings.push(text),
    });
    closing.push(() => store.close());
    expect(await store.reserve(guess('a'))).toMatchObject({ answer: 'reserved' });
    await store.health();
    expect(warnings).toEqual([expect.stringContaining('INFO')]);
    const strict = new RedisStore({ client: user, prefix, timeout, strict: true });
    await expect(strict.init()).rejects.toThrow('INFO');
    await strict.close();
  });

  it('that lets a user read and not write is found at the start', async () => {
    const admin = client();
    await admin.connect();
    closing.push(async () => admin.close());
    const prefix = fresh();
    await admin.sendCommand([
      'ACL',
      'SETUSER',
      prefix,
      'on',
      '>pw',
      `~{${prefix}}*`,
      '+@all',
      '-@write',
      '+eval',
      '+evalsha',
    ]);
    for (const Store of [RedisStore, RedisRecordStore]) {
      const user = client({ username: prefix, password: 'pw' });
      const store = new Store({ client: user, prefix, owned: true, timeout, onWarning });
      closing.push(() => store.close());
      await expect(store.init()).rejects.toThrow(/can't run|permission/i);
    }
  });

  it('that is a replica is refused, by its reads too', async () => {
    const other = await startRedis();
    closing.push(() => other.stop());
    const at = createClient({ url: other.url.includes(':') ? other.url : `unix://${other.url}` });
    await at.connect();
    const prefix = fresh();
    const store = new RedisStore({ client: at, prefix, owned: true, timeout, onWarning });
    closing.push(() => store.close());
    expect(await store.isDisabled(['u'])).toBe(false);
    await at.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    await expect(store.isDisabled(['u'])).rejects.toThrow(/READONLY|MASTERDOWN/);
    await expect(store.feed({ limit: 1 })).rejects.toThrow(/READONLY|MASTERDOWN/);
    const fresher = new RedisStore({ client: at, prefix, timeout, onWarning });
    await expect(fresher.init()).rejects.toThrow(/READONLY|MASTERDOWN/);
    await fresher.close();
  });
});
