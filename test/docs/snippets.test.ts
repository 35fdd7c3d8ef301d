/**
 * Runs every snippet of the documentation. A fenced block of JavaScript or TypeScript is preceded by
 * `<!-- run: server -->` (listens on port 3000 until its page is done) or `<!-- run: NAME -->` (ends by itself, after the
 * blocks before it on the page have run).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const pages = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(path.join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];
const folder = mkdtempSync(path.join(root, '.snippets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Snippet {
  readonly kind: string | undefined;
  readonly code: string;
}

function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(path.join(root, page), 'utf8');
  const fences = text.matchAll(
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

function start(file: string): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
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
  for (let tries = 0; tries < 300; tries++) {
    if (server.child.exitCode !== null) throw new Error(`the server ended: ${server.output()}`);
    try {
      await fetch(`http://localhost:${port}/`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`no server on its port: ${server.output()}`);
}

describe.each(pages)('%s', (page) => {
  const snippets = snippetsOf(page);

  it('says of every snippet how it is run', () => {
    expect(snippets.filter(({ kind }) => kind === undefined).map(({ code }) => code)).toEqual([]);
  });

  if (snippets.length === 0) return;

  it('has snippets that run', { timeout: 120_000 }, async () => {
    const port = await freePort();
    const data = mkdtempSync(path.join(folder, 'data-'));
    const servers: ReturnType<typeof start>[] = [];
    try {
      for (const [i, { kind, code }] of snippets.entries()) {
        const file = path.join(folder, `${page.replace(/\W/g, '-')}-${i}.ts`);
        writeFileSync(file, code.replaceAll('3000', `${port}`).replaceAll("'data/", `'${data}/`));
        const running = start(file);
        if (kind === 'server') {
          servers.push(running);
          await answers(port, running);
        } else {
          expect(await running.ended, running.output()).toBe(0);
        }
      }
    } finally {
      for (const { child, ended } of servers) {
        child.kill('SIGTERM');
        await ended;
      }
    }
  });
});
