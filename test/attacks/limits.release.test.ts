/** Attacks on the limits per address by going to another process. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { type EngineName, isMissing, startEngine } from '../cluster/engines.ts';
import { programOf } from '../support/builds.ts';
import { makeDisabling, tally } from './support.ts';

describe.each(['sqlite', 'redis', 'postgres'] as const)(
  'four processes on one store in %s',
  (name: EngineName) => {
    const LIMIT = 15;

    async function start(folder: string, url: string): Promise<string> {
      const program = await programOf(path.join(import.meta.dirname, 'limited-process.ts'));
      const args = [program, path.join(folder, 'keys.json'), url, `${LIMIT}`];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      return new Promise((ready, fail) => {
        child.once('exit', () => fail(new Error('the process ended')));
        child.stdout.once('data', (data: Buffer) => ready(data.toString().trim()));
      });
    }

    it.skipIf(isMissing(name))(
      'give an address as many requests and disablings as one process',
      async () => {
        const folder = mkdtempSync(path.join(tmpdir(), 'rk-limits-'));
        onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
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
        const expected = { 200: LIMIT, 429: 80 - LIMIT };
        expect(await burst('/login/challenge', '192.0.2.1', {})).toEqual(expected);
        expect(await burst('/login/challenge', '2001:db8:1:200::1', {})).toEqual(expected);
        for (const url of urls) {
          expect(await ask(`${url}/login/challenge`, '2001:db8:1:2ff::2', {})).toBe(429);
          expect(await ask(`${url}/login/challenge`, '2001:db8:2::1', {})).toBe(200);
        }
        // Disablings beyond the limit wait, and of all processes together one passes in a second.
        const { jwk } = keys.active;
        const bodies = await Promise.all(
          Array.from({ length: LIMIT + 4 }, async () => (await makeDisabling(jwk)).body),
        );
        const started = Date.now();
        const statuses = await Promise.all(
          bodies.map((body, i) => ask(`${urls[i % 4]}/assistant/disable`, '192.0.2.1', body)),
        );
        expect(tally(statuses)).toEqual({ 200: LIMIT + 4 });
        expect(Date.now() - started).toBeGreaterThan(2000);
        // What is disabled already costs nothing, nor does another address wait.
        for (const url of urls)
          expect(await ask(`${url}/assistant/disable`, '192.0.2.1', bodies[0] as object)).toBe(200);
        expect(await ask(`${urls[0]}/assistant/disable`, '192.0.2.2', (await makeDisabling(jwk)).body)).toBe(
          200,
        );
      },
      120_000,
    );
  },
);
