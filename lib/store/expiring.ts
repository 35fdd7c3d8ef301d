import { RoamingKeyError } from '../base/errors.ts';

/**
 * Named values with an expiry, in bounded memory.
 *
 * Expired ones are swept after as many additions as there are names, so that a sweep costs a constant per addition;
 * when it is full it is swept once a second at most, and refuses what still finds no room.
 */
export class Expiring<V extends { readonly until: number }> {
  readonly #kept = new Map<string, V>();
  readonly #max: number;
  #added = 0;
  #swept = 0;

  /** @param max how many names it holds */
  constructor(max: number) {
    this.#max = max;
  }

  /** What is kept under `name` at `now`. */
  get(name: string, now: number): V | undefined {
    const kept = this.#kept.get(name);
    return kept && kept.until > now ? kept : undefined;
  }

  /** Whether one more name finds room. */
  hasRoom(now: number): boolean {
    const isFull = this.#kept.size >= this.#max;
    if (isFull ? this.#swept !== now : this.#added > this.#kept.size) this.sweep(now);
    return this.#kept.size < this.#max;
  }

  /**
   * Makes sure that one more name finds room, so that a caller can do all or nothing.
   *
   * @throws RoamingKeyError `unavailable` when full
   */
  makeRoom(now: number): void {
    if (!this.hasRoom(now)) throw new RoamingKeyError('unavailable', 'the store is full');
  }

  /** Keeps `value` until its time. */
  set(name: string, value: V): void {
    this.#kept.set(name, value);
    this.#added += 1;
  }

  /** Forgets the names that `test` picks. */
  delete(test: (name: string) => boolean): number {
    const before = this.#kept.size;
    for (const name of this.#kept.keys()) if (test(name)) this.#kept.delete(name);
    return before - this.#kept.size;
  }

  /** Forgets one name. */
  drop(name: string): void {
    this.#kept.delete(name);
  }

  /** Forgets expired names and tells how many they were. */
  sweep(now: number): number {
    this.#swept = now;
    this.#added = 0;
    return this.delete((name) => this.get(name, now) === undefined);
  }
}
