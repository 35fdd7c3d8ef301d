import { wholeNumber } from '../base/options.ts';
import { AddressCounter, type Counting } from './address-counter.ts';

/** How much addresses may do, and where it is counted. */
export interface AddressBudgetOptions {
  /** How often within an hour. */
  readonly limit: number;
  /** Where all processes count together. */
  readonly store: Counting;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/**
 * How much one address may still do in an hour: strangers can make tickets at will, so how many entries they can make
 * the store keep must be bounded.
 *
 * All processes count in the store, but only what was spent; whether there is room is answered from memory, since every
 * request asks. A process learns that a budget is spent from its own last spending. So all processes together may go
 * beyond the limit by one for each process but the one that reached it, and by the requests that were under way then;
 * no further, as long as memory has room for the addresses that have spent theirs.
 */
export class AddressBudget {
  readonly #counter: AddressCounter;

  constructor({ limit, store, now }: AddressBudgetOptions) {
    wholeNumber('newIdsPerHour', limit, 1);
    this.#counter = new AddressCounter({ purpose: 'new-ids', limit, seconds: 3600, store, clock: now });
  }

  hasRoom(address: string): boolean {
    return this.#counter.spent(address) === undefined;
  }

  /** @throws RoamingKeyError `unavailable` where the store cannot count */
  async spend(address: string): Promise<void> {
    await this.#counter.count(address, 1);
  }
}
