import { inTime } from '../base/time-limit.ts';
import { AddressCounter, type Counting } from './address-counter.ts';

/** How long the store may take to count, in seconds. */
const STORE_TIMEOUT = 10;

export interface SharedAttemptsOptions {
  /** What is attempted, in a word. */
  readonly purpose: string;
  /** For whom, where several may share a store. */
  readonly realm?: string;
  /** Attempts of one name in a window. */
  readonly limit: number;
  /** Length of a window in seconds. */
  readonly seconds: number;
  /** Where all processes count together. Default: each by itself. */
  readonly store?: Counting | undefined;
  /** Whole seconds since the epoch. */
  readonly now: () => number;
}

/** Ends an attempt; one that was right is given back. */
export type EndAttempt = (isRight: boolean) => Promise<void>;

/** A limit on attempts per name, of all processes together, which costs nothing to a client that is right. */
export class SharedAttempts {
  readonly #limit: number;
  readonly #counter: AddressCounter;

  constructor({ purpose, realm, limit, seconds, store, now }: SharedAttemptsOptions) {
    this.#limit = limit;
    const counting = store && {
      count: (request: Parameters<Counting['count']>[0]) => inTime(store.count(request), STORE_TIMEOUT),
    };
    this.#counter = new AddressCounter({ purpose, realm, limit, seconds, store: counting, clock: now });
  }

  /**
   * Takes one attempt before its outcome is known.
   *
   * @param name an address, or a keyed hash
   * @returns what ends it, with as much work for either outcome; or the time of the next attempt, in seconds since the epoch
   * @throws RoamingKeyError `unavailable` where the store cannot count
   */
  async take(name: string): Promise<EndAttempt | number> {
    const { count, retryAt } = await this.#counter.count(name, 1);
    if (count <= this.#limit)
      return async (isRight) => void (await this.#counter.count(name, isRight ? -1 : 0));
    // What was not let through must not keep the window full once others are given back.
    await this.#counter.count(name, -1);
    return retryAt;
  }
}
