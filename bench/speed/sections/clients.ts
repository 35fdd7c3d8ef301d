import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import express from 'express';
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
    inNode.push(await timeClient(device, assistant));
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
  }
  await server.stop();
  return rows;
}

/** Runs in Node, and, as text, on a page: so it knows of nothing but its arguments. */
async function timeClient({ enroll, Device }: Client, assistant: string): Promise<Timings> {
  const password = 'correct horse battery staple';
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
  const { record } = await time('enrol, Ed25519', () => enroll({ assistant, password, onProgress }));
  const own = fresh(record);
  await time('unlock', () => own.unlock(password, { forSeconds: 60 }));
  await time('sign with the unlocked key', () => own.sign(new Uint8Array(100)));
  const shared = await time('enrol, shared RSA-2048', () =>
    enroll({ assistant, password, scheme: 'rsa', onProgress }),
  );
  const half = fresh(shared.record);
  await time('sign with the shared key, from the password', () =>
    half.sign(new Uint8Array(100), { password }),
  );
  return timings;
}

async function openPage() {
  const root = path.resolve(import.meta.dirname, '../../../../..');
  const build = spawnSync('npm', ['run', '--silent', 'build:browser'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (build.status !== 0) throw new Error('the client for pages could not be built');
  const app = express();
  app.get('/', (_req, res) => void res.type('html').send('<!doctype html><title>bench</title>'));
  app.use(express.static(path.join(root, 'dist/browser')));
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
        `import('/device.js').then((client) => (${timeClient.toString()})(client, ${JSON.stringify(assistant)}))`,
      ),
    async close() {
      await browser.close();
      server.close();
    },
  };
}
