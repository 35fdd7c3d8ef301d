import type { Case, RunningCase } from './cases/case.ts';
import { quantile, type Spread, spread } from './statistics.ts';

/** What one operation of a case costs, over all rounds. */
export interface Measured {
  readonly name: string;
  /** Microseconds of the server's processor time, all threads. */
  readonly cpu: Spread;
  /** The same of threads other than the one that answers. */
  readonly workerCpu: Spread;
  /** Operations in a second. */
  readonly rate: Spread;
  /** Milliseconds for one request, median and 99th percentile of each round. */
  readonly latency: { readonly median: Spread; readonly p99: Spread };
  /** Processor time of each round, for ratios within a round. */
  readonly rounds: readonly number[];
  readonly workerRounds: readonly number[];
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly connections: number;
  /** How many times the usual batch. */
  readonly scale: number;
  readonly onRound?: (round: number) => void;
}

interface Row {
  cpu: number;
  workerCpu: number;
  rate: number;
  median: number;
  p99: number;
}

/** Runs all cases in turn, round after round, so that what changes on the machine meets them all alike. */
export async function inRounds(
  cases: readonly { readonly of: Case; readonly running: RunningCase }[],
  { rounds, connections, scale, onRound }: RoundsOptions,
): Promise<ReadonlyMap<string, Measured>> {
  const rows = new Map<string, Row[]>(cases.map(({ of }) => [of.name, []]));
  for (let round = 0; round < rounds; round++) {
    onRound?.(round);
    for (let i = 0; i < cases.length; i++) {
      const { of, running } = cases[(i + round) % cases.length] as (typeof cases)[0];
      rows
        .get(of.name)
        ?.push(await oneRound(running, Math.max(1, Math.round(of.batch * scale)), connections));
    }
  }
  return new Map([...rows].map(([name, sample]) => [name, summarise(name, sample)]));
}

/** V8 compiles the paths of a request to their last form only after thousands of them. */
const WARM_UPS = 6;

/** Lets a server's code be compiled before anything counts. */
export async function warmUp(
  { of, running }: { of: Case; running: RunningCase },
  scale: number,
): Promise<void> {
  for (let i = 0; i < WARM_UPS; i++) {
    await running.run(Math.max(1, Math.round(of.batch * scale)), (requests) =>
      running.server.send(requests, 32),
    );
  }
}

/** Does an operation `count` times, and before that as often without counting. */
export async function oneRound(
  { server, run }: RunningCase,
  count: number,
  connections: number,
): Promise<Row> {
  // While the others had their turns, V8 gave memory back: what it costs to take it again is no part of a request.
  await run(count, (requests) => server.send(requests, connections));
  const latencies: number[] = [];
  const total = { cpu: 0, workerCpu: 0, wall: 0 };
  await run(count, async (requests) => {
    const cost = await server.send(requests, connections);
    total.cpu += cost.cpu;
    total.workerCpu += cost.workerCpu;
    total.wall += cost.wall;
    latencies.push(...cost.latencies);
    return cost;
  });
  return {
    cpu: total.cpu / count,
    workerCpu: total.workerCpu / count,
    rate: (1000 * count) / total.wall,
    median: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

function summarise(name: string, sample: readonly Row[]): Measured {
  const of = (member: keyof Row) => sample.map((row) => row[member]);
  return {
    name,
    cpu: spread(of('cpu')),
    workerCpu: spread(of('workerCpu')),
    rate: spread(of('rate')),
    latency: { median: spread(of('median')), p99: spread(of('p99')) },
    rounds: of('cpu'),
    workerRounds: of('workerCpu'),
  };
}
