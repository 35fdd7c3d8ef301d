/** Attacks on the limits per address: by going to another process, by many addresses, by a store that fails. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express from 'express';
import request from 'supertest';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { openSqlite } from '../../lib/databases/sqlite-driver.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import type { CountAnswer, CountRequest, Store } from '../../lib/store/store.ts';
import { type ChallengeOptions, challenge } from '../../lib/strategy/challenge.ts';
import { type EngineName, isMissing, startEngine } from '../cluster/engines.ts';
import { type AssistantWorld, startAssistant } from '../support/world.ts';
import { assist, countedSince, makeDisabling, makeRequest, makeTicket, post, random } from './support.ts';

const SECRET = 'a secret of at least thirty-two bytes';

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-limits-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const challenger = (store: Store, more: Partial<ChallengeOptions> = {}) =>
  challenge({
    audience: 'https://app.example',
    secret: SECRET,
    store,
    keysOf: () => undefined,
    onError: () => {},
    ...more,
  });

const tally = (statuses: readonly number[]) =>
  Object.fromEntries(
    [...new Set(statuses)].map((status) => [status, statuses.filter((one) => one === status).length]),
  );

describe.each(['sqlite', 'redis', 'postgres'] as const)(
  'four processes on one store in %s',
  (name: EngineName) => {
    const LIMIT = 15;

    async function start(folder: string, url: string): Promise<string> {
      const program = new URL('./limited-process.ts', import.meta.url).pathname;
      const args = ['--import', 'tsx', program, path.join(folder, 'keys.json'), url, `${LIMIT}`];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      return new Promise((ready, fail) => {
        child.once('exit', () => fail(new Error('the process ended')));
        child.stdout.once('data', (data: Buffer) => ready(data.toString().trim()));
      });
    }

    it.skipIf(isMissing(name))(
      'give an address as many disablings and challenges as one process',
      async () => {
        const folder = temporaryFolder();
        const engine = await startEngine(name);
        onTestFinished(() => engine.stop());
        const keys = await KeySet.file(path.join(folder, 'keys.json'));
        const urls = await Promise.all(Array.from({ length: 4 }, () => start(folder, engine.url)));
        const ask = async (url: string, address: string, body: object) => {
          const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
          const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
          await response.arrayBuffer();
          return response.status;
        };
        const burst = async (to: string, address: string, body: object) =>
          tally(
            await Promise.all(Array.from({ length: 80 }, (_, i) => ask(urls[i % 4] + to, address, body))),
          );
        const { body } = await makeDisabling(keys.active.jwk);
        const expected = { 200: LIMIT, 429: 80 - LIMIT };
        expect(await burst('/assistant/disable', '192.0.2.1', body)).toEqual(expected);
        expect(await burst('/login/challenge', '192.0.2.1', {})).toEqual(expected);
        expect(await burst('/login/challenge', '2001:db8:1:200::1', {})).toEqual(expected);
        for (const url of urls) {
          expect(await ask(`${url}/assistant/disable`, '192.0.2.1', body)).toBe(429);
          expect(await ask(`${url}/login/challenge`, '2001:db8:1:2ff::2', {})).toBe(429);
          expect(await ask(`${url}/login/challenge`, '2001:db8:2::1', {})).toBe(200);
        }
      },
      120_000,
    );
  },
);

describe('two assistants on one store', () => {
  /** Asks with a wrong password and a ticket that nobody has seen. */
  const newId = async (world: AssistantWorld) => {
    const ticket = await makeTicket(world.keys.active.jwk);
    return (await assist(world, await makeRequest(ticket, { beta: random(32) }))).json.code;
  };

  async function pair(newIdsPerHour: number) {
    const store = new MemoryStore();
    const keys = await KeySet.generate();
    const count = vi.spyOn(store, 'count');
    const start = () => startAssistant({ store, keys, newIdsPerHour });
    return { store, count, one: await start(), other: await start(), start };
  }

  it('let an address make as many entries as one, and one more for the second to learn of it', async () => {
    const { one, other, start, count } = await pair(4);
    const known = await makeTicket(one.keys.active.jwk);
    await assist(one, await makeRequest(known, { beta: random(32) }));
    for (const world of [other, one, other]) expect(await newId(world)).toBe('wrong_password');
    // The fourth was spent at the second, which knows it; the first learns it by one more.
    expect(await newId(other)).toBe('busy');
    expect(await newId(one)).toBe('wrong_password');
    for (const world of [one, other, one, other]) expect(await newId(world)).toBe('busy');
    const third = await start();
    expect([await newId(third), await newId(third)]).toEqual(['wrong_password', 'busy']);
    expect(count).toHaveBeenCalledTimes(6);
    for (const world of [one, other, third])
      expect(await countedSince(world, known)).toBe(world === one ? 1 : 0);
  });

  it('go no further beyond it than by the requests that are under way', async () => {
    const { one, other, count } = await pair(10);
    const together = async (times: number) =>
      (await Promise.all(Array.from({ length: times }, (_, i) => newId(i % 2 ? one : other)))).filter(
        (code) => code === 'wrong_password',
      ).length;
    for (let i = 0; i < 9; i++) await newId(one);
    // One is left, and a process that does not know it yet has one more: each of both lets at least one through.
    const through = await together(20);
    expect(through).toBeGreaterThanOrEqual(2);
    expect(await together(40)).toBe(0);
    expect(count).toHaveBeenCalledTimes(9 + through);
  });

  it('ask the store nothing for a right password, nor for a wrong one of a known id', async () => {
    const { one, count } = await pair(2);
    const owner = await makeTicket(one.keys.active.jwk);
    await assist(one, await makeRequest(owner, { beta: random(32) }));
    expect(count).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 5; i++) expect((await assist(one, await makeRequest(owner))).status).toBe(200);
    await assist(one, await makeRequest(owner, { beta: random(32) }));
    expect((await assist(one, await makeRequest(await makeTicket(owner.jwk)))).status).toBe(200);
    expect(count).toHaveBeenCalledTimes(1);
  });

  it('tell no verdict on a new id while the store cannot count it', async () => {
    const { one, count } = await pair(2);
    count.mockRejectedValue(new Error('connection lost, password=hunter2'));
    const owner = await makeTicket(one.keys.active.jwk);
    const answer = await assist(one, await makeRequest(owner, { beta: random(32) }));
    expect(answer.status).toBe(503);
    expect(answer.opened).toMatchObject({ code: 'unavailable' });
    expect(answer.text).not.toContain('hunter2');
    expect(one.events.map(({ type }) => type)).toEqual(['wrongPassword', 'unavailable']);
    expect(await countedSince(one, owner), 'the guess is counted all the same').toBe(1);
  });

  it('take nothing back that is retired, though its mark cannot be counted', async () => {
    const { one, count } = await pair(2);
    count.mockRejectedValue(new Error('connection lost, password=hunter2'));
    const owner = await makeTicket(one.keys.active.jwk);
    const answer = await assist(one, await makeRequest(owner, { op: 'retire' }));
    expect([answer.status, answer.opened]).toEqual([200, expect.objectContaining({ retired: true })]);
    expect(one.events.map(({ type }) => type)).toEqual(['assisted', 'retired', 'unavailable']);
  });
});

describe('a purpose', () => {
  it('shares its counter with no other, nor an app with another app', async () => {
    const store = new MemoryStore();
    const count = vi.spyOn(store, 'count');
    const world = await startAssistant({ store, disablesPerMinute: 2, newIdsPerHour: 2 });
    world.app.post('/one/challenge', challenger(store, { perMinute: 2 }));
    world.app.post('/two/challenge', challenger(store, { perMinute: 2, audience: 'https://two.example' }));
    const { jwk } = world.keys.active;
    const origin = new URL(world.url).origin;
    const acts = [
      async () => (await post(world, '/disable', (await makeDisabling(jwk)).body)).status,
      async () =>
        (await assist(world, await makeRequest(await makeTicket(jwk), { beta: random(32) }))).status,
      async () => (await post({ url: origin }, '/one/challenge', {})).status,
      async () => (await post({ url: origin }, '/two/challenge', {})).status,
    ];
    const fine = [200, 401, 200, 200];
    for (const [i, act] of acts.entries())
      expect([await act(), await act(), await act()]).toEqual([fine[i], fine[i], 429]);
    const names = new Set(count.mock.calls.map(([{ name }]) => name));
    expect([...names].map((name) => name.replace(/[\w-]{43}$/, ''))).toEqual([
      'limit:disable:',
      'limit:new-ids:',
      'limit:challenge:',
      'limit:challenge:',
    ]);
    expect(names.size).toBe(4);
    expect([...names].join()).not.toContain('127.0.0.1');
  });
});

describe('an app that is watched', () => {
  it('counts with the others all the same', async () => {
    const store = new MemoryStore();
    const watched = { instrument: (_step: unknown, run: () => Promise<unknown>) => run() };
    const app = express()
      .post('/one', challenger(store, { perMinute: 3, ...watched }))
      .post('/two', challenger(store, { perMinute: 3, ...watched }));
    const statuses: number[] = [];
    for (const path of ['/one', '/two', '/one', '/two'])
      statuses.push((await request(app).post(path)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
  });

  it('answers an error of its own as it would unwatched', async () => {
    const random = () => {
      throw new Error('no entropy');
    };
    const watched = { instrument: (_step: unknown, run: () => Promise<unknown>) => run() };
    const app = express().post('/', challenger(new MemoryStore(), { random, perMinute: false, ...watched }));
    expect((await request(app).post('/').timeout(5000)).status).toBe(500);
  });
});

describe('a flood', () => {
  it('from many addresses leaves in the store those of the last window', async () => {
    const file = path.join(temporaryFolder(), 'store.db');
    let now = 1_800_000_000;
    const store = new SqliteStore(file, { now: () => now });
    onTestFinished(() => store.close());
    const app = express().set('trust proxy', 1).post('/', challenger(store));
    for (let i = 0; i < 1200; i++) {
      const address = `2001:db8:${i.toString(16)}::1`;
      expect((await request(app).post('/').set('x-forwarded-for', address)).status).toBe(200);
      if (i % 5 === 0) now += 1;
    }
    const handle = await openSqlite(file);
    const { n } = handle.prepare('SELECT count(*) AS n FROM roaming_key_counters').get() as { n: number };
    handle.close();
    // 300 in a window, and what has come since the last look.
    expect(n).toBeLessThan(400);
    expect(n).toBeGreaterThanOrEqual(295);
  });

  it('from one address costs the store no more than its limit', async () => {
    const store = new MemoryStore();
    const count = vi.spyOn(store, 'count');
    const app = express().post('/', challenger(store, { perMinute: 3 }));
    const statuses = [];
    for (let i = 0; i < 200; i++) statuses.push((await request(app).post('/')).status);
    expect(tally(statuses)).toEqual({ 200: 3, 429: 197 });
    expect(count).toHaveBeenCalledTimes(3);
  });
});

class BrokenStore extends MemoryStore {
  readonly #answer: (request: CountRequest) => Promise<CountAnswer>;

  constructor(answer: (request: CountRequest) => Promise<CountAnswer>) {
    super();
    this.#answer = answer;
  }

  override count(hit: CountRequest): Promise<CountAnswer> {
    return this.#answer(hit);
  }
}

describe('a store that cannot count', () => {
  const down = new Error('connection lost, password=hunter2');
  const broken: [string, () => BrokenStore][] = [
    ['rejects', () => new BrokenStore(() => Promise.reject(down))],
    ['hangs', () => new BrokenStore(() => new Promise(() => {}))],
    [
      'throws',
      () =>
        new BrokenStore(() => {
          throw down;
        }),
    ],
    ['counts to NaN', () => new BrokenStore(async () => ({ now: 1, count: Number.NaN, resetAt: 61 }))],
    ['answers nothing', () => new BrokenStore(async () => undefined as never)],
  ];

  it.each(broken)('and %s lets nobody through', async (_name, make) => {
    const store = make();
    const onError = vi.fn();
    const disable = vi.spyOn(store, 'disable');
    const world = await startAssistant({ store, storeTimeout: 0.2, onError });
    // A relying party waits ten seconds.
    world.app.post('/challenge', challenger(store));
    const disabling = await post(world, '/disable', (await makeDisabling(world.keys.active.jwk)).body);
    const challenged = await post({ url: new URL(world.url).origin }, '/challenge', {});
    for (const { status, headers, json, text } of [disabling, challenged]) {
      expect(status).toBe(503);
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(json).toEqual({
        type: 'urn:roaming-key:1:unavailable',
        title: expect.any(String),
        status: 503,
        code: 'unavailable',
      });
      expect(text).not.toContain('hunter2');
    }
    expect(disable).not.toHaveBeenCalled();
    expect(onError).toHaveBeenCalledTimes(1);
    expect(onError.mock.calls[0]?.[0]).toMatchObject({ code: 'unavailable', cause: expect.any(Error) });
  });

  it('is let be where an app limits challenges itself', async () => {
    const store = new BrokenStore(() => Promise.reject(down));
    const options = { audience: 'https://app.example', secret: SECRET, store, keysOf: () => undefined };
    const app = express().post('/', challenge({ ...options, perMinute: false }));
    expect((await request(app).post('/')).status).toBe(200);
  });

  it('because it has no such operation leaves it to each process', async () => {
    const shared = new MemoryStore();
    const store = {
      claimOnce: shared.claimOnce.bind(shared),
      isDisabled: shared.isDisabled.bind(shared),
    };
    const options = { audience: 'https://app.example', secret: SECRET, store, keysOf: () => undefined };
    for (let i = 0; i < 2; i++) {
      const app = express().post('/', challenge({ ...options, perMinute: 2 }));
      const statuses = [];
      for (let j = 0; j < 4; j++) statuses.push((await request(app).post('/')).status);
      expect(statuses).toEqual([200, 200, 429, 429]);
    }
  });
});
