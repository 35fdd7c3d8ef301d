/**
 * A limit on attempts per name in a window of time, in memory of fixed size: a count-min sketch.
 *
 * A name has one counter in each of four rows, chosen by a keyed hash, and its count is the smallest of them. So a count
 * is never too low, and too high only where a name shares all four counters. Names that exist and names that do not are
 * counted alike.
 *
 * A flood over very many names fills the sketch, and then names without an attempt of their own look exhausted. While
 * that is likely, what would be refused passes at a slow rate, shared by all.
 */
const ROWS = 4;
const MAX_COUNT = 0xffff;
/** How likely a refusal of an unused name may be before the slow lane opens. */
const LIKELY = 1e-4;

export interface AttemptLimitOptions {
  /** Attempts per name and window, from 1 to 65535. */
  readonly limit: number;
  /** The window's length in seconds. */
  readonly window: number;
  /** Counters in each row, a power of two. */
  readonly width: number;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

export class AttemptLimit {
  readonly #options: AttemptLimitOptions;
  readonly #counts: Uint16Array;
  /** In each row, how many counters have reached the limit. */
  readonly #exhausted = new Uint32Array(ROWS);
  #started = 0;
  #passedAt = 0;

  constructor(options: AttemptLimitOptions) {
    this.#options = options;
    this.#counts = new Uint16Array(ROWS * options.width);
  }

  /**
   * Takes one attempt before its outcome is known.
   *
   * @param hash a keyed hash of the name, at least 16 bytes
   * @returns a function that gives the attempt back, or the time of the next one, in seconds since the epoch
   */
  take(hash: Uint8Array): (() => void) | number {
    const { limit, window } = this.#options;
    const now = this.#options.now();
    if (now < this.#started || now >= this.#started + window) this.#restart(now);
    const cells = this.#cellsOf(hash);
    if (cells.every((cell) => (this.#counts[cell] as number) >= limit)) {
      if (!this.#isCrowded) return this.#started + window;
      if (now === this.#passedAt) return now + 1;
      this.#passedAt = now;
    }
    this.#add(cells, 1);
    const started = this.#started;
    return () => {
      if (this.#started === started) this.#add(cells, -1);
    };
  }

  /** A counter at its maximum has lost count and stays there until the window ends. */
  #add(cells: readonly number[], change: 1 | -1): void {
    const { limit } = this.#options;
    for (const [row, cell] of cells.entries()) {
      const before = this.#counts[cell] as number;
      if (before === MAX_COUNT) continue;
      const after = before + change;
      this.#counts[cell] = after;
      if (after >= limit !== before >= limit) (this.#exhausted[row] as number) += change;
    }
  }

  get #isCrowded(): boolean {
    return this.#exhausted.reduce((chance, count) => (chance * count) / this.#options.width, 1) > LIKELY;
  }

  #restart(now: number): void {
    this.#counts.fill(0);
    this.#exhausted.fill(0);
    this.#started = now;
  }

  #cellsOf(hash: Uint8Array): number[] {
    const { width } = this.#options;
    const view = new DataView(hash.buffer, hash.byteOffset);
    return Array.from({ length: ROWS }, (_, row) => row * width + (view.getUint32(4 * row) & (width - 1)));
  }
}
