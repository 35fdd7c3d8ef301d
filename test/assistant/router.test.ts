import express from 'express';
import request from 'supertest';
import { describe, expect, it, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { makeDisabling, makeRequest, makeTicket, random } from '../attacks/support.ts';
import { startAssistant } from '../support/world.ts';

describe('the router', () => {
  it('refuses options of the wrong kind when it is made', async () => {
    const options = { keys: await KeySet.generate(), store: new MemoryStore() };
    for (const wrong of [
      { cors: 'app.example' },
      { cors: 'https://app.example/' },
      { cors: ['https://app.example', '*'] },
      { cors: [5] },
      { cors: 'capacitor://' },
      { cors: 'chrome-extension://abc/' },
      { cors: 'null' },
      { disablesPerMinute: 0 },
      { disablesPerMinute: 1.5 },
    ]) {
      expect(() => assistant({ ...options, ...wrong } as never)).toThrow(TypeError);
    }
    expect(() => assistant({} as never)).toThrow(TypeError);
  });

  it('publishes keys for a while and with their type', async () => {
    const world = await startAssistant();
    const answer = await request(world.app).get('/assistant/keys').expect(200);
    expect(answer.headers['cache-control']).toBe('public, max-age=300');
    expect(answer.headers['content-type']).toMatch(/^application\/jwk-set\+json/);
    expect(answer.body).toEqual(world.keys.jwks());
    await request(world.app).head('/assistant/keys').expect(200);
  });

  it('lists disabled keys, their end for nobody to keep', async () => {
    const world = await startAssistant();
    for (const query of ['', '?after=', '?after=foreign']) {
      const answer = await request(world.app).get(`/assistant/disabled${query}`).expect(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers).not.toHaveProperty('etag');
      expect(answer.body).toEqual({ disabled: [], next: '' });
    }
    for (const query of ['?after=a&after=b', `?after=${'x'.repeat(257)}`])
      await request(world.app).get(`/assistant/disabled${query}`).expect(400);
    await request(world.app).head('/assistant/disabled').expect(200);
  });

  it('works at the root, and after an app’s own body parser', async () => {
    const keys = await KeySet.generate();
    const app = express()
      .use(express.json())
      .use(assistant({ keys, store: new MemoryStore() }));
    const { body } = await makeRequest(await makeTicket(keys.active.jwk));
    await request(app).post('/assist').send(body).expect(200);
    const refused = await request(app).post('/assist').type('form').send({ a: 1 }).expect(400);
    expect(refused.body.code).toBe('invalid_request');
  });

  it('leaves what is not its own to the app', async () => {
    const world = await startAssistant();
    world.app.get('/assistant/other', (_req, res) => void res.send('mine'));
    expect((await request(world.app).get('/assistant/other').expect(200)).text).toBe('mine');
  });
});

describe('pages of other origins', () => {
  const preflight = (world: Awaited<ReturnType<typeof startAssistant>>, origin: string) =>
    request(world.app).options('/assistant/assist').set({
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    });

  it('may not ask, unless the app says so', async () => {
    const world = await startAssistant();
    const answer = await preflight(world, 'https://app.example');
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('may ask where their origin is listed, also read an error and when to come back', async () => {
    const world = await startAssistant({ cors: ['https://app.example', 'https://other.example'] });
    const allowed = await preflight(world, 'https://app.example').expect(204);
    expect(allowed.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(allowed.headers).not.toHaveProperty('access-control-allow-credentials');
    for (const origin of [
      'https://evil.example',
      'https://app.example.evil.example',
      'null',
      'http://app.example',
    ]) {
      expect((await preflight(world, origin)).headers).not.toHaveProperty('access-control-allow-origin');
    }
    const refused = await request(world.app)
      .post('/assistant/assist')
      .set({ origin: 'https://app.example' })
      .send({});
    expect(refused.status).toBe(400);
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(refused.headers['access-control-expose-headers']).toBe('Retry-After');
    expect(refused.headers['vary']).toMatch(/Origin/i);
  });

  it.each([
    'capacitor://localhost',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnop',
    'http://lan:8080',
  ])('may be those of apps and extensions: %s', async (origin) => {
    const world = await startAssistant({ cors: [origin] });
    expect((await preflight(world, origin)).headers['access-control-allow-origin']).toBe(origin);
  });

  it('are refused where their origin is not listed, be their request otherwise in order', async () => {
    const world = await startAssistant({ cors: 'https://app.example' });
    const { body } = await makeRequest(await makeTicket(world.keys.active.jwk));
    const ask = (headers: Record<string, string>) =>
      request(world.app).post('/assistant/assist').set(headers).send(body);
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example']) {
      const { status, headers, body: problem } = await ask({ origin });
      expect([status, problem.code]).toEqual([403, 'refused']);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect((await ask({ origin: 'https://own.example', host: 'own.example' })).status).toBe(200);
    const again = await makeRequest(await makeTicket(world.keys.active.jwk));
    await request(world.app)
      .post('/assistant/assist')
      .set({ origin: 'https://own.example', 'sec-fetch-site': 'same-origin' })
      .send(again.body)
      .expect(200);
  });

  it('may all ask where the app says true, and never with cookies', async () => {
    const world = await startAssistant({ cors: true });
    const { headers } = await preflight(world, 'https://any.example');
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });
});

describe('disablings of one address', () => {
  async function limited(options: Parameters<typeof startAssistant>[0]) {
    const world = await startAssistant(options);
    world.app.set('trust proxy', 1);
    const disable = async (from: string, given: Parameters<typeof makeDisabling>[1] = {}) =>
      request(world.app)
        .post('/assistant/disable')
        .set('x-forwarded-for', from)
        .send((await makeDisabling(world.keys.active.jwk, given)).body);
    const delayed = () => world.events.filter(({ type }) => type === 'disablingDelayed').length;
    return { world, disable, delayed };
  }

  it('are delayed beyond its tokens, one in a second, and those of others are not', async () => {
    const { disable, delayed, world } = await limited({ disablesPerMinute: 2 });
    for (let i = 0; i < 2; i++) expect((await disable('2001:db8:1::1')).status).toBe(200);
    expect(delayed()).toBe(0);
    const started = Date.now();
    const answers = await Promise.all(Array.from({ length: 3 }, (_, i) => disable(`2001:db8:1:${i + 1}::1`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(delayed()).toBe(3);
    // The first passes at once, the third in the second after next.
    expect(Date.now() - started).toBeGreaterThan(1000);
    expect((await disable('2001:db8:2::1')).status).toBe(200);
    expect(delayed()).toBe(3);
    expect((await world.store.feed({ limit: 9 })).disabled).toHaveLength(6);
  });

  it('are refused where thirty wait, and the key that waits is disabled', async () => {
    const { disable, delayed } = await limited({ disablesPerMinute: 1 });
    await disable('192.0.2.1');
    const all = Array.from({ length: 33 }, async () => await disable('192.0.2.1'));
    const first = await Promise.race(all);
    const refused = [first, ...(await settledWithin(all, 500))].filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { body, headers } of refused) {
      expect(body).toMatchObject({ code: 'busy', retryAt: expect.any(Number) });
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(delayed()).toBe(33);
    expect((await disable('192.0.2.2')).status).toBe(200);
  });

  it('cost nothing where the key is disabled already, or the request is malformed', async () => {
    const { disable, delayed, world } = await limited({ disablesPerMinute: 2 });
    const t = random(16);
    for (let i = 0; i < 10; i++) {
      expect((await disable('192.0.2.1', { t })).status).toBe(200);
      expect((await disable('192.0.2.1', { payload: { v: 2 } })).status).toBe(400);
      const junk = request(world.app).post('/assistant/disable').set('x-forwarded-for', '192.0.2.1');
      await junk.send({}).expect(400);
      const form = request(world.app).post('/assistant/disable').set('x-forwarded-for', '192.0.2.1');
      await form.type('text/plain').send('{}').expect(400);
    }
    expect((await disable('192.0.2.1')).status).toBe(200);
    expect(delayed()).toBe(0);
    await disable('192.0.2.1');
    expect(delayed()).toBe(1);
  });

  it('cost nothing where two show the same secret at once', async () => {
    const { disable, delayed } = await limited({ disablesPerMinute: 3 });
    const t = random(16);
    const twins = await Promise.all([disable('192.0.2.1', { t }), disable('192.0.2.1', { t })]);
    expect(twins.map(({ status }) => status)).toEqual([200, 200]);
    for (let i = 0; i < 2; i++) await disable('192.0.2.1');
    expect(delayed()).toBe(0);
    await disable('192.0.2.1');
    expect(delayed()).toBe(1);
  });
});

/** Of those that wait, the ones that are answered within so many milliseconds. */
async function settledWithin<T>(all: readonly Promise<T>[], milliseconds: number): Promise<T[]> {
  const settled: T[] = [];
  for (const one of all) void one.then((value) => settled.push(value));
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return settled;
}

describe('failures of the server', () => {
  it('are told to onError with their cause, and to the client without', async () => {
    const store = new MemoryStore();
    const onError = vi.fn();
    const world = await startAssistant({ store, onError });
    store.reserve = () => Promise.reject(new Error('relation "secret" does not exist'));
    store.disable = () => Promise.reject(new Error('relation "secret" does not exist'));
    store.feed = () => Promise.reject(new Error('relation "secret" does not exist'));
    const answers = [
      await request(world.app)
        .post('/assistant/assist')
        .send((await makeRequest(await makeTicket(world.keys.active.jwk))).body),
      await request(world.app)
        .post('/assistant/disable')
        .send((await makeDisabling(world.keys.active.jwk)).body),
      await request(world.app).get('/assistant/disabled'),
    ];
    for (const { status, body, headers, text } of answers) {
      expect([status, body.code]).toEqual([503, 'unavailable']);
      expect(headers['content-type']).toBe('application/problem+json');
      expect(headers['cache-control']).toBe('no-store');
      expect(text).not.toMatch(/secret|relation|at .*\.ts/);
    }
    expect(onError).toHaveBeenCalledTimes(3);
    expect(onError.mock.calls[0]?.[0]).toMatchObject({
      cause: { message: 'relation "secret" does not exist' },
    });
    expect(world.events.filter(({ type }) => type === 'unavailable')).toHaveLength(3);
  });
});

it('what the router refuses is told with a reason, and with nothing of the request', async () => {
  const world = await startAssistant({ cors: 'https://app.example' });
  const post = (path: string) => request(world.app).post(`/assistant${path}`);
  const origin = 'https://foreign.example';
  await post('/assist').type('text/plain').send('{}').expect(400);
  await post('/assist').type('json').send('no json').expect(400);
  await post('/disable')
    .send({ x: 'x'.repeat(20_000) })
    .expect(413);
  await post('/disable').set({ origin }).send({}).expect(403);
  await request(world.app).get('/assistant/assist').expect(405);
  await request(world.app).get('/assistant/disabled?after=a&after=b').expect(400);
  const address = '127.0.0.1';
  const told = (code: string, reason: string) => ({ type: 'rejected', code, reason, address });
  await expect
    .poll(() => world.events)
    .toEqual([
      told('invalid_request', 'type'),
      told('invalid_request', 'form'),
      told('invalid_request', 'size'),
      told('refused', 'origin'),
      told('invalid_request', 'method'),
      told('invalid_request', 'form'),
    ]);
  // What the assistant itself refuses is told once.
  await post('/assist').send({}).expect(400);
  expect(world.events).toHaveLength(7);
});

describe('a promise of the keys', () => {
  it('is waited for by requests, and by init', async () => {
    let arrive: (keys: KeySet) => void = () => {};
    const promised = new Promise<KeySet>((resolve) => {
      arrive = resolve;
    });
    const keys = await KeySet.generate();
    const router = assistant({ keys: promised, store: new MemoryStore() });
    const app = express().use(router);
    expect(() => router.assistant.keys()).toThrow('not there yet');
    const { body } = await makeRequest(await makeTicket(keys.active.jwk));
    const asked = [
      request(app).post('/assist').send(body).expect(200),
      request(app)
        .post('/disable')
        .send((await makeDisabling(keys.active.jwk)).body)
        .expect(200),
      request(app).get('/keys').expect(200, keys.jwks()),
    ].map((test) => test.then());
    arrive(keys);
    await Promise.all([...asked, router.assistant.init()]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no such secret')), 'no such secret'],
    ['is of something else', () => Promise.resolve('keys' as never), 'keys must be a KeySet'],
  ])('that %s is found at the start, and nobody is helped', async (_how, promise, message) => {
    const router = assistant({ keys: promise(), store: new MemoryStore(), onError: () => {} });
    await expect(router.assistant.init()).rejects.toThrow(message);
    const app = express().use(router);
    for (const path of ['/keys', '/health']) await request(app).get(path).expect(503);
  });

  it('that stays away ends requests, and is no health', async () => {
    vi.useFakeTimers();
    try {
      const { assistant: core } = assistant({ keys: new Promise(() => {}), store: new MemoryStore() });
      const asked = Promise.allSettled([core.ready(), core.assist({}), core.disable({ request: 'x' })]);
      await vi.advanceTimersByTimeAsync(10_000);
      const [ready, helped] = await asked;
      for (const answer of [ready, helped])
        expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      expect(await core.health()).toMatchObject({ status: 'unavailable' });
    } finally {
      vi.useRealTimers();
    }
  });
});
