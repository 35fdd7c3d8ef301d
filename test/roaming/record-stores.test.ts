import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqlite } from '../../lib/databases/sqlite-driver.ts';
import { disable } from '../../lib/device/disable.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { type RecordStoreUnderTest, recordStoreContract } from '../../lib/roaming/stores/contract.ts';
import { MemoryRecordStore } from '../../lib/roaming/stores/memory.ts';
import { PostgresRecordStore } from '../../lib/roaming/stores/postgres.ts';
import { RedisRecordStore } from '../../lib/roaming/stores/redis.ts';
import { SqliteRecordStore } from '../../lib/roaming/stores/sqlite.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { redisAvailable, startRedis, type TestRedis } from '../support/redis.ts';
import { PASSWORD, recordOf, startWorld } from './support.ts';

let postgres: TestPostgres;
let pool: Pool;
let redis: TestRedis | undefined;
let client: ReturnType<typeof connect>;
let opened = 0;

const connect = ({ url }: TestRedis) => createClient({ url: url.includes(':') ? url : `unix://${url}` });
const hasRedis = redisAvailable || Boolean(process.env['CI']);
if (!hasRedis) console.warn('SKIPPED: the tests of RedisRecordStore, for want of redis-server on the PATH');

beforeAll(async () => {
  postgres = await startPostgres();
  pool = new Pool({ connectionString: postgres.url, max: 10 });
  // Connections that end with the server, after the last store has let go of the pool.
  pool.on('error', () => {});
  if (!hasRedis) return;
  redis = await startRedis();
  client = connect(redis);
  await client.connect();
});

afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
  await client?.close();
  await redis?.stop();
});

const withFolder = () => mkdtempSync(path.join(tmpdir(), 'rk-'));

const OPEN: Record<string, () => Promise<RecordStoreUnderTest>> = {
  async MemoryRecordStore() {
    return { store: new MemoryRecordStore(), async close() {} };
  },
  async SqliteRecordStore() {
    const folder = withFolder();
    const stores: SqliteRecordStore[] = [];
    const another = async () => {
      const store = new SqliteRecordStore(path.join(folder, 'records.db'));
      stores.push(store);
      return store;
    };
    return {
      store: await another(),
      another,
      async close() {
        for (const store of stores) await store.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  async 'SqliteRecordStore on the handle of another store'() {
    const folder = withFolder();
    const handle = await openSqlite(path.join(folder, 'app.db'));
    const neighbour = new SqliteStore(handle);
    await neighbour.init();
    const store = new SqliteRecordStore(handle);
    return {
      store,
      async close() {
        expect(await neighbour.claimOnce({ name: 'x', expiresAt: 4_000_000_000 })).toBe(true);
        await store.close();
        await neighbour.close();
        handle.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  async PostgresRecordStore() {
    opened += 1;
    const schema = `records_${process.pid}_${opened}`;
    const store = new PostgresRecordStore({ pool, schema, timeout: 60_000 });
    const others: PostgresRecordStore[] = [];
    return {
      store,
      async another() {
        const other = new PostgresRecordStore({
          pool: new Pool({ connectionString: postgres.url, max: 4 }),
          schema,
          owned: true,
          timeout: 60_000,
        });
        others.push(other);
        return other;
      },
      async close() {
        for (const each of [store, ...others]) await each.close().catch(() => {});
        await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      },
    };
  },
  ...(hasRedis && {
    async RedisRecordStore() {
      opened += 1;
      const prefix = `records-${process.pid}-${opened}`;
      const store = new RedisRecordStore({ client, prefix, timeout: 60_000 });
      const others: RedisRecordStore[] = [];
      return {
        store,
        async another() {
          const other = new RedisRecordStore({ client: connect(redis as TestRedis), prefix, owned: true });
          others.push(other);
          return other;
        },
        async close() {
          for (const each of [store, ...others]) await each.close();
        },
      };
    },
  }),
};

describe.each(Object.entries(OPEN))('%s', (_name, open) => {
  describe('keeps the contract', () => {
    for (const { name, run } of recordStoreContract({ open })) it(name, run, 180_000);
  });

  it('holds a user’s record from enrolment over a new password to disabling', async () => {
    const under = await open();
    const { assistant, service, enrol, roam, rp } = await startWorld({ store: under.store });
    try {
      await enrol('bob');
      const { code, kit } = await enrol('ada');
      const device = await roam('ada', code);
      let newKit = kit;
      await device.changePassword({
        password: PASSWORD,
        newPassword: 'another one',
        saveKit: async (made) => {
          newKit = made;
        },
        relyingParties: [{ url: `${rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
      });
      const second = await roam('ada', code);
      await second.login({ url: `${rp.origin}/login`, account: 'ada', password: 'another one' });
      expect(await new RecordServiceClient(service.as('ada')).fetches()).toHaveLength(2);
      const { u } = second.record;
      expect((await recordOf(service, 'ada', code)).u).toBe(u);
      await disable(newKit, { fetch: assistant.fetch });
      const decoy = await recordOf(service, 'ada');
      expect(await recordOf(service, 'ada', code)).toEqual(decoy);
      expect(decoy.u).not.toBe(u);
      expect(await under.store.deleteNamed(u)).toBe(0);
      expect(await new RecordServiceClient(service.as('ada')).stored()).toBeUndefined();
      expect(await new RecordServiceClient(service.as('bob')).stored()).toBeDefined();
      expect(service.errors).toEqual([]);
    } finally {
      await service.records.close();
      await under.close();
    }
  }, 180_000);
});

it('SQLite leaves nothing of a deleted or a replaced record in its files', async () => {
  const folder = withFolder();
  const store = new SqliteRecordStore(path.join(folder, 'records.db'));
  await store.init();
  const put = (owner: string, record: string) =>
    store.put({ owner, key: `key of ${owner}`, u: `u of ${owner}`, kid: 'k', record });
  const marker = (name: string) => `MARKER-${name}-`.padEnd(1500, name);
  const onDisk = () =>
    readdirSync(folder)
      .map((file) => readFileSync(path.join(folder, file), 'latin1'))
      .join('');
  await put('one', marker('first'));
  await put('two', marker('second'));
  await put('three', marker('third'));
  expect(onDisk()).toContain('MARKER-first-');
  await put('one', marker('next'));
  await store.delete('two');
  await store.fetch({ key: 'key of three', otherwise: '', stranger: '', address: 'MARKER-address' });
  await store.deleteNamed('u of three');
  const left = onDisk();
  await store.close();
  rmSync(folder, { recursive: true });
  expect(left).toContain('MARKER-next-');
  for (const gone of ['MARKER-first-', 'MARKER-second-', 'MARKER-third-', 'MARKER-address', 'key of two'])
    expect(left).not.toContain(gone);
});

it.each([
  () => new MemoryRecordStore({ maxRecords: 0 }),
  () => new SqliteRecordStore(''),
  () => new SqliteRecordStore('x', { busyTimeout: -1 }),
  () => new PostgresRecordStore({ pool: {} as never }),
  () => new PostgresRecordStore({ pool: { connect() {}, on() {} } as never, schema: 'X; DROP' }),
  () => new RedisRecordStore({ client: {} as never }),
  () => new RedisRecordStore({ client: { evalSha() {} } as never, prefix: '{' }),
])('%s is a programmer’s mistake', (make) => {
  expect(make).toThrow(TypeError);
});

it('a memory store that is full refuses new owners and serves those it has', async () => {
  const store = new MemoryRecordStore({ maxRecords: 1 });
  const entry = { owner: 'a', key: 'a', u: 'u', kid: 'k', record: '{}' };
  await store.put(entry);
  await expect(store.put({ ...entry, owner: 'b', key: 'b' })).rejects.toMatchObject({ code: 'unavailable' });
  expect(await store.put({ ...entry, record: '{"b":1}' })).toBe('stored');
});
