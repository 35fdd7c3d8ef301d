import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';

const open = async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-'));
  const file = path.join(folder, 'store.db');
  let now = 1_800_000_000;
  const stores: SqliteStore[] = [];
  const another = async () => {
    const store = new SqliteStore(file, { now: () => now });
    stores.push(store);
    return store;
  };
  return {
    store: await another(),
    another,
    async advance(seconds: number) {
      now += seconds;
    },
    async close() {
      for (const store of stores) await store.close();
      rmSync(folder, { recursive: true });
    },
  };
};

describe('SqliteStore keeps the contract', () => {
  for (const { name, run } of storeContract({ open })) it(name, run);
});
