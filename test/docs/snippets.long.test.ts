/**
 * Runs every snippet of the documentation. A fenced block of JavaScript or TypeScript is preceded by one of
 *
 * - `<!-- run: server -->`: listens on port 3000 (or 3001 to 3009) until the page's next server on that port starts;
 *   `server.cjs` is CommonJS;
 * - `<!-- run: as:NAME.js -->`: is there for the other blocks of the page to import as `./NAME.js`;
 * - `<!-- run: NAME -->`: ends by itself, with status 0, after the blocks before it on the page have run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserBuild, packageBuild } from '../support/builds.ts';
import { pages, readPage, root } from './pages.ts';

let folder: string;
beforeAll(async () => {
  // Inside the compiled package, which its own name then means.
  const home = await packageBuild();
  await browserBuild();
  const browser = path.join(home, 'dist/browser');
  if (!existsSync(browser)) symlinkSync(path.join(root, 'dist/browser'), browser);
  folder = mkdtempSync(path.join(home, 'snippets-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Snippet {
  readonly kind: string | undefined;
  readonly code: string;
}

function snippetsOf(page: string): Snippet[] {
  const fences = readPage(page).matchAll(
    /(?:<!-- run: (\S+) -->\n)?```(?:js|ts|javascript|typescript)\n([\s\S]*?)```/g,
  );
  return [...fences].map(([, kind, code]) => ({ kind, code: code as string }));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await new Promise((ready) => server.once('listening', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Free ports in the place of those that the pages name. */
class Ports {
  readonly #free = new Map<string, number>();

  async of(named: string): Promise<number> {
    const port = this.#free.get(named) ?? (await freePort());
    this.#free.set(named, port);
    return port;
  }

  async replaceIn(code: string): Promise<string> {
    let replaced = code;
    for (const [named] of code.matchAll(PORT)) {
      replaced = replaced.replaceAll(new RegExp(`\\b${named}\\b`, 'g'), `${await this.of(named)}`);
    }
    return replaced;
  }
}

const PORT = /\b300\d\b/g;
/** The port that a server listens on, as its page names it. */
const portOf = (code: string) => /listen\((300\d)\b/.exec(code)?.[1] ?? '3000';

/** On a busy machine a server ends a connection on which a request is under way: not what is tested here. */
const PATIENT_SERVERS = `data:text/javascript,${encodeURIComponent(`
  import { Server } from 'node:http';
  const { listen } = Server.prototype;
  Server.prototype.listen = function (...where) {
    this.keepAliveTimeout = 120_000;
    return listen.apply(this, where);
  };
`)}`;

function start(file: string): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, ['--import', PATIENT_SERVERS, file], {
    cwd: root,
    env: { ...process.env, SECRET: 'a secret for snippets, of thirty-two bytes', NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout?.on('data', (chunk) => (text += chunk));
  child.stderr?.on('data', (chunk) => (text += chunk));
  return { child, output: () => text, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

async function answers(port: number, server: ReturnType<typeof start>): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (server.child.exitCode !== null) throw new Error(`the server ended: ${server.output()}`);
    const answer = await fetch(`http://localhost:${port}/`).catch(() => undefined);
    if (answer && answer.status < 500) return;
    if (answer) throw new Error(`${answer.url} answers ${answer.status}: ${server.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no server on its port: ${server.output()}`);
}

describe.each(pages)('%s', (page) => {
  const snippets = snippetsOf(page);

  it('says of every snippet how it is run', () => {
    expect(snippets.filter(({ kind }) => kind === undefined).map(({ code }) => code)).toEqual([]);
  });

  if (snippets.length === 0) return;

  it('has snippets that run', { timeout: 300_000 }, async () => {
    const ports = new Ports();
    const own = path.join(folder, page.replace(/\W/g, '-'));
    mkdirSync(own);
    const data = mkdtempSync(path.join(own, 'data-'));
    const servers = new Map<string, ReturnType<typeof start>>();
    const stop = async (port: string) => {
      const server = servers.get(port);
      servers.delete(port);
      server?.child.kill('SIGTERM');
      await server?.ended;
    };
    try {
      for (const [i, { kind = '', code }] of snippets.entries()) {
        const text = (await ports.replaceIn(code)).replaceAll("'data/", `'${data}/`);
        const name = /^as:([\w.-]+)$/.exec(kind)?.[1];
        const isCommonJs = kind.endsWith('.cjs');
        const file = path.join(own, name ?? `${i}.${isCommonJs ? 'cjs' : 'js'}`);
        writeFileSync(file, (await transform(text, { loader: 'ts' })).code);
        if (name !== undefined) continue;
        if (kind === 'server' || isCommonJs) {
          const port = portOf(code);
          await stop(port);
          const running = start(file);
          servers.set(port, running);
          await answers(await ports.of(port), running);
        } else {
          const running = start(file);
          expect(await running.ended, running.output()).toBe(0);
        }
      }
    } finally {
      await Promise.all([...servers.keys()].map(stop));
    }
  });
});
