import { AddressCounter, type Counting } from './address-counter.ts';
import { SlowLane } from './slow-lane.ts';

export interface PacedLimitOptions {
  /** What is limited, in a word. */
  readonly purpose: string;
  /** How much of it an address may do at once, in a window. */
  readonly limit: number;
  /** Length of a window in seconds. */
  readonly seconds: number;
  /** Where all processes count together. */
  readonly store: Counting;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/** A limit per address that delays what is beyond it, one in a second, and refuses only what would wait too long. */
export class PacedLimit {
  readonly #limit: number;
  readonly #counter: AddressCounter;
  readonly #lane: SlowLane;

  constructor({ purpose, limit, seconds, store, now }: PacedLimitOptions) {
    this.#limit = limit;
    this.#counter = new AddressCounter({ purpose, limit, seconds, store, clock: now });
    this.#lane = new SlowLane(purpose, store, now);
  }

  /**
   * Takes one of the address's tokens, or waits for its turn in the slow lane.
   *
   * @param onDelay called where it waits
   * @returns gives the token back
   * @throws RoamingKeyError `busy`, or `unavailable` where the store cannot count
   */
  async take(address: string, onDelay: () => void): Promise<() => Promise<void>> {
    const { count } = await this.#counter.count(address, 1);
    if (count <= this.#limit) return async () => void (await this.#counter.count(address, -1));
    onDelay();
    await this.#lane.pass(address);
    return async () => {};
  }
}
