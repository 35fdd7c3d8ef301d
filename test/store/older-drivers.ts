import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Pool } from 'pg';
import type { RedisClient } from '../../lib/databases/redis.ts';

const root = path.resolve(import.meta.dirname, '../..');
const DRIVERS = { redis4: 'redis@4.7.1', redis5: 'redis@5.12.1', pg8: 'pg@8.7.3' };
const TYPES = `
import { createClient as createClient4 } from 'redis4';
import { createClient as createClient5 } from 'redis5';
import type { RedisClient } from ${JSON.stringify(`${root}/lib/databases/redis.ts`)};
export const clients: RedisClient[] = [createClient4(), createClient5()];
`;

interface RedisDriver {
  createClient(options: object): RedisClient;
}

/** Drivers that an app may have in place of the newest, from npm's registry: nothing else needs them. */
export class OlderDrivers {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'roaming-key-drivers-'));
  readonly #load = createRequire(path.join(this.#folder, 'load.cjs'));

  constructor() {
    writeFileSync(path.join(this.#folder, 'package.json'), '{ "private": true }\n');
    const packages = Object.entries(DRIVERS).map(([name, version]) => `${name}@npm:${version}`);
    this.#run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages]);
  }

  redis(major: 4 | 5): RedisDriver {
    return this.#load(`redis${major}`);
  }

  get pg(): { readonly Pool: typeof Pool } {
    return this.#load('pg8');
  }

  /** @throws Error where the drivers' types do not fit those of the stores */
  checkTypes(): void {
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
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: this.#folder, encoding: 'utf8' });
    if (status !== 0)
      throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
  }
}
