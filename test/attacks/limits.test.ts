/** Attacks on the limits per address: by many addresses, by pages of strangers, by a store that fails. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { openSqlite } from '../../lib/databases/sqlite-driver.ts';
import { addressLimit } from '../../lib/limits/address-limit.ts';
import type { Instrument } from '../../lib/observe/instrument.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import type { CountAnswer, CountRequest, Store } from '../../lib/store/store.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { until } from '../support/eventually.ts';
import { type AssistantWorld, listen, startAssistant } from '../support/world.ts';
import {
  assist,
  countedSince,
  makeDisabling,
  makeRequest,
  makeTicket,
  post,
  random,
  tally,
} from './support.ts';

const SECRET = 'a secret of at least thirty-two bytes';

function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-limits-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A route that is limited for each address. */
const challenger = (store: Partial<Store>, { perMinute = 60, audience = 'https://app.example' } = {}) => [
  addressLimit({
    limit: perMinute,
    windowSeconds: 60,
    purpose: 'challenge',
    realm: audience,
    store,
    onError: () => {},
  }),
  ((_req, res) => void res.json({})) as RequestHandler,
];

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

  const delays = (...worlds: AssistantWorld[]) =>
    worlds.flatMap(({ events }) => events).filter(({ type }) => type === 'delayed').length;

  it('let an address make as many entries as one, and one more for the second to learn of it', async () => {
    const { one, other, start, count } = await pair(4);
    const known = await makeTicket(one.keys.active.jwk);
    await assist(one, await makeRequest(known, { beta: random(32) }));
    for (const world of [other, one, other]) expect(await newId(world)).toBe('wrong_password');
    expect(delays(one, other)).toBe(0);
    // The fourth was spent at the second, which knows it; the first learns it by one more.
    for (const [world, delayed] of [
      [other, 1],
      [one, 1],
      [one, 2],
    ] as const) {
      expect(await newId(world)).toBe('wrong_password');
      expect(delays(one, other)).toBe(delayed);
    }
    const third = await start();
    for (const delayed of [0, 1]) {
      await newId(third);
      expect(delays(third)).toBe(delayed);
    }
    const counted = count.mock.calls.filter(([{ name }]) => name.startsWith('limit:new-ids:'));
    expect(counted).toHaveLength(6);
    for (const world of [one, other, third])
      expect(await countedSince(world, known)).toBe(world === one ? 1 : 0);
  });

  it('go no further beyond it than by the requests that are under way', async () => {
    const { one, other } = await pair(6);
    for (let i = 0; i < 5; i++) await newId(one);
    // One is left, and a process that does not know it yet has one more: each of both lets at least one through.
    await Promise.all([one, other, one, other].map(newId));
    const before = delays(one, other);
    expect(before).toBeLessThanOrEqual(2);
    await Promise.all([one, other].map(newId));
    expect(delays(one, other)).toBe(before + 2);
  });

  it('count a first failure and a first success of an id, and nothing after it', async () => {
    const { one, count } = await pair(9);
    const [owner, newcomer] = [await makeTicket(one.keys.active.jwk), await makeTicket(one.keys.active.jwk)];
    for (let i = 0; i < 3; i++) await assist(one, await makeRequest(owner, { beta: random(32) }));
    for (let i = 0; i < 3; i++) expect((await assist(one, await makeRequest(owner))).status).toBe(200);
    expect(count).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 3; i++) expect((await assist(one, await makeRequest(newcomer))).status).toBe(200);
    expect(count).toHaveBeenCalledTimes(2);
    for (let i = 0; i < 3; i++) await assist(one, await makeRequest(newcomer, { beta: random(32) }));
    expect(count).toHaveBeenCalledTimes(3);
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
    const fine = [
      [200, 200, 200],
      [401, 401, 401],
      [200, 200, 429],
      [200, 200, 429],
    ];
    for (const [i, act] of acts.entries()) expect([await act(), await act(), await act()]).toEqual(fine[i]);
    expect(world.events.map(({ type }) => type).filter((type) => /delayed/i.test(type))).toEqual([
      'disablingDelayed',
      'delayed',
    ]);
    const names = new Set(count.mock.calls.map(([{ name }]) => name));
    expect([...names].map((name) => name.replace(/[\w-]{43}$/, ''))).toEqual([
      'limit:disable:',
      'limit:disable-slowly:',
      'limit:new-ids:',
      'limit:new-ids-slowly:',
      'limit:challenge:',
      'limit:challenge:',
    ]);
    expect(names.size).toBe(6);
    expect([...names].join()).not.toContain('127.0.0.1');
  });
});

describe('a relying party that is watched', () => {
  it('answers an error of its own as it would unwatched', async () => {
    const random = () => {
      throw new Error('no entropy');
    };
    const instrument = (_step: unknown, run: () => Promise<unknown>) => run();
    const store = new MemoryStore();
    const options = { audience: 'https://app.example', secret: SECRET, store, keysOf: () => undefined };
    const app = express().post('/', challenge({ ...options, random, instrument: instrument as Instrument }));
    expect((await request(app).post('/').timeout(5000)).status).toBe(500);
  });
});

describe('a flood', () => {
  it('from many addresses leaves in the store those of the last window', async () => {
    const file = path.join(temporaryFolder(), 'store.db');
    let now = 1_800_000_000;
    const store = new SqliteStore(file, { now: () => now });
    onTestFinished(() => store.close());
    const url = await listen(express().set('trust proxy', 1).post('/', challenger(store)));
    for (let i = 0; i < 1200; i++) {
      const address = `2001:db8:${i.toString(16)}::1`;
      expect((await request(url).post('/').set('x-forwarded-for', address)).status).toBe(200);
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
    const url = await listen(express().post('/', challenger(store, { perMinute: 3 })));
    const statuses = [];
    for (let i = 0; i < 200; i++) statuses.push((await request(url).post('/')).status);
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

describe('an owner', () => {
  it('is never refused for what strangers and pages do behind the same address', async () => {
    const store = new MemoryStore();
    const world = await startAssistant({ store, newIdsPerHour: 5, disablesPerMinute: 2, cors: true });
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    expect((await assist(world, await makeRequest(owner))).status).toBe(200);
    // A page of any origin makes its visitor try wrong passwords on tickets of its own, more than may wait.
    const headers = { 'content-type': 'application/json', origin: 'https://evil.example' };
    const flood = await Promise.all(
      Array.from({ length: 45 }, async () => makeRequest(await makeTicket(jwk), { beta: random(32) })),
    );
    const answers = flood.map(async ({ body }) =>
      fetch(`${world.url}/assist`, { method: 'POST', headers, body: JSON.stringify(body) }).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    const refused: number[] = [];
    for (const answer of answers) void answer.then((status) => status === 429 && refused.push(status));
    await until(() => refused.length >= 5);
    for (let i = 0; i < 5; i++) {
      const { status, opened } = await assist(world, await makeRequest(owner));
      expect([status, opened?.['failedSince']]).toEqual([200, { count: 0, last: null }]);
    }
    expect((await assist(world, await makeRequest(owner, { beta: random(32) }))).json.code).toBe(
      'wrong_password',
    );
    // Nobody has disabled anything, so her kit works at once.
    expect((await post(world, '/disable', (await makeDisabling(jwk, { t: owner.t })).body)).status).toBe(200);
    expect(world.events.some(({ type }) => type === 'disablingDelayed')).toBe(false);
  });

  it('pays nothing for requests of foreign pages and for junk', async () => {
    const store = new MemoryStore();
    const count = vi.spyOn(store, 'count');
    const world = await startAssistant({ store, newIdsPerHour: 1, disablesPerMinute: 1 });
    const { body } = await makeDisabling(world.keys.active.jwk);
    const junk: [string, string][] = [
      ['text/plain', JSON.stringify(body)],
      ['application/x-www-form-urlencoded', 'request=x'],
      ['application/json', '{'],
      ['application/json', '{}'],
      ['application/json', '{"request":"x"}'],
      ['application/json', JSON.stringify({ request: 'x'.repeat(40_000) })],
    ];
    for (const path of ['/assist', '/disable'])
      for (let i = 0; i < 30; i++) {
        const [type, text] = junk[i % junk.length] as [string, string];
        const headers = { 'content-type': type, origin: 'https://evil.example' };
        const { status } = await fetch(world.url + path, { method: 'POST', headers, body: text });
        expect([400, 413]).toContain(status);
      }
    for (let i = 0; i < 20; i++) await fetch(`${world.url}/disable`);
    expect(count).not.toHaveBeenCalled();
    expect((await post(world, '/disable', body)).status).toBe(200);
  });
});

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

  it('because it has no such operation leaves it to each process', async () => {
    const shared = new MemoryStore();
    const store = {
      claimOnce: shared.claimOnce.bind(shared),
      isDisabled: shared.isDisabled.bind(shared),
    };
    for (let i = 0; i < 2; i++) {
      const app = express().post('/', challenger(store, { perMinute: 2 }));
      const statuses = [];
      for (let j = 0; j < 4; j++) statuses.push((await request(app).post('/')).status);
      expect(statuses).toEqual([200, 200, 429, 429]);
    }
  });
});
