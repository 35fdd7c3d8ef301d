import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Pool } from 'pg';
import type { RedisClient } from '../../lib/databases/redis.ts';

const root = path.resolve(import.meta.dirname, '../..');
const TYPES = `
import { createClient as createClient4 } from 'redis4';
import { createClient as createClient5 } from 'redis5';
import type { RedisClient } from ${JSON.stringify(`${root}/lib/databases/redis.ts`)};
export const clients: RedisClient[] = [createClient4(), createClient5()];
`;

interface RedisDriver {
  createClient(options: object): RedisClient;
}

/** Drivers that an app may have in place of the newest. A release's tests alone need them: `npm ci` leaves them out. */
export class OlderDrivers {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'roaming-key-drivers-'));
  readonly #load = createRequire(path.join(this.#folder, 'load.cjs'));

  private constructor() {}

  /** Fetches them from npm's registry. */
  static install(): OlderDrivers {
    const drivers = new OlderDrivers();
    try {
      for (const file of ['package.json', 'package-lock.json'])
        copyFileSync(path.join(import.meta.dirname, 'older-drivers', file), path.join(drivers.#folder, file));
      drivers.#run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
      return drivers;
    } catch (error) {
      drivers.remove();
      throw error;
    }
  }

  redis(major: 4 | 5): RedisDriver {
    return this.#load(`redis${major}`);
  }

  get pg(): { readonly Pool: typeof Pool } {
    return this.#load('pg8');
  }

  /** @throws Error where a client's type is no `RedisClient` */
  checkRedisTypes(): void {
    const file = path.join(this.#folder, 'types.ts');
    writeFileSync(file, TYPES);
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const config = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
    const modules = ['--module', 'nodenext', '--target', 'es2022', '--allowImportingTsExtensions'];
    const node = ['--typeRoots', path.join(root, 'node_modules/@types'), '--types', 'node'];
    this.#run(process.execPath, [tsc, ...config, ...modules, ...node, file]);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #run(command: string, args: readonly string[]): void {
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd: this.#folder,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: process.env['TEST_CA_CERTS'] },
      encoding: 'utf8',
      timeout: 110_000,
    });
    if (status !== 0)
      throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  }
}
