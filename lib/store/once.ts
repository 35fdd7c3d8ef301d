import { RoamingKeyError } from '../errors.ts';

/**
 * One-time names with an expiry, in bounded memory.
 *
 * Expired names are swept after as many additions as there are names, so that a sweep costs a constant per addition;
 * when the set is full it is swept once a second at most, and refuses what still finds no room.
 */
export class OnceSet {
  readonly #until = new Map<string, number>();
  readonly #max: number;
  #added = 0;
  #swept = 0;

  /** @param max how many names it holds */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether `name` is taken at `now`. */
  has(name: string, now: number): boolean {
    return (this.#until.get(name) ?? 0) > now;
  }

  /**
   * Makes sure that one more name finds room, so that a caller can do all or nothing.
   *
   * @throws RoamingKeyError `unavailable` when full
   */
  makeRoom(now: number): void {
    const isFull = this.#until.size >= this.#max;
    if (isFull ? this.#swept !== now : this.#added > this.#until.size) this.sweep(now);
    if (this.#until.size >= this.#max) throw new RoamingKeyError('unavailable', 'The store is full.');
  }

  /** Takes `name` until `until`; a name that is taken for longer stays so. */
  add(name: string, until: number): void {
    this.#until.set(name, Math.max(this.#until.get(name) ?? 0, until));
    this.#added += 1;
  }

  /** Forgets the names that `test` picks. */
  delete(test: (name: string) => boolean): number {
    const before = this.#until.size;
    for (const name of this.#until.keys()) if (test(name)) this.#until.delete(name);
    return before - this.#until.size;
  }

  /** Forgets expired names and tells how many they were. */
  sweep(now: number): number {
    this.#swept = now;
    this.#added = 0;
    return this.delete((name) => !this.has(name, now));
  }
}
