import type { ClientRateLimitInfo, Store } from 'express-rate-limit';
import { MAX_COUNT } from '../store/counters.ts';
import type { AddressCounter, Hits } from './address-counter.ts';

/** Lets express-rate-limit count where all processes count together; keys are addresses. */
export class RateLimitStore implements Store {
  /** Other processes count the same keys. */
  readonly localKeys = false;
  readonly prefix: string;
  readonly #counter: AddressCounter;

  constructor(counter: AddressCounter) {
    this.prefix = counter.prefix;
    this.#counter = counter;
  }

  /** @throws RoamingKeyError `unavailable` */
  async increment(key: string): Promise<ClientRateLimitInfo> {
    return info(await this.#counter.count(key, 1));
  }

  async decrement(key: string): Promise<void> {
    await this.#counter.count(key, -1);
  }

  async get(key: string): Promise<ClientRateLimitInfo> {
    return info(await this.#counter.count(key, 0));
  }

  /** Lets go of an address. Other processes that know it to be over its limit do so when its window ends. */
  async resetKey(key: string): Promise<void> {
    await this.#counter.count(key, -MAX_COUNT);
  }
}

function info({ count, retryAt }: Hits): ClientRateLimitInfo {
  return { totalHits: count, resetTime: new Date(retryAt * 1000) };
}
