import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { DEFAULT_GUESS_POLICY, type GuessPolicy, waitAfter } from '../../lib/store/guess-policy.ts';
import { RedisStore, type RedisStoreOptions } from '../../lib/store/redis.ts';
import { spellPolicy } from '../../lib/store/redis-scripts.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable, startRedis, type TestRedis } from '../support/redis.ts';
import { SHIFT } from './redis-shift.ts';

/** Waits for what a server or a connection does in its own time, however busy the machine is. */
const urlOf = ({ url }: TestRedis) => (url.includes(':') ? url : `unix://${url}`);
const client = (redis: TestRedis) => createClient({ url: urlOf(redis) });

let redis: TestRedis;
let shared: ReturnType<typeof client>;
let opened = 0;
const freshPrefix = () => {
  opened += 1;
  return `test-${process.pid}-${opened}`;
};

// On CI a missing server is a failure; elsewhere its absence must not go unnoticed.
const isSkipped = !redisAvailable && !process.env['CI'];
if (isSkipped)
  console.warn('SKIPPED: the tests of RedisStore, for want of redis-server or valkey-server on the PATH');

beforeAll(async () => {
  if (isSkipped) return;
  redis = await startRedis();
  shared = client(redis);
  await shared.connect();
});

afterAll(async () => {
  await shared?.close();
  await redis?.stop();
});

const guess = (jti: string, policy: GuessPolicy = DEFAULT_GUESS_POLICY) => ({
  id: 'id',
  u: 'u',
  jti,
  policy,
  seenUntil: 4_000_000_000,
  admitNew: true,
});

describe.skipIf(isSkipped)('RedisStore keeps the contract', () => {
  const open = async () => {
    const prefix = freshPrefix();
    const store = new RedisStore({ client: shared, prefix, strict: true, timeout: 60_000 });
    const stores = [store];
    return {
      store,
      async another() {
        const other = new RedisStore({ client: client(redis), prefix, owned: true, timeout: 60_000 });
        stores.push(other);
        return other;
      },
      async advance(seconds: number) {
        await shared.eval(SHIFT, { arguments: [`${seconds}`, `{${prefix}}*`] });
      },
      async close() {
        for (const one of stores) await one.close();
      },
    };
  };

  for (const { name, run } of storeContract({ open })) it(name, run);
});

describe.skipIf(isSkipped)('what RedisStore leaves in Redis', () => {
  it('is the seen request after a success that is not remembered, and that for its time only', async () => {
    const prefix = freshPrefix();
    const store = new RedisStore({ client: shared, prefix, strict: true });
    const { now } = (await store.reserve(guess('other'))) as { now: number };
    await store.settle({ ...guess('other'), remember: false });
    await store.reserve({ ...guess('one'), id: 'alone', seenUntil: now + 500 });
    await store.settle({ ...guess('one'), id: 'alone', remember: false });
    expect((await shared.keys(`{${prefix}}*`)).sort()).toEqual([
      `{${prefix}}:seen:alone`,
      `{${prefix}}:seen:id`,
    ]);
    expect(await shared.expireTime(`{${prefix}}:seen:alone`)).toBe(now + 500);
    await store.fail(guess('nothing'));
    await store.claimOnce({ name: 'claim', expiresAt: now + 50 });
    expect(await shared.expireTime(`{${prefix}}:claim:claim`)).toBe(now + 50);
    for (const by of [1, 1, -1]) {
      const { resetAt } = await store.count({ name: 'name', seconds: 60, by });
      expect(await shared.expireTime(`{${prefix}}:count:name`)).toBe(resetAt);
    }
    await store.count({ name: 'name', seconds: 60, by: -1 });
    expect(await shared.exists(`{${prefix}}:count:name`)).toBe(0);
    await store.close();
  });

  it('has the failures of the window expire with it, and keeps failures in a row', async () => {
    const prefix = freshPrefix();
    const store = new RedisStore({ client: shared, prefix });
    await store.reserve(guess('a'));
    const { now } = await store.fail(guess('a'));
    const key = `{${prefix}}:guesses:id`;
    expect(await shared.expireTime(key)).toBe(-1);
    await store.settle({ ...guess('none'), remember: false });
    expect(await shared.expireTime(key)).toBe(now + DEFAULT_GUESS_POLICY.window);
    const settled = await store.settle(guess('none'));
    expect(await shared.expireTime(key)).toBe(settled.now + DEFAULT_GUESS_POLICY.knownFor);
    await store.reserve(guess('b'));
    expect(await shared.expireTime(key)).toBe(-1);
    await store.settle({ ...guess('b'), reissue: true });
    await store.unlock('id');
    expect(await shared.expireTime(key)).toBe(-1);
    await store.close();
  });

  it('reads and writes tallies of thousands of failures', async () => {
    const prefix = freshPrefix();
    const store = new RedisStore({ client: shared, prefix });
    const policy = { ...DEFAULT_GUESS_POLICY, free: 9000, limit: 10_000 };
    const named = { id: 'id', u: 'u', policy };
    const failures = 8200;
    const recent = Array.from({ length: failures }, () => 3_999_999_999);
    const tally = { f: failures, l: 3_999_999_999, s: false, r: recent, o: {} };
    await shared.set(`{${prefix}}:guesses:id`, JSON.stringify(tally));
    expect(await store.settle({ ...named, jti: 'a' })).toMatchObject({ failedSince: { count: failures } });
    expect(await store.settle({ ...named, jti: 'b' })).toMatchObject({ failedSince: { count: 0 } });
    await store.close();
  });

  it('lies in one slot of a cluster', async () => {
    const prefix = freshPrefix();
    const store = new RedisStore({ client: shared, prefix });
    await store.reserve(guess('a'));
    await store.disable({ u: 'u', t: 't' });
    await store.settle({ ...guess('b'), u: 'v', retire: true });
    await store.claimOnce({ name: 'name', expiresAt: 4_000_000_000 });
    await store.count({ name: 'name', seconds: 60, by: 1 });
    const keys = await shared.keys(`*${prefix}*`);
    expect(keys.length).toBe(7);
    for (const key of keys) expect(key.startsWith(`{${prefix}}:`)).toBe(true);
    await store.close();
  });

  it('survives the loss of the scripts', async () => {
    const store = new RedisStore({ client: shared, prefix: freshPrefix() });
    await store.reserve(guess('a'));
    await shared.scriptFlush();
    expect((await store.reserve(guess('a'))).answer).toBe('replayed');
    await store.close();
  });
});

describe.skipIf(isSkipped)('the second in which a reservation lapses', () => {
  it('counts it already', async () => {
    for (let tries = 0; ; tries++) {
      expect(tries).toBeLessThan(10);
      const prefix = freshPrefix();
      const store = new RedisStore({ client: shared, prefix });
      const { now } = (await store.reserve(guess('a'))) as { now: number };
      await shared.eval(SHIFT, { arguments: ['60', `{${prefix}}*`] });
      const failed = await store.fail(guess('a'));
      await store.close();
      if (failed.now !== now) continue;
      expect(failed).toEqual({ now, attemptsLeft: 4, isNew: false, retryAt: now });
      return;
    }
  });
});

describe('the policy as the scripts read it', () => {
  it('holds the wait of every count of failures', () => {
    const policies = [
      DEFAULT_GUESS_POLICY,
      { ...DEFAULT_GUESS_POLICY, free: 1, limit: 1 },
      { ...DEFAULT_GUESS_POLICY, firstWait: 7, maxWait: 7 },
      { ...DEFAULT_GUESS_POLICY, free: 3, firstWait: 1, maxWait: Number.MAX_SAFE_INTEGER },
    ];
    for (const policy of policies) {
      const { waits } = JSON.parse(spellPolicy(policy)) as { waits: number[] };
      for (let n = policy.free; n < policy.free + 100; n++) {
        expect(waits[Math.min(n - policy.free, waits.length - 1)]).toBe(waitAfter(n, policy));
      }
    }
  });
});

describe.skipIf(isSkipped)('the settings of the server', () => {
  const risky: [string, string, string, RegExp][] = [
    ['appendfsync', 'everysec', 'always', /appendfsync always/],
    ['appendonly', 'no', 'yes', /appendonly yes/],
    ['maxmemory-policy', 'allkeys-lru', 'noeviction', /maxmemory-policy noeviction/],
  ];

  it.each(risky)('%s %s is warned of, or refused', async (name, bad, good, warning) => {
    await shared.configSet(name, bad);
    if (name === 'maxmemory-policy') await shared.configSet('maxmemory', '100mb');
    try {
      const warnings: string[] = [];
      const lenient = new RedisStore({
        client: shared,
        prefix: freshPrefix(),
        onWarning: (w) => warnings.push(w),
      });
      expect((await lenient.reserve(guess('a'))).answer).toBe('reserved');
      await lenient.init();
      expect(warnings).toEqual([expect.stringMatching(warning)]);
      const strict = new RedisStore({ client: shared, prefix: freshPrefix(), strict: true });
      await expect(strict.init()).rejects.toThrow(warning);
      await expect(strict.reserve(guess('a'))).rejects.toThrow(warning);
    } finally {
      await shared.configSet(name, good);
      await shared.configSet('maxmemory', '0');
    }
  });

  it('are taken to be risky where the server does not tell', async () => {
    await shared.aclSetUser('limited', ['on', '>secret', '~*', '+@all', '-config']);
    const limited = createClient({ url: urlOf(redis), username: 'limited', password: 'secret' });
    const warnings: string[] = [];
    const store = new RedisStore({ client: limited, owned: true, onWarning: (w) => warnings.push(w) });
    await store.init();
    expect(warnings).toEqual([expect.stringMatching(/appendfsync always/)]);
    await store.close();
    await shared.aclDelUser('limited');
  });

  it('that run out of memory give no guess and no acknowledgement', async () => {
    const store = new RedisStore({ client: shared, prefix: freshPrefix() });
    await store.init();
    await shared.configSet('maxmemory', '1');
    try {
      await expect(store.reserve(guess('a'))).rejects.toThrow('OOM');
      await expect(store.disable({ u: 'u', t: 't' })).rejects.toThrow('OOM');
      await expect(store.count({ name: 'name', seconds: 60, by: 1 })).rejects.toThrow('OOM');
    } finally {
      await shared.configSet('maxmemory', '0');
    }
    expect(await store.isDisabled(['u'])).toBe(false);
    expect((await store.reserve(guess('a'))).answer).toBe('reserved');
    await store.close();
  });
});

/** A way to the server that can be cut, stalled and mended. */
class Line {
  readonly path = path.join(tmpdir(), `rk-line-${process.pid}-${freshPrefix()}`);
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  stalled = false;

  async mend(): Promise<void> {
    this.#server = createServer((near) => {
      const { hostname, port } = redis.url.includes(':') ? new URL(redis.url) : { hostname: '', port: '' };
      const far = port ? connect(Number(port), hostname) : connect(redis.url);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', (data) => far.write(data));
      far.on('data', (data) => this.stalled || near.write(data));
    }).listen(this.path);
    await once(this.#server, 'listening');
  }

  async cut(): Promise<void> {
    const closed = this.#server && once(this.#server, 'close');
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await closed;
  }
}

describe.skipIf(isSkipped)('a server that cannot be reached', () => {
  async function overLine(options: Partial<RedisStoreOptions> = {}) {
    const line = new Line();
    await line.mend();
    const far = createClient({ url: `unix://${line.path}`, socket: { reconnectStrategy: 20 } });
    const prefix = freshPrefix();
    const store = new RedisStore({ client: far, prefix, owned: true, timeout: 1000, ...options });
    return { line, store, prefix };
  }

  it('makes every operation reject within its time, and never gives a guess', async () => {
    const { line, store } = await overLine();
    await store.reserve(guess('first'));
    await line.cut();
    const since = performance.now();
    const operations: [string, Promise<unknown>][] = [
      ['reserve', store.reserve(guess('a'))],
      ['fail', store.fail(guess('first'))],
      ['settle', store.settle(guess('first'))],
      ['release', store.release(guess('first'))],
      ['disable', store.disable({ u: 'u', t: 't' })],
      ['isDisabled', store.isDisabled(['u'])],
      ['feed', store.feed({ limit: 1 })],
      ['count', store.count({ name: 'name', seconds: 60, by: 1 })],
      ['claimOnce', store.claimOnce({ name: 'name', expiresAt: 4_000_000_000 })],
      ['unlock', store.unlock('id')],
      ['forget', store.forget('id')],
      ['health', store.health()],
    ];
    const results = await Promise.allSettled(operations.map(([, operation]) => operation));
    for (const [i, { status }] of results.entries())
      expect([operations[i]?.[0], status]).toContain('rejected');
    expect(performance.now() - since).toBeLessThan(20_000);
    await line.mend();
    await eventually(() => store.health());
    expect((await store.reserve(guess('a'))).answer).toBe('reserved');
    expect(await store.isDisabled(['u'])).toBe(false);
    await store.close();
    await line.cut();
  });

  it('from the start makes init and operations reject, and both work once it is there', async () => {
    const { line, store } = await overLine();
    await line.cut();
    await expect(store.init()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.reserve(guess('a'))).rejects.toMatchObject({ code: 'unavailable' });
    await line.mend();
    await eventually(() => store.init());
    expect((await store.reserve(guess('a'))).answer).toBe('reserved');
    await store.close();
    await line.cut();
  });

  it('that answers too late does not cost the owner a failure', async () => {
    const { line, store, prefix } = await overLine();
    const near = new RedisStore({ client: shared, prefix });
    await store.init();
    await shared.sendCommand(['CLIENT', 'PAUSE', '2500', 'ALL']);
    await expect(store.reserve(guess('slow'))).rejects.toMatchObject({ code: 'unavailable' });
    await eventually(async () => expect((await near.reserve(guess('slow'))).answer).toBe('replayed'));
    await eventually(async () => expect(await shared.exists(`{${prefix}}:guesses:id`)).toBe(0));
    await near.close();
    await store.close();
    await line.cut();
  });

  it('is asked no more at once than the app allows', async () => {
    const { line, store } = await overLine({ maxPending: 3 });
    await store.init();
    line.stalled = true;
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => store.reserve(guess(`${i}`))),
    );
    const messages = results.map((result) => (result.status === 'rejected' ? String(result.reason) : ''));
    expect(messages.filter((message) => message.includes('too many'))).toHaveLength(7);
    expect(messages.filter((message) => message.includes('in time'))).toHaveLength(3);
    await store.close();
    await line.cut();
  });
});

describe('options of RedisStore', () => {
  it('refuses what is none', () => {
    const fine = createClient();
    for (const bad of [undefined, null, {}, 'redis://localhost']) {
      expect(() => new RedisStore({ client: bad as unknown as typeof fine })).toThrow(/^client/);
    }
    for (const prefix of ['', '{a}', 'a b', 'x'.repeat(65)]) {
      expect(() => new RedisStore({ client: fine, prefix })).toThrow(/^prefix/);
    }
    for (const timeout of [0, -1, 1.5, 60_001]) {
      expect(() => new RedisStore({ client: fine, timeout })).toThrow(/^timeout/);
    }
    expect(() => new RedisStore({ client: fine, maxPending: 0 })).toThrow(/^maxPending/);
  });

  it.skipIf(isSkipped)('leaves the app its client, and closes its own', async () => {
    const store = new RedisStore({ client: shared, prefix: freshPrefix() });
    await store.close();
    await expect(store.isDisabled(['u'])).rejects.toThrow('closed');
    expect(await shared.ping()).toBe('PONG');
    const own = client(redis);
    const owner = new RedisStore({ client: own, prefix: freshPrefix(), owned: true });
    await owner.health();
    await owner.close();
    expect(own.isOpen).toBe(false);
  });
});
