import { epochSeconds } from '../base/clock.ts';
import { callSafely } from '../observe/instrument.ts';

const WINDOW = 60;
/** How many addresses are told apart in a window; all further ones share one place. */
const MAX_ADDRESSES = 10_000;
/** The place of all further addresses; no address has this spelling. */
const OTHERS = 'others';

/** Lines that were left out of a log, of one address in one window. */
export interface LeftOut {
  readonly address: string;
  readonly types: readonly string[];
  readonly count: number;
}

export interface ThinnedOptions {
  /** Lines of one address in a minute. */
  readonly limit: number;
  /** Hears of what was left out, when the minute is over. */
  readonly onLeftOut?: (leftOut: LeftOut) => void;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly now?: (() => number) | undefined;
}

interface Place {
  readonly limit: number;
  lines: number;
  leftOut: number;
  readonly types: Set<string>;
}

/** Decides which lines a log gets, so that what strangers cause is bounded: by time, by address, and in memory. */
export class Thinned {
  readonly #options: ThinnedOptions;
  readonly #now: () => number;
  readonly #places = new Map<string, Place>();
  #since = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ThinnedOptions) {
    this.#options = options;
    this.#now = options.now ?? epochSeconds;
  }

  /** Whether a line may be written. `kind`: lines of several kinds are counted apart. */
  admits(kind: string, type: string, address: string): boolean {
    if (Math.abs(this.#now() - this.#since) >= WINDOW) this.#begin();
    const place = this.#placeOf(kind, address);
    if (place.lines < place.limit) {
      place.lines += 1;
      return true;
    }
    place.leftOut += 1;
    place.types.add(type);
    // Where nothing more comes, the end of the minute still has its line.
    this.#timer ??= setTimeout(() => this.#begin(), WINDOW * 1000).unref();
    return false;
  }

  #placeOf(kind: string, address: string): Place {
    const name = `${kind}\n${address}`;
    const known = this.#places.get(name);
    if (known) return known;
    if (this.#places.size >= MAX_ADDRESSES && address !== OTHERS) return this.#placeOf(kind, OTHERS);
    const limit = address === OTHERS ? MAX_ADDRESSES : this.#options.limit;
    const place = { limit, lines: 0, leftOut: 0, types: new Set<string>() };
    this.#places.set(name, place);
    return place;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since = this.#now();
    const places = [...this.#places];
    this.#places.clear();
    for (const [name, { leftOut: count, types }] of places) {
      const address = name.slice(name.indexOf('\n') + 1);
      // From a timer: what a logger throws here would end the process.
      if (count > 0)
        callSafely(() => this.#options.onLeftOut?.({ address, types: [...types].sort(), count }));
    }
  }
}
