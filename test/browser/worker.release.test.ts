import { describe, expect, it } from 'vitest';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';
import { type PageWorld, type TestPage, useBrowser } from './support.ts';

const chromium = useBrowser();

/** Of an unlock's time: a page that is dead for longer hangs. Not in milliseconds, for busy machines. */
const MOST = 0.5;

/** Unlocks with the default cost, and tells for which part of it the page was dead at a stretch and which progress it saw. */
async function unlockWatched(
  page: TestPage,
  world: PageWorld,
  options: { isInline?: boolean; kdf?: object } = {},
) {
  return page.evaluate(
    async ({ assistant, password, isInline, kdf = {} }) => {
      const longest = { ms: 0 };
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longest.ms = Math.max(longest.ms, duration);
      });
      const how = isInline ? { argon2id: rk.argon2idInline } : {};
      const { record } = await rk.enroll({ scheme: 'retrieve', assistant, password, kdf, ...how });
      observer.observe({ type: 'longtask' });
      const steps: number[] = [];
      const onProgress = ({ done }: { done?: number }) => void (done !== undefined && steps.push(done));
      const from = performance.now();
      const result = await new rk.Device(record, { assistant, onProgress, ...how }).unlock(password).then(
        () => 'unlocked',
        (error) => error.message,
      );
      const took = performance.now() - from;
      // Tasks are reported after they have ended.
      await new Promise((resolve) => setTimeout(resolve, 100));
      observer.disconnect();
      return { result, dead: longest.ms / took, steps };
    },
    { assistant: world.assistant.url, password: PASSWORD, ...options },
  );
}

/** What is asked for by the worker itself, and whether there is one. */
const workers = (page: TestPage) => page.asked.filter((request) => request.url().includes('worker')).length;

// Some of these are about slowness.
describe('Argon2id on a page', () => {
  it('leaves the page alive while it unlocks', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const { result, dead } = await unlockWatched(page, world);
    expect(result).toBe('unlocked');
    expect(dead).toBeLessThan(MOST);
    expect(workers(page)).toBeGreaterThan(0);
    expect(page.said).toEqual([]);
  });

  it('would have it hang on its own thread: what is measured is there to be found', async (test) => {
    const world = await chromium.world(test);
    const { result, dead } = await unlockWatched(await world.open(), world, { isInline: true });
    expect(result).toBe('unlocked');
    expect(dead).toBeGreaterThan(MOST);
  });

  it('gives in a worker, in slices and inline what Argon2id is', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const compute = () =>
      page.evaluate(async () => {
        const kdf = { name: 'argon2id', t: 2, m: 19_456, p: 2 } as const;
        const hex = (bytes: Uint8Array) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
        const given = () => [new TextEncoder().encode('password'), new Uint8Array(32).fill(7), kdf] as const;
        const inWorker = rk.argon2idInWorker();
        const { Worker } = globalThis;
        // Two at once: they wait for one another.
        const [first, second] = await Promise.all([inWorker(...given()), inWorker(...given())]);
        Reflect.deleteProperty(globalThis, 'Worker');
        const reasons: string[] = [];
        const sliced = rk.argon2idInWorker({ onFallback: (reason) => void reasons.push(reason) });
        const values = [first, second, await sliced(...given()), await rk.argon2idInline(...given())];
        globalThis.Worker = Worker;
        return { values: values.map(hex), reasons };
      });
    const { values, reasons } = await compute();
    const { argon2id } = await import('@noble/hashes/argon2.js');
    const expected = argon2id('password', new Uint8Array(32).fill(7), { t: 2, m: 19_456, p: 2, dkLen: 32 });
    expect(values).toEqual(Array(4).fill(Buffer.from(expected).toString('hex')));
    expect(reasons).toEqual([expect.stringContaining('no workers')]);
  });

  it('does not change the password that it is given, nor keep it', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open();
    const length = await page.evaluate(async () => {
      const kdf = { name: 'argon2id', t: 2, m: 19_456, p: 1 } as const;
      const password = new TextEncoder().encode('password');
      const k = await rk.argon2idInWorker()(password, new Uint8Array(32), kdf);
      return [new TextDecoder().decode(password), k.length];
    });
    expect(length).toEqual(['password', 32]);
    await expect.poll(() => page.workers().length).toBe(0);
  });
});

describe('a policy that is not the documented one', () => {
  it('without the assistant is named as the reason', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({ policy: { 'connect-src': "'self'" } });
    const { code, message } = await page.evaluate(
      ({ assistant, password, kdf }) =>
        rk.enroll({ scheme: 'retrieve', assistant, password, kdf }).then(
          () => ({ code: 'enrolled', message: '' }),
          ({ code, message }) => ({ code, message }),
        ),
      { assistant: world.assistant.url, password: PASSWORD, kdf: CHEAP_KDF },
    );
    expect(code).toBe('network');
    expect(message).toContain('connect-src');
    expect(message).toContain(new URL(world.assistant.url).origin);
  });

  it("without 'wasm-unsafe-eval' is slower, and says why", async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({ policy: { 'script-src': "'self'" } });
    const { result, steps } = await unlockWatched(page, world, { kdf: CHEAP_KDF });
    expect(result).toBe('unlocked');
    expect(steps.at(-1)).toBe(1);
    expect(page.said.filter((text) => text.startsWith('passport-roaming-key'))).toEqual([
      expect.stringContaining("'wasm-unsafe-eval'"),
    ]);
    expect(workers(page)).toBeGreaterThan(0);
    const inline = await page.evaluate(() =>
      rk
        .argon2idInline(new Uint8Array(8), new Uint8Array(32), rk.DEFAULT_KDF)
        .catch((error) => [error.code, error.message]),
    );
    expect(inline).toEqual(['unsupported', expect.stringContaining("'wasm-unsafe-eval'")]);
  });

  it('without workers still leaves the page alive, in slices', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({ policy: { 'worker-src': "'none'" } });
    const { result, dead, steps } = await unlockWatched(page, world);
    expect(result).toBe('unlocked');
    expect(dead).toBeLessThan(MOST);
    expect(steps.length).toBeGreaterThan(5);
    expect(steps.at(-1)).toBe(1);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(page.said.join('\n')).toContain('worker-src');
  });

  it('without the rest of the code is a network failure that can be tried again', async (test) => {
    const world = await chromium.world(test);
    const page = await world.open({ policy: { 'worker-src': "'none'" } });
    await page.route('**/argon2id-in-slices.js', (route) => route.abort());
    const code = await page.evaluate(
      ({ assistant, password, kdf }) =>
        rk.enroll({ scheme: 'retrieve', assistant, password, kdf }).catch((error) => error.code),
      { assistant: world.assistant.url, password: PASSWORD, kdf: CHEAP_KDF },
    );
    expect(code).toBe('network');
  });

  it('lets scripts come from another origin: then the worker starts from a blob, where that is allowed', async (test) => {
    const world = await chromium.world(test);
    const script = "'self' 'wasm-unsafe-eval' ELSEWHERE";
    for (const [worker, isStarted] of [
      ['blob: ELSEWHERE', true],
      ["'self'", false],
    ] as const) {
      const page = await world.open({
        elsewhere: true,
        policy: { 'script-src': script, 'worker-src': worker },
      });
      const { result, steps } = await unlockWatched(page, world, { kdf: CHEAP_KDF });
      expect(result).toBe('unlocked');
      expect(page.said.some((text) => text.startsWith('passport-roaming-key'))).toBe(!isStarted);
      expect(steps.length > 0).toBe(!isStarted);
    }
  });
});
