import { newSqlite, unlockCase } from '../cases/assistant.ts';
import { many, type RunningCase } from '../cases/case.ts';
import { warmUp } from '../rounds.ts';
import { type Spread, spread } from '../statistics.ts';

export interface ProcessesOptions {
  readonly rounds: number;
  readonly scale: number;
  readonly say: (what: string) => void;
}

/** What an unlock costs where so many processes share one SQLite file. */
export interface ProcessesRow {
  readonly processes: number;
  /** Microseconds of processor time of all of them. */
  readonly cpu: Spread;
  /** Unlocks in a second, with the client on one of the cores. */
  readonly rate: Spread;
}

const BATCH = 1200;

/** Unlocks by one process, and by two at the same time on all cores, in turn. */
export async function measureProcesses({ rounds, scale, say }: ProcessesOptions): Promise<ProcessesRow[]> {
  const store = newSqlite();
  const unlock = unlockCase('unlock, SQLite', () => ({ store }), { pinned: false });
  const servers = await many(2, () => unlock.start());
  for (const running of servers) await warmUp({ of: unlock, running }, scale);
  const samples = [1, 2].map((processes) => ({ processes, cpu: [] as number[], rate: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    say(`processes, round ${round + 1} of ${rounds}`);
    for (const { processes, cpu, rate } of samples) {
      const each = Math.max(1, Math.round((BATCH * scale) / processes));
      const costs = await Promise.all(servers.slice(0, processes).map((running) => costOf(running, each)));
      cpu.push(costs.reduce((sum, cost) => sum + cost.cpu, 0) / (each * processes));
      rate.push((1000 * each * processes) / Math.max(...costs.map(({ wall }) => wall)));
    }
  }
  for (const { server } of servers) await server.stop();
  return samples.map(({ processes, cpu, rate }) => ({ processes, cpu: spread(cpu), rate: spread(rate) }));
}

async function costOf({ server, run }: RunningCase, count: number): Promise<{ cpu: number; wall: number }> {
  const total = { cpu: 0, wall: 0 };
  await run(count, async (requests) => {
    const cost = await server.send(requests, 32);
    total.cpu += cost.cpu;
    total.wall += cost.wall;
    return cost;
  });
  return total;
}
