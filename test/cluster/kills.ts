import { pause } from './asking.ts';
import { Cluster } from './cluster.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';
import { Load } from './load.ts';

const POLICY = {
  free: 25,
  firstWait: 3600,
  maxWait: 3600,
  limit: 100,
  window: 86_400,
  reservationTimeout: 2,
  knownFor: 5_000,
};

/**
 * Processes killed at random moments while they disable and count, and others started in their place, until there were
 * as many disablings and as many kills as wanted.
 */
export async function kills(options: {
  readonly engine: Engine;
  readonly processes: number;
  readonly disables: number;
  readonly kills: number;
  /** Milliseconds between what one worker does. */
  readonly gap: number;
}): Promise<Finding> {
  const { engine, processes } = options;
  const findings = new Findings();
  const cluster = await Cluster.start({ engine, processes, policy: POLICY });
  try {
    const load = new Load(cluster);
    load.start(options.gap);
    let killed = 0;
    const cutOff = () => [...load.guesses, ...load.disables].filter(({ code }) => code === 'gone').length;
    while (killed < options.kills || load.acknowledged < options.disables || cutOff() === 0) {
      await pause(20 + Math.random() * 400);
      const victim = killed % processes;
      await cluster.kill(victim);
      killed += 1;
      await cluster.startProcess(victim);
    }
    await load.stop();
    const figures = await load.check(findings, engine);
    return findings.close(
      engine.name,
      'processes killed',
      `${killed} kills, ${cutOff()} cut off: ${figures}`,
    );
  } finally {
    await cluster.stop();
  }
}
