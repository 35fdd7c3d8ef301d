import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSqlite } from '../../lib/databases/sqlite-driver.ts';
import type { Engine } from './engines.ts';

/** A small disk of its own, that can be filled to the last byte. */
export interface SmallDisk {
  readonly engine: Engine;
  fill(): Promise<void>;
  free(): void;
}

/** Makes a disk in memory; `undefined` where this process has no right to. */
export function smallDisk(megabytes: number): SmallDisk | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-disk-'));
  const mount = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', folder];
  if (process.platform !== 'linux' || spawnSync('mount', mount).status !== 0) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const balloon = path.join(folder, 'balloon');
  const database = path.join(folder, 'store.db');
  const nothing = async () => {};
  return {
    engine: {
      name: 'sqlite',
      url: `sqlite:${database}`,
      crash: nothing,
      restart: nothing,
      async stop() {
        // Lazily: a handle that was closed holds its file until its memory is collected.
        spawnSync('umount', ['-l', folder]);
        rmSync(folder, { recursive: true });
      },
    },
    async fill() {
      // The log is used again from its start once all of it is in the database: its room must go first.
      const handle = await openSqlite(database);
      handle.exec('PRAGMA busy_timeout = 10000; PRAGMA wal_checkpoint(TRUNCATE)');
      handle.close();
      const file = openSync(balloon, 'w');
      try {
        for (;;) writeSync(file, Buffer.alloc(4096));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => unlinkSync(balloon),
  };
}
