import { existsSync, statSync } from 'node:fs';
import { Pool } from 'pg';
import { createClient } from 'redis';
import { storeFromUrl } from '../../../lib/store/url.ts';
import { isMissing, startEngine } from '../../../test/cluster/engines.ts';
import { unlockCase } from '../cases/assistant.ts';
import type { RunningCase } from '../cases/case.ts';
import { type Filling, fill } from '../fill.ts';
import { warmUp } from '../rounds.ts';
import { median, type Spread, spread } from '../statistics.ts';

export interface GrowthOptions {
  readonly rounds: number;
  /** How many marks, and how many ids with failures. */
  readonly entries: number;
  readonly scale: number;
  /** Whether all stores are measured, not SQLite's marks alone. */
  readonly all: boolean;
  readonly say: (what: string) => void;
}

/** How an unlock feels what is in the store. */
export interface GrowthRow {
  readonly store: string;
  readonly what: keyof Filling;
  readonly entries: number;
  /** Milliseconds of an unlock over one connection, with an empty store and with a full one. */
  readonly empty: Spread;
  readonly full: Spread;
  /** Full ÷ empty, round by round. */
  readonly ratio: Spread;
  /** Bytes of memory and on disk that the entries take, where they take any. */
  readonly memory: number | undefined;
  readonly disk: number | undefined;
}

export interface Growth {
  readonly rows: readonly GrowthRow[];
  readonly growth_disabled_1M: Spread;
}

/** A place for a store, empty or full. */
interface Place {
  readonly url: string;
  readonly sizes: () => Promise<{ readonly memory?: number; readonly disk?: number }>;
  readonly stop: () => Promise<void>;
}

const STORES = ['memory', 'sqlite', 'redis', 'postgres'] as const;
type StoreName = (typeof STORES)[number];

/** Filling PostgreSQL through the store takes ten times as long as the others. */
const FEWER: Partial<Record<StoreName, Filling>> = { postgres: { failures: 0.1 } };

/** Unlocks over one connection, with an empty store and with a full one in turn. */
export async function measureGrowth({ rounds, entries, scale, all, say }: GrowthOptions): Promise<Growth> {
  const rows: GrowthRow[] = [];
  for (const store of all ? STORES : (['sqlite'] as const)) {
    if (store !== 'memory' && isMissing(store)) continue;
    for (const what of all ? (['disabled', 'failures'] as const) : (['disabled'] as const)) {
      const count = Math.round(entries * (FEWER[store]?.[what] ?? 1));
      say(`filling: ${store}, ${count} ${what}`);
      rows.push(await measure(store, what, count, rounds, scale));
    }
  }
  const marks = rows.find((row) => row.store === 'sqlite' && row.what === 'disabled') as GrowthRow;
  return { rows, growth_disabled_1M: marks.ratio };
}

async function measure(
  store: StoreName,
  what: keyof Filling,
  entries: number,
  rounds: number,
  scale: number,
): Promise<GrowthRow> {
  const filling = { [what]: entries };
  const places = [await place(store), await place(store)] as const;
  const before = await places[1].sizes();
  if (store !== 'memory') {
    const filled = await storeFromUrl(places[1].url, { timeout: 60_000 });
    await filled.init();
    await fill(filled, filling);
    await filled.close();
  }
  const after = await places[1].sizes();
  const [empty, full] = await Promise.all(
    places.map(({ url }, i) =>
      unlockCase(store, () => ({ store: url, ...(store === 'memory' && i === 1 && { filling }) })).start(),
    ),
  );
  const pair = [empty, full] as [RunningCase, RunningCase];
  const latencies: [number[], number[]] = [[], []];
  for (const running of pair) {
    await warmUp({ of: { name: store, batch: 400, start: async () => running }, running }, scale);
  }
  const heaps = await Promise.all(pair.map(({ server }) => server.usage({ collect: true })));
  for (let round = 0; round < rounds; round++) {
    // In turns, and each first as often as second.
    for (const i of round % 2 ? ([1, 0] as const) : ([0, 1] as const)) {
      const sample: number[] = [];
      const { server, run } = pair[i];
      await run(Math.max(5, Math.round(250 * scale)), async (requests) => {
        const cost = await server.send(requests, 1);
        sample.push(...cost.latencies);
        return cost;
      });
      latencies[i].push(median(sample));
    }
  }
  for (const { server } of pair) await server.stop();
  for (const { stop } of places) await stop();
  const grown = (of: 'memory' | 'disk') =>
    after[of] === undefined ? undefined : after[of] - (before[of] ?? 0);
  return {
    store,
    what,
    entries,
    empty: spread(latencies[0]),
    full: spread(latencies[1]),
    ratio: spread(latencies[1].map((latency, round) => latency / (latencies[0][round] as number))),
    memory: store === 'memory' ? (heaps[1]?.heap ?? 0) - (heaps[0]?.heap ?? 0) : grown('memory'),
    disk: grown('disk'),
  };
}

async function place(store: StoreName): Promise<Place> {
  if (store === 'memory') return { url: 'memory:', sizes: async () => ({}), stop: async () => {} };
  const engine = await startEngine(store);
  const { url } = engine;
  const stop = () => engine.stop();
  switch (store) {
    case 'sqlite': {
      const files = ['', '-wal'].map((end) => url.slice('sqlite:'.length) + end);
      const size = (file: string) => (existsSync(file) ? statSync(file).size : 0);
      return { url, stop, sizes: async () => ({ disk: files.reduce((sum, file) => sum + size(file), 0) }) };
    }
    case 'redis':
      return { url, stop, sizes: async () => ({ memory: await redisMemory(url) }) };
    case 'postgres':
      return { url, stop, sizes: async () => ({ disk: await postgresSize(url) }) };
  }
}

async function redisMemory(url: string): Promise<number> {
  const client = createClient({ url });
  await client.connect();
  const info = await client.info('memory');
  client.destroy();
  return Number(/used_memory:(\d+)/.exec(info)?.[1]);
}

async function postgresSize(connectionString: string): Promise<number> {
  const pool = new Pool({ connectionString, max: 1 });
  const { rows } = await pool.query('SELECT pg_database_size(current_database()) AS size');
  await pool.end();
  return Number(rows[0].size);
}
