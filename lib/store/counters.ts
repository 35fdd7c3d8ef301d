import { wholeNumber } from '../base/options.ts';
import { Expiring } from './expiring.ts';
import type { CountAnswer, CountRequest } from './store.ts';

/** A count goes no higher than this. */
export const MAX_COUNT = 1_000_000_000;
/** The longest window, in seconds. */
const MAX_SECONDS = 86_400;

/** What a store keeps under one name: how many hits, and when their window ends. */
export interface Counter {
  readonly count: number;
  readonly until: number;
}

/**
 * Refuses what {@link Store.count} cannot count: a hit that is no number would make a sum that is over no limit.
 *
 * @throws TypeError naming the member
 */
export function checkCount({ name, seconds, by }: CountRequest): void {
  if (typeof name !== 'string' || name === '') throw new TypeError('name must be a text that is not empty');
  wholeNumber('seconds', seconds, 1, MAX_SECONDS);
  wholeNumber('by', by, -MAX_COUNT, MAX_COUNT);
}

/**
 * Decides {@link Store.count}.
 *
 * A window that ends later than one that began now was made before the clock was set back, or when windows were longer;
 * it is cut, so that no client waits longer than a window.
 *
 * @param kept what is kept under the name, if its window has not ended
 */
export function counted(kept: Counter | undefined, { seconds, by }: CountRequest, now: number): Counter {
  const count = Math.min(MAX_COUNT, Math.max(0, (kept?.count ?? 0) + by));
  if (count === 0) return { count, until: now };
  return { count, until: Math.min(kept?.until ?? now + seconds, now + seconds) };
}

/** Counters in the memory of one process; rejects what finds no room, as it must not start from 0 again. */
export class Counters {
  readonly #kept: Expiring<Counter>;
  readonly #now: () => number;

  /**
   * @param max how many names it holds
   * @param now the clock: whole seconds since the epoch
   */
  constructor(max: number, now: () => number) {
    this.#kept = new Expiring(max);
    this.#now = now;
  }

  /** As {@link Store.count}. */
  async count(request: CountRequest): Promise<CountAnswer> {
    checkCount(request);
    const now = this.#now();
    const { name, by } = request;
    const kept = this.#kept.get(name, now);
    const { count, until } = counted(kept, request, now);
    if (count === 0) this.#kept.drop(name);
    else if (by !== 0) {
      if (!kept) this.#kept.makeRoom(now);
      this.#kept.set(name, { count, until });
    }
    return { now, count, resetAt: until };
  }

  /** Forgets counters whose window has ended and tells how many they were. */
  sweep(now: number): number {
    return this.#kept.sweep(now);
  }
}
