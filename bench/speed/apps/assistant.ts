import express from 'express';
import { KeySet } from '../../../lib/assistant/keys.ts';
import { assistant } from '../../../lib/assistant/router.ts';
import type { ExponentiationPoolOptions } from '../../../lib/exponentiation/pool.ts';
import { MemoryStore } from '../../../lib/store/memory.ts';
import type { Store } from '../../../lib/store/store.ts';
import { storeFromUrl } from '../../../lib/store/url.ts';
import { type Filling, fill } from '../fill.ts';

export interface AssistantAppOptions {
  readonly type?: 'X25519' | 'P-256';
  /** `memory:`, `sqlite:FILE`, …, or `none`: a store that remembers nothing, to see what one costs. */
  readonly store: string;
  /** What is in the store beforehand. Default nothing. */
  readonly filling?: Filling;
  /** Web origins whose pages may ask. */
  readonly cors?: true;
  /** Default: a full load waits; it is not refused. */
  readonly workers?: ExponentiationPoolOptions;
}

/** The assistant as an app mounts it, and a route that has nothing to do with it. */
export async function assistantApp({
  type = 'X25519',
  store: url,
  filling,
  cors,
  workers,
}: AssistantAppOptions) {
  const keys = await KeySet.generate({ type });
  const store = await open(url);
  await store.init();
  if (filling) await fill(store, filling);
  const router = assistant({
    keys,
    store,
    ...(cors && { cors }),
    serve: { rsa: [2048, 3072], elgamal: ['P-256', 'ffdhe2048'] },
    // No limits, which a benchmark from one address would meet.
    newIdsPerHour: 1_000_000_000,
    disablesPerMinute: 1_000_000_000,
    workers: workers ?? { queue: 10_000, timeLimit: 25_000 },
  });
  await router.assistant.init();
  const app = express();
  app.use('/assistant', router);
  app.post('/other', express.json(), (req, res) => {
    res.json(req.body);
  });
  return app;
}

async function open(url: string): Promise<Store> {
  if (url === 'none') return oblivious();
  // Room for whatever is measured.
  if (url === 'memory:')
    return new MemoryStore({ maxIds: 10_000_000, maxSeen: 10_000_000, maxMarks: 10_000_000 });
  return storeFromUrl(url);
}

/** Answers as if everything were in order. */
function oblivious(): Store {
  const now = Math.floor(Date.now() / 1000);
  const store: Partial<Store> = {
    init: async () => {},
    reserve: async () => ({ answer: 'reserved', now }),
    settle: async () => ({
      answer: 'settled',
      now,
      failedSince: { count: 0, last: null },
      lastUsed: null,
      isNew: false,
    }),
    disable: async () => ({ isNew: true }),
    count: async () => ({ now, count: 1, resetAt: now + 60 }),
    health: async () => {},
  };
  return store as Store;
}
