import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import express from 'express';
import { startApp } from '../../../examples/support/start.ts';
import type { Device as DeviceClass } from '../../../lib/device/device.ts';
import * as device from '../../../lib/device/index.ts';
import { startBrowser } from '../../../test/support/browser.ts';
import { MeasuredServer } from '../measured-server.ts';
import { type Spread, spread } from '../statistics.ts';

/** What a device waits for, in milliseconds, Argon2id with its defaults (64 MiB, three passes, four lanes). */
export interface ClientRow {
  readonly where: string;
  readonly what: string;
  readonly time: Spread;
  /** Part of it that is Argon2id, from 0 to 1; `undefined` where it is not in it. */
  readonly argon2id: Spread | undefined;
}

export interface ClientsOptions {
  readonly rounds: number;
  readonly say: (what: string) => void;
}

const ROOT = path.resolve(import.meta.dirname, '../../../../..');
const PASSWORD = 'correct horse battery staple';

type Client = Pick<typeof device, 'enroll' | 'Device'>;
type Timings = Record<string, { readonly time: number; readonly argon2id: number }>;

/** In Node, and in Chromium where there is one. */
export async function measureClients({ rounds, say }: ClientsOptions): Promise<readonly ClientRow[]> {
  const server = await MeasuredServer.start('assistant', { app: { store: 'memory:', cors: true } });
  const assistant = `${server.origin}/assistant`;
  const rows: ClientRow[] = [];
  const note = (where: string, sample: readonly Timings[]) => {
    for (const what of Object.keys(sample[0] ?? {})) {
      const of = sample.map((timings) => timings[what] as Timings[string]);
      const shares = of.map(({ time, argon2id }) => argon2id / time);
      rows.push({
        where,
        what,
        time: spread(of.map(({ time }) => time)),
        argon2id: shares.some((share) => share > 0) ? spread(shares) : undefined,
      });
    }
  };
  const inNode: Timings[] = [];
  for (let round = 0; round < rounds; round++) {
    say(`client in Node, round ${round + 1} of ${rounds}`);
    inNode.push(await timeClient(device, assistant, PASSWORD));
  }
  note(`Node ${process.version}`, inNode);
  const page = await openPage().catch((error: unknown) => {
    say(`no Chromium: ${String(error)}`);
    return undefined;
  });
  if (page) {
    const inBrowser: Timings[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`client in Chromium, round ${round + 1} of ${rounds}`);
      inBrowser.push(await page.time(assistant));
    }
    note(`Chromium ${page.version}`, inBrowser);
    await page.close();
    say('a login by the pages');
    note(`Chromium ${page.version}`, await timeLogins(rounds));
  }
  await server.stop();
  return rows;
}

/** Runs in Node, and, as text, on a page: so it knows of nothing but its arguments. */
async function timeClient({ enroll, Device }: Client, assistant: string, password: string): Promise<Timings> {
  const timings: Record<string, { time: number; argon2id: number }> = {};
  // The time between the phase that stretches and the next one.
  let stretching = 0;
  let since = 0;
  const onProgress = ({ phase }: { phase: string }) => {
    if (phase === 'stretching' && since === 0) since = performance.now();
    if (phase !== 'stretching' && since > 0) {
      stretching += performance.now() - since;
      since = 0;
    }
  };
  const time = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    stretching = 0;
    since = 0;
    const started = performance.now();
    const result = await act();
    const ended = performance.now();
    if (since > 0) stretching += ended - since;
    timings[what] = { time: ended - started, argon2id: stretching };
    return result;
  };
  const fresh = (record: DeviceClass['record']) =>
    new Device(record, { assistant, onProgress, purposes: ['sign'] });
  const options = { assistant, password, onProgress };
  const { record } = await time('enrol, Ed25519 to be retrieved', () =>
    enroll({ ...options, scheme: 'retrieve' }),
  );
  const own = fresh(record);
  await time('unlock', () => own.unlock(password, { forSeconds: 60 }));
  await time('sign with the unlocked key', () => own.sign(new Uint8Array(100)));
  for (const [scheme, name] of [
    ['ed25519', 'Ed25519'],
    ['rsa', 'RSA-2048'],
  ] as const) {
    const shared = await time(`enrol, shared ${name}`, () => enroll({ ...options, scheme }));
    const half = fresh(shared.record);
    await time(`sign with shared ${name}, from the password`, () =>
      half.sign(new Uint8Array(100), { password }),
    );
  }
  return timings;
}

async function openPage() {
  const build = spawnSync('npm', ['run', '--silent', 'build:browser'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
  if (build.status !== 0) throw new Error('the client for pages could not be built');
  const app = express();
  app.get('/', (_req, res) => void res.type('html').send('<!doctype html><title>bench</title>'));
  app.use(express.static(path.join(ROOT, 'dist/browser')));
  const server = createServer(app);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await startBrowser();
  const page = await browser.newPage();
  await page.goto(`${origin}/`);
  return {
    version: browser.version(),
    time: (assistant: string): Promise<Timings> =>
      page.evaluate(
        `import('/device.js').then((client) => (${timeClient.toString()})(client, ...${JSON.stringify([assistant, PASSWORD])}))`,
      ),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** A user of `examples/pages.ts`, whose key is on the device: from the click to the app's answer, and to the form before that. */
async function timeLogins(rounds: number): Promise<Timings[]> {
  const pages = pathToFileURL(path.join(ROOT, 'examples/pages.ts')).href;
  const app = await startApp(pages, { TSX_TSCONFIG_PATH: path.join(ROOT, 'tsconfig.json') });
  const browser = await startBrowser();
  const page = await browser.newPage();
  const submit = () => page.click('.rk-part form button[type=submit]');
  const type = async () => {
    await page.fill('[name=account]', 'ada');
    await page.fill('[name=password]', PASSWORD);
  };
  await page.goto(`${app.origin}/account/create`);
  await type();
  await submit();
  await page.check('[name=kept]');
  await submit();
  await page.waitForSelector('h1:has-text("Welcome")');
  const timings: Timings[] = [];
  for (let round = 0; round < rounds; round++) {
    await page.context().clearCookies();
    const opened = performance.now();
    await page.goto(`${app.origin}/account/login`);
    await page.waitForSelector('[name=password]');
    const formed = performance.now();
    await type();
    const clicked = performance.now();
    // Playwright looks for what is on a page at times of its own; an answer it hears of at once.
    await Promise.all([page.waitForResponse(`${app.origin}/`), submit()]);
    const answered = performance.now();
    await page.waitForSelector('h1:has-text("Hello")');
    timings.push({
      'the login page, until its form is there': { time: formed - opened, argon2id: 0 },
      'log in by it, from the click to the app’s answer': { time: answered - clicked, argon2id: 0 },
    });
  }
  await browser.close();
  await app.stop();
  return timings;
}
