import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { PostgresStore } from '../../lib/store/postgres.ts';
import { RedisStore } from '../../lib/store/redis.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { storeFromUrl } from '../../lib/store/url.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rk-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('storeFromUrl', () => {
  it('opens the store that the URL names', async () => {
    expect(await storeFromUrl('memory:')).toBeInstanceOf(MemoryStore);
    for (const url of ['redis://localhost', 'rediss://user:pw@host:6380/2']) {
      expect(await storeFromUrl(url)).toBeInstanceOf(RedisStore);
    }
    for (const url of ['postgres://localhost/app', 'postgresql://user:pw@host/app?sslmode=verify-full']) {
      expect(await storeFromUrl(url)).toBeInstanceOf(PostgresStore);
    }
  });

  it('opens a SQLite file by each spelling', async () => {
    for (const url of [`sqlite:${folder}/a.db`, `sqlite://${folder}/b.db`]) {
      const store = await storeFromUrl(url);
      expect(store).toBeInstanceOf(SqliteStore);
      await store.init();
      await store.close();
    }
    expect([existsSync(`${folder}/a.db`), existsSync(`${folder}/b.db`)]).toEqual([true, true]);
  });

  it('refuses other URLs without repeating them', async () => {
    for (const url of ['', 'mysql://user:hunter2@host', 'hunter2', '/var/hunter2.db', 'sqlite:']) {
      const error: unknown = await storeFromUrl(url).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).not.toContain('hunter2');
    }
  });

  it('refuses a URL that no driver can read, without repeating it in any member of the error', async () => {
    for (const url of [
      'redis://user:hunter2%@host:1',
      'redis://user:hunter2@host:port',
      'redis://user:hunter2 @ho st',
      'postgres://user:hunter2@host:port/app',
    ]) {
      const error = await storeFromUrl(url).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(TypeError);
      expect(inspect(error, { showHidden: true, depth: 9 }), url).not.toContain('hunter2');
    }
  });

  it('passes its options on', async () => {
    await expect(storeFromUrl('redis://localhost', { timeout: 0 })).rejects.toThrow(/^timeout/);
    await expect(storeFromUrl('postgres://localhost', { maxPending: 0 })).rejects.toThrow(/^maxPending/);
  });
});

describe('where the optional packages are not installed', () => {
  async function run(url: string): Promise<string> {
    await build({
      entryPoints: [path.join(import.meta.dirname, '../../lib/store/url.ts')],
      outfile: path.join(folder, 'url.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
    });
    mkdirSync(path.join(folder, 'node_modules'));
    const modules = path.join(import.meta.dirname, '../../node_modules');
    for (const name of ['jose', 'libsql'])
      symlinkSync(path.join(modules, name), path.join(folder, 'node_modules', name));
    const code = `
      import { storeFromUrl } from './url.mjs';
      const store = await storeFromUrl(${JSON.stringify(url)}).catch((e) => e.message);
      console.log(typeof store === 'string' ? store : store.constructor.name);`;
    const input = ['--input-type=module', '--eval', code];
    return execFileSync(process.execPath, input, { cwd: folder, encoding: 'utf8' }).trim();
  }

  it.each([
    ['redis://localhost', 'this store needs the package redis: npm install redis'],
    ['postgres://localhost', 'this store needs the package pg: npm install pg'],
    ['sqlite::memory:', 'SqliteStore'],
    ['memory:', 'MemoryStore'],
  ])('%s: %s', async (url, answer) => {
    expect(await run(url)).toBe(answer);
  });
});
