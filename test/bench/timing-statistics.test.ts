/** The statistics of `npm run bench:timing`, on times that were made up: they find what was planted and nothing else. */
import { describe, expect, it } from 'vitest';
import { judge, type TimingCase } from '../../bench/timing/measure.ts';
import {
  largestT,
  medians,
  percentile,
  rankSum,
  type Sample,
  THRESHOLD,
  welch,
} from '../../bench/timing/statistics.ts';
import { seeded } from '../fuzz/mutate.ts';

/** Times as a busy machine gives them: spread around 100, one in twenty many times as long. */
function times(seed: number, count: number, slowerA: number): readonly Sample[] {
  const random = seeded(seed);
  const uniform = () => random(2 ** 30) / 2 ** 30;
  return Array.from({ length: count }, () => {
    const isA = uniform() < 0.5;
    const spread = uniform() + uniform() + uniform() + uniform() - 2;
    const tail = uniform() < 0.05 ? 1000 * uniform() : 0;
    return { isA, time: 100 + 5 * spread + tail + (isA ? slowerA : 0) };
  });
}

describe('of two classes', () => {
  it('finds a difference far below the spread, under a long tail', () => {
    for (let seed = 1; seed <= 20; seed++) {
      expect(largestT(times(seed, 4000, 1))).toBeGreaterThan(THRESHOLD);
      expect(largestT(times(seed, 4000, -1))).toBeGreaterThan(THRESHOLD);
    }
  });

  it('that are one finds no difference', () => {
    const ts = Array.from({ length: 300 }, (_, seed) => largestT(times(seed, 1000, 0)));
    expect(Math.max(...ts)).toBeLessThan(THRESHOLD);
    // And is not blind: the largest of several statistics, of chance alone, is about 1.5.
    expect(
      percentile(
        ts.sort((a, b) => a - b),
        0.5,
      ),
    ).toBeGreaterThan(1);
  });

  it('finds one that shows in a few times alone, and one so gross that the classes lie apart', () => {
    const late = times(7, 4000, 0).map((one, i) =>
      one.isA && i % 5 === 0 ? { ...one, time: one.time + 20 } : one,
    );
    expect(largestT(late)).toBeGreaterThan(THRESHOLD);
    expect(largestT(times(8, 400, 500))).toBeGreaterThan(THRESHOLD);
  });

  it('says nothing of a class that has hardly any times', () => {
    const samples = times(9, 200, 50);
    const few = [...samples.filter(({ isA }) => isA).slice(0, 5), ...samples.filter(({ isA }) => !isA)];
    expect(largestT(few)).toBe(0);
  });
});

describe('the numbers', () => {
  // Student's example of two drugs, as R's t.test gives it: t = -1.8608.
  const a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
  const b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

  it("Welch's t is what R says", () => {
    expect(welch(a, b)).toBeCloseTo(-1.8608, 4);
    expect(welch([1, 1], [1, 1])).toBe(0);
    expect(Math.abs(welch([1, 1], [2, 2]))).toBe(Number.POSITIVE_INFINITY);
  });

  it("ranks, ties among them, are what R's wilcox.test says", () => {
    const samples = [...a.map((time) => ({ isA: true, time })), ...b.map((time) => ({ isA: false, time }))];
    // W = 25.5, p = 0.06933 with the correction for continuity; z without it.
    expect(rankSum(samples)).toBeCloseTo((25.5 - 50) / Math.sqrt((100 / 12) * (21 - 12 / 380)), 2);
    expect(rankSum(samples.map(({ isA }) => ({ isA, time: 1 })))).toBe(0);
  });

  it('medians and percentiles are values that occur', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 1)).toBe(4);
    expect(medians([1, 2, 3].map((time) => ({ isA: time > 1, time })))).toEqual([2, 1]);
  });
});

it('measures what is slow for one class and not what is made ready', async () => {
  const work = (rounds: number) => {
    let sum = 0;
    for (let i = 0; i < rounds; i++) sum += Math.sqrt(i);
    return sum;
  };
  const common = { measurements: 400, calls: 5, clock: 'wall' } as const;
  const leaky: TimingCase = { ...common, name: 'leaky', prepare: (isA) => () => work(isA ? 40_000 : 4000) };
  expect(await judge(leaky)).toMatchObject({ isFound: true, ts: [expect.any(Number), expect.any(Number)] });
  const readied: TimingCase = {
    ...common,
    name: 'made ready',
    prepare(isA) {
      work(isA ? 40_000 : 4000);
      return async () => work(4000);
    },
  };
  expect((await judge(readied)).isFound).toBe(false);
});
