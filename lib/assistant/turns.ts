import { RoamingKeyError } from '../base/errors.ts';
import { FairQueue } from '../exponentiation/fair-queue.ts';

/** The least time that a turn of the event loop has for pieces of work, in milliseconds. */
const SHARE = 1;
/** Pieces of one address that wait at once. */
const MAX_WAITING = 256;

export interface TurnRequest {
  readonly address: string;
  /** After this time, in milliseconds, the piece runs in any case. Default: it waits for its turn. */
  readonly patience?: number;
}

/**
 * Shares the event loop with the rest of the process: pieces of work that would keep a turn of the loop busy for longer than a
 * millisecond, or than all else took in each of the last two turns, wait for another turn, so that other routes are served between
 * them and none starves the other. Pieces that wait are served in turn by address.
 */
export class Turns {
  readonly #waiting = new FairQueue<() => void>();
  /** When the first piece of this turn began; `undefined` where there was none. */
  #began: number | undefined;
  #share = SHARE;
  /** When the last piece ended: what came since is not ours. */
  #ended = 0;
  /** What all else took in the turn before. */
  #elseBefore = 0;
  readonly #now: () => number;

  /** @param now whole seconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * When a piece may run: `undefined` for at once, where this turn has time left. The caller then goes on without `await`, so
   * that its piece has taken its time before the next one asks.
   *
   * @throws RoamingKeyError `busy` where too many pieces of this address wait
   */
  take({ address, patience }: TurnRequest): Promise<void> | undefined {
    if (this.#began === undefined) {
      this.#ended = performance.now();
      this.#elseBefore = 0;
      this.#begin(SHARE);
      return undefined;
    }
    if (this.#waiting.size === 0 && this.#hasTime) return undefined;
    if (patience === undefined && this.#waiting.sizeOf(address) >= MAX_WAITING)
      throw new RoamingKeyError('busy', 'too many requests of this address wait', {
        retryAt: this.#now() + 1,
      });
    return new Promise((resolve) => {
      const timer = patience === undefined ? undefined : setTimeout(() => run(), patience);
      const run = () => {
        clearTimeout(timer);
        this.#waiting.remove(address, run);
        resolve();
      };
      this.#waiting.push(address, run);
    });
  }

  get #hasTime(): boolean {
    return performance.now() - (this.#began ?? 0) < this.#share;
  }

  #begin(share: number): void {
    this.#began = performance.now();
    this.#share = share;
    setImmediate(() => {
      if (this.#waiting.size === 0) {
        this.#began = undefined;
        return;
      }
      // A single long turn is a garbage collection, after which others have waited for long enough.
      const elsewhere = performance.now() - this.#ended;
      this.#begin(Math.max(SHARE, Math.min(elsewhere, this.#elseBefore)));
      this.#elseBefore = elsewhere;
      this.#run();
    });
  }

  #run(): void {
    this.#waiting.shift()?.();
    // After all of that piece, which awaits many things that are there already: ticks come once no microtask is left.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#ended = performance.now();
        if (this.#waiting.size > 0 && this.#hasTime) this.#run();
      }),
    );
  }
}
