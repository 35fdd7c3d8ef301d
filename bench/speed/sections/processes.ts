import { newSqlite, unlockCase } from '../cases/assistant.ts';
import { many } from '../cases/case.ts';
import { oneRound, warmUp } from '../rounds.ts';
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
}

/** Unlocks by one process, and by two at the same time on all cores, in turn. */
export async function measureProcesses({ rounds, scale, say }: ProcessesOptions): Promise<ProcessesRow[]> {
  const store = newSqlite();
  const unlock = unlockCase('unlock, SQLite', () => ({ store }), { pinned: false });
  const servers = await many(2, () => unlock.start());
  for (const running of servers) await warmUp({ of: unlock, running }, scale);
  const samples = [1, 2].map((processes) => ({ processes, cpu: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    say(`processes, round ${round + 1} of ${rounds}`);
    for (const { processes, cpu } of samples) {
      const each = Math.max(1, Math.round((unlock.batch * scale) / processes));
      const rows = await Promise.all(
        servers.slice(0, processes).map((running) => oneRound(running, each, 32)),
      );
      cpu.push(rows.reduce((sum, row) => sum + row.cpu, 0) / processes);
    }
  }
  for (const { server } of servers) await server.stop();
  return samples.map(({ processes, cpu }) => ({ processes, cpu: spread(cpu) }));
}
