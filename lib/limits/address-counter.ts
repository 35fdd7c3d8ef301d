import { createHash } from 'node:crypto';
import { RoamingKeyError } from '../base/errors.ts';
import { Counters } from '../store/counters.ts';
import { Expiring } from '../store/expiring.ts';
import type { CountAnswer, Store } from '../store/store.ts';

/** How many addresses a process counts by itself, where the store does not count. */
const MAX_COUNTED = 1_000_000;
/** How many addresses a process remembers to be over their limit; of others it asks the store every time. */
const MAX_REMEMBERED = 65_536;

/** The part of a store in which addresses are counted. */
export type Counting = Pick<Store, 'count'>;

export interface AddressCounterOptions {
  /** What is counted, in a word. Counters of different purposes have nothing to do with each other. */
  readonly purpose: string;
  /** For whom, where several may share a store. */
  readonly realm?: string | undefined;
  /** How many hits an address has in a window. */
  readonly limit: number;
  /** Length of a window in seconds. */
  readonly seconds: number;
  /** Where all processes count together. Default: this process counts by itself. */
  readonly store?: Counting | undefined;
  /** Whole seconds since the epoch. */
  readonly clock: () => number;
}

/** Hits of an address, and when it has others, in seconds since the epoch by this process's clock. */
export interface Hits {
  readonly count: number;
  readonly retryAt: number;
}

interface Spent extends Hits {
  readonly since: number;
  readonly until: number;
  /** Hits that were answered from here, so that taking one back takes none that the store has counted. */
  beyond: number;
}

/**
 * What each address has done in a window of time, counted in the store that all processes share.
 *
 * An address that has no more hits is remembered here until its window ends, so that a flood from it costs the store
 * nothing. Since processes learn of it each by its own last hit, that is also how far all together can go beyond a limit
 * that is only looked at afterwards: by those hits, and those under way.
 *
 * The store gets no address, only a hash over a label, the purpose and the address. There are few enough IPv4 addresses
 * to try them all: a reader of the store learns which were there within the last window.
 */
export class AddressCounter {
  /** What the names of all counters begin with. */
  readonly prefix: string;
  readonly #scope: readonly string[];
  readonly #limit: number;
  readonly #seconds: number;
  readonly #store: Counting;
  readonly #clock: () => number;
  readonly #spent = new Expiring<Spent>(MAX_REMEMBERED);

  constructor({ purpose, realm = '', limit, seconds, store, clock }: AddressCounterOptions) {
    this.prefix = `limit:${purpose}:`;
    this.#scope = ['roaming-key/1 address', purpose, realm];
    this.#limit = limit;
    this.#seconds = seconds;
    this.#clock = () => Math.floor(clock());
    this.#store = store ?? new Counters(MAX_COUNTED, this.#clock);
  }

  /** What this process knows of an address that has no hits left; does not ask the store. */
  spent(address: string): Hits | undefined {
    return this.#known(address);
  }

  /**
   * Counts `by` hits of an address; a negative number takes some back, 0 only asks. Hits of an address that has none left
   * are not counted.
   *
   * @throws RoamingKeyError `unavailable` where the store did not count
   */
  async count(address: string, by: number): Promise<Hits> {
    const known = this.#known(address);
    if (known && known.beyond + by >= 0) {
      known.beyond += by;
      return { count: known.count + Math.min(1, known.beyond), retryAt: known.retryAt };
    }
    const { now, count, resetAt } = await this.#ask(address, by);
    const since = this.#clock();
    // Of the store's clock only differences count: it may be another than this one.
    const until = since + Math.min(this.#seconds, Math.max(1, resetAt - now));
    if (by < 0) this.#spent.drop(address);
    if (count >= this.#limit && this.#spent.hasRoom(since)) {
      this.#spent.set(address, { count, retryAt: until, since, until, beyond: 0 });
    }
    return { count, retryAt: until };
  }

  async #ask(address: string, by: number): Promise<CountAnswer> {
    try {
      const answer = await this.#store.count({ name: this.#nameOf(address), seconds: this.#seconds, by });
      const { now, count, resetAt } = answer;
      if (![now, count, resetAt].every(Number.isSafeInteger) || count < Math.max(0, by))
        throw new TypeError('the store answers with something that is no count');
      return answer;
    } catch (cause) {
      throw new RoamingKeyError('unavailable', 'the store cannot count', { cause });
    }
  }

  #known(address: string): Spent | undefined {
    const now = this.#clock();
    const kept = this.#spent.get(address, now);
    // Not where the clock was set back since: no client waits longer than a window.
    return kept && kept.since <= now ? kept : undefined;
  }

  #nameOf(address: string): string {
    const hash = createHash('sha256').update(JSON.stringify([...this.#scope, address]));
    return this.prefix + hash.digest('base64url');
  }
}
