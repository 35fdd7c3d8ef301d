/**
 * What several processes that share one store must withstand, at length, and as one table.
 *
 *     npm run soak -- --store sqlite|redis|postgres|all [--scale 0.1]
 *
 * Fails where a password was compared that the policy does not allow, a guess forgotten, an acknowledged disabling lost,
 * or an answer late. The suite runs the same in short.
 */
import { parseArgs } from 'node:util';
import { clocks } from '../test/cluster/clocks.ts';
import { type Engine, type EngineName, isMissing, startEngine } from '../test/cluster/engines.ts';
import type { Finding } from '../test/cluster/finding.ts';
import { hammer, hammerQuickstart } from '../test/cluster/hammer.ts';
import { kills } from '../test/cluster/kills.ts';
import { mixture } from '../test/cluster/mixture.ts';
import { fullDisk, hangs, restarts } from '../test/cluster/outages.ts';
import { strangers } from '../test/cluster/strangers.ts';

const ENGINES: readonly EngineName[] = ['sqlite', 'redis', 'postgres'];
const POLICY = {
  free: 5,
  firstWait: 1,
  maxWait: 4,
  limit: 15,
  window: 86_400,
  reservationTimeout: 60,
  knownFor: 2_000,
};

const { values } = parseArgs({
  options: { store: { type: 'string', default: 'all' }, scale: { type: 'string', default: '1' } },
});
const chosen = ENGINES.filter((name) => values.store === 'all' || values.store === name);
const scale = Number(values.scale);
if (chosen.length === 0 || !(scale > 0)) {
  console.error('usage: npm run soak -- --store sqlite|redis|postgres|all [--scale 0.1]');
  process.exit(2);
}
const scaled = (length: number, least = 1) => Math.max(least, Math.round(length * scale));

function scenarios(engine: Engine): readonly (() => Promise<Finding | undefined>)[] {
  const times = scaled(5);
  const guesses = scaled(10_000, 500);
  return [
    () => hammer({ engine, processes: 4, guesses, burst: Math.ceil(guesses / 14), policy: POLICY }),
    () => hammerQuickstart({ engine, processes: 4, guesses, burst: 500 }),
    () => mixture({ engine, processes: 4, requests: guesses }),
    () => kills({ engine, processes: 4, disables: scaled(1000), kills: scaled(40), gap: 0 }),
    () => strangers({ engine, guesses: scaled(100_000, 2000) }),
    () => clocks({ engine, processes: 4, burst: scaled(100, 10) }),
    ...(engine.name === 'sqlite'
      ? [() => fullDisk({ processes: 4, lasts: 1500, times, gap: 0 })]
      : [
          () => restarts({ engine, processes: 4, lasts: 3000, times, gap: 0 }),
          () => hangs({ engine, processes: 4, lasts: 4000, times, gap: 0 }),
        ]),
  ];
}

function row({ store, scenario, figures, problems, seconds }: Finding): string {
  const verdict = problems.length === 0 ? 'good' : `BAD: ${problems.join('; ')}`;
  return `| ${store} | ${scenario} | ${figures} | ${Math.round(seconds)} s | ${verdict} |`;
}

const since = performance.now();
const findings: Finding[] = [];
for (const name of chosen) {
  if (isMissing(name)) continue;
  const engine = await startEngine(name);
  try {
    for (const scenario of scenarios(engine)) {
      const finding = await scenario();
      if (finding) findings.push(finding);
      else console.error('SKIPPED: a full disk, for want of the right to mount a small one');
      if (finding) console.error(row(finding));
    }
  } finally {
    await engine.stop();
  }
}
console.log('\n| store | scenario | figures | took | |\n|---|---|---|---|---|');
for (const finding of findings) console.log(row(finding));
const bad = findings.filter(({ problems }) => problems.length > 0).length;
console.log(
  `\n${findings.length} scenarios, ${bad} bad, ${Math.round((performance.now() - since) / 1000)} s`,
);
process.exit(bad > 0 ? 1 : 0);
