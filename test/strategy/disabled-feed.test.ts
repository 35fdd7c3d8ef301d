import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { type DisabledFeedOptions, disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { PackedNames } from '../../lib/strategy/packed-names.ts';
import { ACCOUNT, fetchChallenge, NOW, post, TestKey, TestParty } from './support.ts';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/login-keys.json', import.meta.url), 'utf8')) as {
  disable: { t: string; u: string }[];
};
const hexTo64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');
const MARKS = VECTORS.disable.map(({ t, u }) => ({ t: hexTo64(t), u: hexTo64(u) }));
const [FIRST, SECOND, THIRD] = MARKS as [Mark, Mark, Mark];
interface Mark {
  readonly t: string;
  readonly u: string;
}
const NOBODY = 'A'.repeat(43);
/** The names of the keys that an app has. */
const OWN = [FIRST.u, SECOND.u, THIRD.u];

let now: number;
let store: MemoryStore;
let pageSize: number;
let paths: string[];
let answer: RequestListener;
let server: Server;
let url: string;

/** The assistant's side of the feed. */
const serveFeed: RequestListener = async (req, res) => {
  const after = new URL(req.url as string, 'http://x').searchParams.get('after');
  const page = await store.feed({ limit: pageSize, ...(after === null ? {} : { after }) });
  res.setHeader('Content-Type', 'application/json').end(JSON.stringify(page));
};
const serve =
  (body: string, status = 200): RequestListener =>
  (_req, res) =>
    void res.writeHead(status).end(body);

beforeEach(async () => {
  now = NOW;
  store = new MemoryStore({ now: () => now });
  pageSize = 1000;
  paths = [];
  answer = serveFeed;
  server = createServer((req, res) => {
    paths.push(req.url as string);
    answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/assistant/`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function feed(options: Partial<DisabledFeedOptions> = {}) {
  return disabledFeed({ url, now: () => now, ...options });
}

/** Secrets of strangers, from one number on. */
const secrets = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => {
    const t = Buffer.alloc(16, 0xee);
    t.writeUInt32BE(from + i);
    return t.toString('base64url');
  });
const nameOf = (t: string) => Buffer.from(disablingName(Buffer.from(t, 'base64url'))).toString('base64url');

/** Strangers disable keys that nobody has. */
async function fill(count: number, from = 0): Promise<void> {
  for (const t of secrets(count, from)) await store.disable({ t, u: nameOf(t) });
}

describe('the list of disabled keys', () => {
  it('names keys by the hash of its secrets', async () => {
    await store.disable(FIRST);
    const disabled = feed();
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
    expect(await disabled.isDisabled([SECOND.u])).toBe(false);
    expect(paths[0]).toBe('/assistant/disabled');
  });

  it('is read page by page to its end, and from there on the next time', async () => {
    await fill(2500);
    for (const mark of MARKS) await store.disable(mark);
    const disabled = feed();
    await disabled.refresh();
    for (const { u } of MARKS) expect(await disabled.isDisabled([u])).toBe(true);
    expect(paths).toHaveLength(3);
    await disabled.refresh();
    expect(paths).toHaveLength(4);
    expect(paths[3]).toMatch(/\?after=.+/);
  });

  it('cannot be used to disable a key by somebody who does not know its secret', async () => {
    const liar = {
      disabled: [FIRST.u.slice(0, 22), SECOND.t, Buffer.from(FIRST.u.slice(0, 16)).toString('base64url')],
    };
    answer = serve(JSON.stringify({ disabled: liar.disabled.slice(1), next: 'x' }));
    const disabled = feed({ maxEntries: 2 });
    answer = (req, res) =>
      serve(
        JSON.stringify({ disabled: req.url?.includes('after') ? [] : liar.disabled.slice(1), next: 'x' }),
      )(req, res);
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u])).toBe(false);
    expect(await disabled.isDisabled([SECOND.u])).toBe(true);
  });

  it('starts over when the assistant was restored, and forgets nothing', async () => {
    await store.disable(FIRST);
    const disabled = feed();
    await disabled.refresh();
    store = new MemoryStore({ now: () => now });
    await store.disable(SECOND);
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
    expect(await disabled.isDisabled([SECOND.u])).toBe(true);
  });

  it('may be kept in the relying party’s own store', async () => {
    const marks = new MemoryStore();
    await store.disable(FIRST);
    await feed({ marks }).refresh();
    expect(await marks.isDisabled([FIRST.u])).toBe(true);
    answer = serve('', 500);
    await expect(feed({ marks }).isDisabled([FIRST.u])).resolves.toBe(true);
    await expect(feed({ marks }).isDisabled([SECOND.u])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(feed({ marks, whenStale: 'open' }).isDisabled([SECOND.u])).resolves.toBe(false);
  });

  it('is read once by many who ask at the same time', async () => {
    const disabled = feed();
    await Promise.all(Array.from({ length: 50 }, () => disabled.isDisabled([NOBODY])));
    expect(paths).toHaveLength(1);
  });

  it('is read to what was on it when `refresh` was called, also while an older reading is in flight', async () => {
    const disabled = feed();
    let release = () => {};
    let reading: Promise<unknown> = Promise.resolve();
    await new Promise<void>((isSeen) => {
      answer = async (_req, res) => {
        // The page is made before the key is disabled, and arrives after.
        const page = JSON.stringify(await store.feed({ limit: pageSize }));
        release = () => void res.setHeader('Content-Type', 'application/json').end(page);
        isSeen();
      };
      reading = disabled.refresh();
    });
    await store.disable(FIRST);
    answer = serveFeed;
    const both = Promise.all([disabled.refresh(), disabled.refresh()]);
    release();
    await reading;
    expect(await disabled.isDisabled([FIRST.u])).toBe(false);
    await both;
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
    expect(paths).toHaveLength(2);
  });

  it('is read in the background once started, until it is stopped', async () => {
    const disabled = feed({ every: 1 });
    disabled.start();
    disabled.start();
    await expect.poll(() => paths.length).toBeGreaterThanOrEqual(2);
    await store.disable(THIRD);
    await expect.poll(() => disabled.isDisabled([THIRD.u])).toBe(true);
    disabled.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const read = paths.length;
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(paths).toHaveLength(read);
  });

  it('is read again in the background after a reading failed', async () => {
    const errors: unknown[] = [];
    answer = serve('', 500);
    const disabled = feed({ every: 1, onError: (error) => errors.push(error) });
    disabled.start();
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    answer = serveFeed;
    await expect.poll(() => disabled.isDisabled([NOBODY]).catch(() => 'unavailable')).toBe(false);
    disabled.stop();
  });
});

describe('when the list cannot be read', () => {
  it('keys are accepted for so long, then none (closed)', async () => {
    await store.disable(FIRST);
    const disabled = feed({ maxStale: 300 });
    await disabled.refresh();
    answer = serve('', 500);
    now += 300;
    expect(await disabled.isDisabled([SECOND.u])).toBe(false);
    now += 1;
    await expect(disabled.isDisabled([SECOND.u])).rejects.toMatchObject({ code: 'unavailable' });
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
  });

  it('keys are accepted on and on, but not those known to be disabled (open)', async () => {
    await store.disable(FIRST);
    const disabled = feed({ whenStale: 'open' });
    await disabled.refresh();
    answer = serve('', 500);
    now += 86_400;
    expect(await disabled.isDisabled([SECOND.u])).toBe(false);
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
  });

  it('from the start, none is accepted (closed), and asking again does not hammer the assistant', async () => {
    answer = serve('', 500);
    const disabled = feed({ every: 30 });
    for (let i = 0; i < 10; i++)
      await expect(disabled.isDisabled([NOBODY])).rejects.toMatchObject({ code: 'unavailable' });
    expect(paths).toHaveLength(1);
    now += 31;
    answer = serveFeed;
    expect(await disabled.isDisabled([NOBODY])).toBe(false);
  });

  it('a clock that was set back does not make an old reading new', async () => {
    const disabled = feed();
    await disabled.refresh();
    answer = serve('', 500);
    now -= 3600;
    await expect(disabled.isDisabled([NOBODY])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a list that was read in part counts as not read, but its marks stay', async () => {
    await store.disable(FIRST);
    await fill(1000);
    await store.disable(THIRD);
    answer = (req, res) => (paths.length < 2 ? serveFeed : serve('', 500))(req, res);
    const disabled = feed();
    await expect(disabled.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
    await expect(disabled.isDisabled([THIRD.u])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([
    ['an error', serve('{"disabled":[],"next":""}', 503)],
    ['nothing', serve('', 204)],
    ['no JSON', serve('<html>')],
    ['no list', serve('{}')],
    ['a list of something else', serve('{"disabled":[1],"next":""}')],
    ['secrets of another length', serve(`{"disabled":["${'A'.repeat(43)}"],"next":""}`)],
    ['secrets in another spelling', serve(`{"disabled":["${'A'.repeat(21)}B"],"next":""}`)],
    ['an unknown member', serve('{"disabled":[],"next":"","ok":true}')],
    ['a long cursor', serve(JSON.stringify({ disabled: [], next: 'x'.repeat(10_000) }))],
    ['a page of more than 1000', serve(JSON.stringify({ disabled: secrets(1001), next: 'x' }))],
    ['a page that leads to itself', serve(JSON.stringify({ disabled: secrets(1000), next: '' }))],
    ['a large page', serve(JSON.stringify({ disabled: [], next: '', pad: 'x'.repeat(2_000_000) }))],
    ['a redirection', ((_req, res) => void res.writeHead(302, { location: '/' }).end()) as RequestListener],
    ['a closed connection', ((req) => void req.socket.destroy()) as RequestListener],
  ])('since it is %s, nobody logs in', async (_what, listener) => {
    answer = listener;
    const errors: unknown[] = [];
    const disabled = feed({ onError: (error) => errors.push(error) });
    await expect(disabled.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(disabled.isDisabled([NOBODY])).rejects.toMatchObject({ code: 'unavailable' });
    expect(errors).toHaveLength(1);
  });

  it('since it does not answer in time, nobody logs in', async () => {
    answer = () => {};
    await expect(feed({ timeout: 1 }).refresh()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('strangers who disable without end', () => {
  it('faster than pages arrive, do not keep a reading from its end, which is as old as its first request', async () => {
    await store.disable(FIRST);
    let asked = 0;
    answer = async (req, res) => {
      // One more while each page is on its way, as it was seen.
      await fill(1, asked++);
      now += 1;
      serveFeed(req, res);
    };
    const disabled = feed();
    await disabled.refresh();
    expect(asked).toBe(1);
    expect(disabled.status).toMatchObject({ readAt: NOW, isStale: false });
    expect(await disabled.isDisabled([FIRST.u])).toBe(true);
  });

  it('by full pages, end a reading after a bounded time; the next one goes on from its cursor', async () => {
    let page = 0;
    answer = async (_req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      res.end(JSON.stringify({ disabled: secrets(1000, 1000 * page++), next: `${page}` }));
    };
    const disabled = feed({ maxStale: 1 });
    await expect(disabled.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    const read = page;
    answer = serve(JSON.stringify({ disabled: [SECOND.t], next: 'end' }));
    await disabled.refresh();
    expect(paths.at(-1)).toBe(`/assistant/disabled?after=${read}`);
    expect(await disabled.isDisabled([SECOND.u])).toBe(true);
    expect(await disabled.isDisabled([NOBODY])).toBe(false);
  });

  it.each([
    ['closed', 'unavailable'],
    ['open', false],
  ] as const)('make no check wait longer than one timeout (%s)', async (whenStale, expected) => {
    let page = 0;
    answer = async (_req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      res.end(JSON.stringify({ disabled: secrets(1000, 1000 * page++), next: `${page}` }));
    };
    const disabled = feed({ timeout: 5, maxStale: 60, whenStale });
    const reading = disabled.refresh();
    const started = performance.now();
    const check = () => disabled.isDisabled([NOBODY]).catch(({ code }) => code);
    expect(await Promise.all([check(), check(), check()])).toEqual([expected, expected, expected]);
    // The reading goes on meanwhile: it would take a minute.
    expect(performance.now() - started).toBeLessThan(30_000);
    answer = serve('{"disabled":[],"next":"end"}');
    await reading;
    expect(await check()).toBe(false);
  });

  it('a million times, end no login', { timeout: 120_000 }, async () => {
    const million = 1_000_200;
    const fetch: typeof globalThis.fetch = async (url) => {
      const after = Number(new URL(url as string).searchParams.get('after') ?? 0);
      const disabled = secrets(Math.min(1000, million - after), after);
      return Response.json({ disabled, next: `${after + disabled.length}` });
    };
    const disabled = feed({ fetch });
    await disabled.refresh();
    expect(await disabled.isDisabled([NOBODY])).toBe(false);
    expect(await disabled.isDisabled([NOBODY, nameOf(secrets(1, 999_999)[0] as string)])).toBe(true);
  });

  it('beyond the memory that is allowed: known names go on, and end; new ones are unavailable', async () => {
    const errors: unknown[] = [];
    const disabled = feed({ maxEntries: 10, onError: (error) => errors.push(error) });
    await fill(5);
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u, SECOND.u])).toBe(false);
    await fill(1000, 5);
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u, SECOND.u])).toBe(false);
    await expect(disabled.isDisabled([THIRD.u])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(disabled.isDisabled([FIRST.u, THIRD.u])).rejects.toMatchObject({ code: 'unavailable' });
    await store.disable(SECOND);
    await store.disable(THIRD);
    await disabled.refresh();
    expect(await disabled.isDisabled([FIRST.u])).toBe(false);
    expect(await disabled.isDisabled([SECOND.u])).toBe(true);
    await expect(disabled.isDisabled([THIRD.u])).rejects.toMatchObject({ code: 'unavailable' });
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('maxEntries') })]);
  });

  it.each<[string, DisabledFeedOptions['names']]>([
    ['an array', () => OWN],
    ['a promise of a set', async () => new Set(OWN)],
    [
      'a database’s cursor',
      async function* () {
        for (const name of OWN) yield name;
      },
    ],
  ])('beyond it, leave out none of the app’s own keys after a restart: names as %s', async (_what, names) => {
    await store.disable(FIRST);
    await fill(50);
    await store.disable(SECOND);
    let calls = 0;
    const errors: unknown[] = [];
    const disabled = feed({
      maxEntries: 10,
      onError: (error) => errors.push(error),
      names: () => {
        calls++;
        return (names as () => string[])();
      },
    });
    await disabled.refresh();
    const state = async () =>
      Promise.all(OWN.map((name) => disabled.isDisabled([name]).catch(({ code }) => code)));
    expect(await state()).toEqual([true, true, false]);
    await store.disable(THIRD);
    await fill(50, 50);
    await disabled.refresh();
    expect(await state()).toEqual([true, true, true]);
    expect(calls).toBe(1);
    expect(errors).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/new keys are unavailable$/) }),
    ]);
    // What an unknown name would be is on the part of the list that was dropped.
    await expect(disabled.isDisabled([NOBODY])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(disabled.isDisabled([nameOf(secrets(1, 99)[0] as string)])).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('beyond it, end no reading in which the app’s own names cannot be read: none is dropped unseen', async () => {
    await fill(50);
    await store.disable(SECOND);
    let isDown = true;
    const disabled = feed({
      maxEntries: 10,
      names: () => (isDown ? Promise.reject(new Error('down')) : OWN),
    });
    await expect(disabled.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(disabled.isDisabled([SECOND.u])).rejects.toMatchObject({ code: 'unavailable' });
    isDown = false;
    await disabled.refresh();
    expect(await disabled.isDisabled([SECOND.u])).toBe(true);
    expect(await disabled.isDisabled([FIRST.u])).toBe(false);
  });

  it('beyond it, have the app’s names read in many turns: others are served meanwhile', async () => {
    let turn = 0;
    const count = () => {
      turn++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    const turns = new Set<number>();
    const disabled = feed({
      maxEntries: 1,
      *names() {
        for (let i = 0; i < 10_000; i++) {
          turns.add(turn);
          yield NOBODY;
        }
      },
    });
    await fill(2);
    await disabled.refresh();
    clearImmediate(counting);
    expect(turns.size).toBeGreaterThanOrEqual(9);
  });

  it('up to it, have the app’s names never asked for', async () => {
    await fill(10);
    const disabled = feed({ maxEntries: 10, names: () => Promise.reject(new Error('down')) });
    await disabled.refresh();
    await disabled.refresh();
    expect(await disabled.isDisabled([NOBODY])).toBe(false);
  });

  it('are kept in the store of the relying party by one step for each page', async () => {
    const marks = new MemoryStore();
    const steps: string[] = [];
    const counted = {
      disable: () => Promise.reject(new Error('one by one')),
      isDisabled: marks.isDisabled.bind(marks),
      importMarks: (page: Parameters<typeof marks.importMarks>[0]) => {
        steps.push('page');
        return marks.importMarks(page);
      },
    };
    await fill(1500);
    await feed({ marks: counted }).refresh();
    expect(steps).toEqual(['page', 'page']);
    expect(await marks.isDisabled([nameOf(secrets(1, 1499)[0] as string)])).toBe(true);
  });
});

describe('names in little memory', () => {
  it('are those that were added, whatever they are', () => {
    const name = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 32 }),
      fc.constant(new Uint8Array(32)),
      fc
        .uint8Array({ minLength: 1, maxLength: 1 })
        .map((end) => Uint8Array.of(...new Uint8Array(15), ...end)),
    );
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (added, others) => {
        const names = new PackedNames();
        const known = new Set<string>();
        const text = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 16)).toString('hex');
        for (const one of added) {
          expect(names.add(one)).toBe(!known.has(text(one)));
          known.add(text(one));
        }
        expect(names.size).toBe(known.size);
        for (const one of [...added, ...others]) expect(names.has(one)).toBe(known.has(text(one)));
      }),
    );
  });
});

describe('a relying party that follows the list', () => {
  it('refuses a disabled key, and everybody when the list is stale', async () => {
    const party = new TestParty();
    const key = new TestKey('Ed25519');
    party.accounts.set(ACCOUNT, [{ ...key.registered, u: FIRST.u }]);
    const disabled = feed();
    const app = party.app({
      options: { disabled, store: { claimOnce: (claim) => party.store.claimOnce(claim) } },
    });
    const attempt = async () =>
      (await post(app, await key.login(await fetchChallenge(app)))).body.code ?? 'in';

    expect(await attempt()).toBe('in');
    await store.disable(FIRST);
    await disabled.refresh();
    expect(await attempt()).toBe('disabled');

    party.accounts.set(ACCOUNT, [{ ...key.registered, u: SECOND.u }]);
    expect(await attempt()).toBe('in');
    answer = serve('', 500);
    now += 301;
    expect(await attempt()).toBe('unavailable');
  });
});

describe('its options', () => {
  it.each([
    ['url', { url: 'http://assistant.example' }],
    ['url', { url: 'https://assistant.example/?x' }],
    ['url', { url: 'assistant' }],
    ['url', { url: undefined as unknown as string }],
    ['every', { every: 0 }],
    ['maxStale', { maxStale: -1 }],
    ['maxStale', { maxStale: Number.POSITIVE_INFINITY }],
    ['timeout', { timeout: 0.5 }],
    ['maxEntries', { maxEntries: 0 }],
    ['names', { names: [] as never }],
    ['whenStale', { whenStale: 'ajar' as 'open' }],
  ])('are refused at construction, by name: %s (%o)', (name, wrong) => {
    expect(() => feed(wrong)).toThrow(TypeError);
    expect(() => feed(wrong)).toThrow(name);
  });
});
