/**
 * What a store needs for one right guess, without and with many disabled marks in it.
 *
 *     npx tsx bench/marks.ts [--store memory|sqlite|redis|postgres|all] [--marks 1000000]
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { DEFAULT_GUESS_POLICY } from '../lib/assistant/guesses.ts';
import { MemoryStore } from '../lib/store/memory.ts';
import type { Mark, Store } from '../lib/store/store.ts';
import { storeFromUrl } from '../lib/store/url.ts';
import { isMissing, startEngine } from '../test/cluster/engines.ts';

const { values } = parseArgs({
  options: { store: { type: 'string', default: 'all' }, marks: { type: 'string', default: '1000000' } },
});
const total = Number(values.marks);
const name = (length: number) => randomBytes(length).toString('base64url');
const ROUNDS = 3000;

/** Microseconds for reserving and settling, as an unlock does: median and 99th percentile. */
async function measure(store: Store): Promise<readonly [number, number]> {
  const taken: number[] = [];
  for (let i = -200; i < ROUNDS; i++) {
    const seenUntil = Math.floor(Date.now() / 1000) + 900;
    const request = { id: name(32), u: name(32), jti: name(16), policy: DEFAULT_GUESS_POLICY, seenUntil };
    const since = performance.now();
    await store.reserve({ ...request, admitNew: true });
    await store.settle(request);
    if (i >= 0) taken.push((performance.now() - since) * 1000);
  }
  taken.sort((a, b) => a - b);
  return [taken[ROUNDS / 2] as number, taken[Math.floor(ROUNDS * 0.99)] as number];
}

function* marks(): Generator<Mark> {
  for (let at = 1; at <= total; at++) yield { kind: 'disabled', u: name(32), t: name(16), at };
}

async function bench(kind: string, store: Store): Promise<void> {
  await store.init();
  const [median, slow] = await measure(store);
  const since = performance.now();
  await store.importMarks(marks());
  const imported = (performance.now() - since) / 1000;
  const [after, slowAfter] = await measure(store);
  const us = (value: number) => `${Math.round(value)} µs`;
  console.log(
    `| ${kind} | ${us(median)} | ${us(after)} | ${us(slow)} | ${us(slowAfter)} | ${imported.toFixed(1)} s |`,
  );
}

console.log(`| store | median, no marks | with ${total} | p99, no marks | with ${total} | import |`);
console.log('|---|---|---|---|---|---|');
const all = values.store === 'all';
if (all || values.store === 'memory') await bench('memory', new MemoryStore());
for (const kind of ['sqlite', 'redis', 'postgres'] as const) {
  if ((!all && values.store !== kind) || isMissing(kind)) continue;
  const engine = await startEngine(kind);
  const store = await storeFromUrl(engine.url, { timeout: 60_000 });
  try {
    await bench(kind, store);
  } finally {
    await store.close();
    await engine.stop();
  }
}
