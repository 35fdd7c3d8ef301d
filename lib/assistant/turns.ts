/** How long the pieces of one turn of the event loop may take together, in milliseconds. */
const TURN = 1;

/**
 * Shares the event loop with the rest of the process: pieces of work that would keep a turn of the loop busy for longer than a
 * millisecond wait for one of their own, in order, so that other routes are served between them.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  /** When the first piece of this turn began; `undefined` where there was none. */
  #began: number | undefined;

  /**
   * When a piece may run: `undefined` for at once, where this turn has time left. The caller then goes on without `await`, so
   * that its piece has taken its time before the next one asks.
   */
  take(): Promise<void> | undefined {
    if (this.#began === undefined) {
      this.#begin();
      return undefined;
    }
    if (this.#waiting.length === 0 && performance.now() - this.#began < TURN) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #begin(): void {
    this.#began = performance.now();
    setImmediate(() => {
      const next = this.#waiting.shift();
      if (next) {
        this.#begin();
        next();
      } else this.#began = undefined;
    });
  }
}
