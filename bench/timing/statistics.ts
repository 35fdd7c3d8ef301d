/**
 * Whether two classes of times differ, after Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?":
 * Welch's t-test on the times below several percentiles, since a loaded machine adds a long tail that hides what is
 * below it; and a test of ranks, which no tail can move far.
 */

/** One measurement: its class, and how long it took, in any unit. */
export interface Sample {
  readonly isA: boolean;
  readonly time: number;
}

/** |t| above this is a difference that was found: by chance in one of 150 000 comparisons of equals. */
export const THRESHOLD = 4.5;
/** Fewer of a class are not compared. */
const MIN_CLASS = 10;
const PERCENTILES = [0.1, 0.25, 0.5, 0.75, 0.9, 1] as const;

/** The largest |t| or |z| of all comparisons: the classes differ where it is above {@link THRESHOLD}. */
export function largestT(samples: readonly Sample[]): number {
  const sorted = samples.map(({ time }) => time).sort((a, b) => a - b);
  const times = (wanted: boolean, cut: number) =>
    samples.filter(({ isA, time }) => isA === wanted && time <= cut).map(({ time }) => time);
  const ts = PERCENTILES.map((share) => {
    const cut = percentile(sorted, share);
    const [a, b] = [times(true, cut), times(false, cut)];
    // Below a low percentile a gross difference leaves one class alone; the higher ones show it.
    return Math.min(a.length, b.length) < MIN_CLASS ? 0 : Math.abs(welch(a, b));
  });
  return Math.max(Math.abs(rankSum(samples)), ...ts);
}

/** The value below which that share of sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The medians of class A and of class B. */
export function medians(samples: readonly Sample[]): readonly [a: number, b: number] {
  const median = (wanted: boolean) => {
    const times = samples.filter(({ isA }) => isA === wanted).map(({ time }) => time);
    return percentile(
      times.sort((a, b) => a - b),
      0.5,
    );
  };
  return [median(true), median(false)];
}

/** Welch's t of two samples. 0 where both are constant and the same, infinite where they are constant and differ. */
export function welch(a: readonly number[], b: readonly number[]): number {
  const [left, right] = [moments(a), moments(b)];
  const difference = left.mean - right.mean;
  if (difference === 0) return 0;
  return difference / Math.sqrt(left.variance / a.length + right.variance / b.length);
}

function moments(sample: readonly number[]): { mean: number; variance: number } {
  const mean = sample.reduce((sum, x) => sum + x, 0) / sample.length;
  const variance = sample.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

/** Mann and Whitney's z, with ties at their mean rank and the variance that goes with them. */
export function rankSum(samples: readonly Sample[]): number {
  const ranked = [...samples].sort((a, b) => a.time - b.time);
  const total = ranked.length;
  const n = ranked.filter(({ isA }) => isA).length;
  const m = total - n;
  if (Math.min(n, m) < MIN_CLASS) return 0;
  let sum = 0;
  let ties = 0;
  for (let from = 0, to = 0; from < total; from = to) {
    while (to < total && ranked[to]?.time === ranked[from]?.time) to++;
    const meanRank = (from + 1 + to) / 2;
    sum += meanRank * ranked.slice(from, to).filter(({ isA }) => isA).length;
    ties += (to - from) ** 3 - (to - from);
  }
  const variance = ((n * m) / 12) * (total + 1 - ties / (total * (total - 1)));
  return variance === 0 ? 0 : (sum - (n * (total + 1)) / 2) / Math.sqrt(variance);
}
