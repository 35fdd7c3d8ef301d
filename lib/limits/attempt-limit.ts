/**
 * How often something may be tried in a window of time, in memory of fixed size: names share counters by a keyed hash,
 * so that strangers can neither fill the memory nor choose whom they share one with. A name that exists and one that
 * does not are counted alike.
 */
const COUNTERS = 2 ** 16;

export class AttemptLimit {
  readonly #limit: number;
  readonly #window: number;
  readonly #now: () => number;
  readonly #counts = new Uint16Array(COUNTERS);
  #started = 0;

  /**
   * @param limit from 1 to 65535 a window
   * @param window seconds
   */
  constructor(limit: number, window: number, now: () => number) {
    this.#limit = limit;
    this.#window = window;
    this.#now = now;
  }

  /** How many counters there are for names to share. */
  static readonly counters = COUNTERS;

  /**
   * Takes one attempt before its outcome is known.
   *
   * @returns `undefined` if it may be made, else when there will be others, in seconds since the epoch
   */
  take(counter: number): number | undefined {
    const now = this.#now();
    if (now < this.#started || now >= this.#started + this.#window) {
      this.#counts.fill(0);
      this.#started = now;
    }
    const count = this.#counts[counter] as number;
    if (count >= this.#limit) return this.#started + this.#window;
    this.#counts[counter] = count + 1;
    return undefined;
  }

  /** Gives an attempt back that was no guess. */
  giveBack(counter: number): void {
    const count = this.#counts[counter] as number;
    if (count > 0) this.#counts[counter] = count - 1;
  }
}
