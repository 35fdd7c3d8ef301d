/** The contract on older drivers: redis 4.7, redis 5.12 and pg 8.7. */
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PgPool } from '../../lib/databases/postgres.ts';
import type { RedisClient } from '../../lib/databases/redis.ts';
import { storeContract } from '../../lib/store/contract.ts';
import { PostgresStore } from '../../lib/store/postgres.ts';
import { RedisStore } from '../../lib/store/redis.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { redisAvailable, startRedis, type TestRedis } from '../support/redis.ts';
import { OlderDrivers } from './older-drivers.ts';
import { shift } from './postgres-shift.ts';
import { SHIFT } from './redis-shift.ts';

const timeout = 60_000;
let opened = 0;
const fresh = () => {
  opened += 1;
  return `old_${process.pid}_${opened}`;
};

let drivers: OlderDrivers;
beforeAll(() => {
  drivers = OlderDrivers.install();
});
afterAll(() => drivers?.remove());

it('clients of redis 4 and redis 5 have the type that stores take', () => {
  drivers.checkRedisTypes();
});

const isSkipped = !redisAvailable && !process.env['CI'];

describe.skipIf(isSkipped)('redis', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  for (const major of [4, 5] as const) {
    describe(`${major}`, () => {
      const create = () =>
        drivers
          .redis(major)
          .createClient(
            server.url.includes(':') ? { url: server.url } : { socket: { path: server.url, tls: false } },
          );
      const open = async () => {
        const prefix = fresh();
        const client = create() as RedisClient & { eval(script: string, options: object): Promise<unknown> };
        const store = new RedisStore({ client, prefix, strict: true, timeout });
        const stores = [store];
        await store.init();
        return {
          store,
          async another() {
            const other = new RedisStore({ client: create(), prefix, owned: true, timeout });
            stores.push(other);
            return other;
          },
          async advance(seconds: number) {
            await client.eval(SHIFT, { keys: [], arguments: [`${seconds}`, `{${prefix}}*`] });
          },
          async close() {
            for (const one of stores) await one.close();
            await (client.close ?? client.quit)?.call(client);
          },
        };
      };
      for (const { name, run } of storeContract({ open })) it(name, run, 180_000);

      it('an owned client is replaced when it is silent, and closed with the store', async () => {
        const client = create() as RedisClient;
        const store = new RedisStore({ client, prefix: fresh(), owned: true, timeout: 1000 });
        await store.init();
        const other = create() as unknown as {
          connect(): Promise<unknown>;
          sendCommand(args: string[]): Promise<unknown>;
        } & RedisClient;
        other.on('error', () => {});
        await other.connect();
        await other.sendCommand(['CLIENT', 'PAUSE', '4000', 'ALL']);
        for (let i = 0; i < 3; i++) await expect(store.isDisabled(['u'])).rejects.toThrow();
        await expect.poll(() => store.isDisabled(['u']).catch(() => 'not yet')).toBe(false);
        expect(client.isOpen).toBe(false);
        await store.close();
        await (other.close ?? other.quit)?.call(other);
      });
    });
  }
});

describe('pg 8.7', () => {
  let server: TestPostgres;
  let shared: Pool;
  const pools: Pool[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    shared = new Pool({ connectionString: server.url, max: 4 });
  }, 180_000);
  afterAll(async () => {
    for (const pool of pools) await pool.end();
    await shared?.end();
    await server?.stop();
  });
  const create = (max: number) => {
    const pool = new drivers.pg.Pool({ connectionString: server.url, max });
    pools.push(pool);
    return pool as PgPool;
  };

  const open = async () => {
    const schema = fresh();
    const store = new PostgresStore({ pool: create(6), schema, strict: true, timeout });
    const stores = [store];
    return {
      store,
      async another() {
        const other = new PostgresStore({ pool: create(4), schema, timeout });
        stores.push(other);
        return other;
      },
      advance: (seconds: number) => shift(shared, schema, seconds),
      async close() {
        for (const one of stores) await one.close();
        for (const pool of pools.splice(0)) await pool.end();
        await shared.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      },
    };
  };
  for (const { name, run } of storeContract({ open })) it(name, run, 180_000);

  it('a connection that hangs rejects within its time', async () => {
    const schema = fresh();
    const store = new PostgresStore({ pool: create(1), schema, timeout: 1000 });
    await store.init();
    const locker = await shared.connect();
    await locker.query(`BEGIN; LOCK TABLE ${schema}.disabled`);
    await expect(store.isDisabled(['u'])).rejects.toThrow();
    await locker.query('ROLLBACK');
    locker.release();
    await expect.poll(() => store.isDisabled(['u']).catch(() => 'not yet')).toBe(false);
    await store.close();
  });
});
