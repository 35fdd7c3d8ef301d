import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import type { Store } from '../../lib/store/store.ts';
import { flood } from './flood.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What lives, without what is only not collected yet. */
function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const OPEN: Readonly<Record<string, () => { store: Store; sizeOf: () => number }>> = {
  memory: () => ({ store: new MemoryStore(), sizeOf: heap }),
  SQLite() {
    const folder = mkdtempSync(path.join(tmpdir(), 'flood-'));
    const file = path.join(folder, 'store.db');
    const store = new SqliteStore(file);
    onTestFinished(async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    });
    const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
    return { store, sizeOf: () => size(file) + size(`${file}-wal`) };
  },
};

it.each(Object.entries(OPEN))(
  'a flood of wrong passwords stops no owner, and nobody elsewhere: %s',
  async (_name, open) => {
    const { store, sizeOf } = open();
    await store.init();
    const { guesses, codes, owner, elsewhere, behind, behindAfter, bytesPerGuess } = await flood({
      store,
      sizeOf,
      guesses: 100_000,
      lasts: 1500,
    });
    expect(Object.keys(codes)).toEqual(['wrong_password']);
    expect(codes['wrong_password']).toBe(guesses + 301);
    expect(owner.length).toBeGreaterThan(5);
    expect(new Set(owner)).toEqual(new Set(['ok']));
    expect([elsewhere, behind]).toEqual(['ok', 'ok']);
    // It waited for its turn.
    expect(behindAfter).toBeGreaterThan(500);
    expect(bytesPerGuess).toBeLessThan(100_000);
  },
);
