/** How times are taken: both classes in random order, what is measured made ready before the clock runs. */
import { randomBytes } from 'node:crypto';
import { largestT, medians, type Sample, THRESHOLD } from './statistics.ts';

/** Something that may take as long for class A as for class B, and no longer. */
export interface TimingCase {
  readonly name: string;
  /** Makes what one measurement needs, of class A or B; both in the same way, or the machine tells them apart. */
  prepare(isA: boolean): Promise<() => unknown> | (() => unknown);
  /** How many measurements in full; quick ones take a part. */
  readonly measurements: number;
  /** Calls in one measurement, for what takes less than the clock can tell. Default 1. */
  readonly calls?: number;
  /**
   * `cpu` counts the processor's time alone, in steps of microseconds: other load hides nothing then. `wall` is finer.
   * Default `wall`.
   */
  readonly clock?: 'cpu' | 'wall';
}

/** Cases beside a control that leaks in the way that they might. */
export interface TimingGroup {
  readonly name: string;
  /** Must be found out, else the group's other results count for nothing. */
  readonly control: TimingCase;
  readonly cases: readonly TimingCase[];
  close?(): void;
}

/** What was found out about one case. */
export interface Verdict {
  readonly name: string;
  readonly measurements: number;
  /** Of each measuring: a difference must be found again in fresh ones before it counts. */
  readonly ts: readonly number[];
  /** Medians of both classes, in microseconds a call. */
  readonly medians: readonly [a: number, b: number];
  readonly isFound: boolean;
}

/** Made ready together; the first ones only warm the machine up. */
const CHUNK = 100;

/** Measures a case, and once more where a difference was found. */
export async function judge(timing: TimingCase, share = 1): Promise<Verdict> {
  const measurements = Math.max(200, Math.round(timing.measurements * share));
  const ts: number[] = [];
  let samples: readonly Sample[];
  do {
    samples = await measure(timing, measurements);
    ts.push(largestT(samples));
  } while ((ts.at(-1) as number) > THRESHOLD && ts.length < 2);
  const [a, b] = medians(samples).map((median) => (1000 * median) / (timing.calls ?? 1)) as [number, number];
  return { name: timing.name, measurements, ts, medians: [a, b], isFound: ts.every((t) => t > THRESHOLD) };
}

async function measure(timing: TimingCase, measurements: number): Promise<readonly Sample[]> {
  const { calls = 1, clock = 'wall' } = timing;
  const now = clock === 'cpu' ? processorTime : performance.now.bind(performance);
  const samples: Sample[] = [];
  for (let done = -CHUNK; done < measurements; done += CHUNK) {
    const classes = Array.from(randomBytes(CHUNK), (byte) => byte < 128);
    const ready: (() => unknown)[] = [];
    for (const isA of classes) ready.push(await timing.prepare(isA));
    for (const [i, run] of ready.entries()) {
      const start = now();
      for (let call = 0; call < calls; call++) {
        const result = run();
        // A promise that need not be waited for would cost a turn of the queue in either class.
        if (result instanceof Promise) await result;
      }
      const time = now() - start;
      if (done >= 0) samples.push({ isA: classes[i] as boolean, time });
    }
  }
  return samples;
}

/** In milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
