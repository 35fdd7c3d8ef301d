import { setTimeout as sleep } from 'node:timers/promises';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { AddressCounter, type Counting } from './address-counter.ts';

/** How many requests of an address wait, and how long each, in seconds. */
const WAITING = 30;
const PATIENCE = 30;
/** How many requests of all addresses wait: each holds its message in memory. */
const WAITING_IN_ALL = 1000;

interface Lane {
  waiting: number;
  last: Promise<void>;
}

/**
 * Delays what would otherwise be refused: of each address one request passes in a second, of all processes together, in the
 * order in which they came to a process. Memory is bounded over all addresses, and an address may have no more places in
 * line than it leaves free for others.
 */
export class SlowLane {
  readonly #counter: AddressCounter;
  readonly #now: () => number;
  readonly #lanes = new Map<string, Lane>();
  #waiting = 0;

  /**
   * @param purpose what is delayed, in a word; lanes of one purpose are one lane wherever they share a store
   * @param store where all processes count together
   * @param now the clock of answers, seconds since the epoch; turns are by the machine's
   */
  constructor(purpose: string, store: Counting, now: () => number) {
    this.#now = now;
    this.#counter = new AddressCounter({
      purpose: `${purpose}-slowly`,
      limit: 1,
      seconds: 1,
      store,
      clock: epochSeconds,
    });
  }

  /**
   * Waits for the address's turn.
   *
   * @throws RoamingKeyError `busy` where too many wait, or it takes too long; `unavailable` where the store cannot count
   */
  async pass(address: string): Promise<void> {
    const lane = this.#lanes.get(address) ?? { waiting: 0, last: Promise.resolve() };
    if (lane.waiting >= Math.min(WAITING, WAITING_IN_ALL - this.#waiting)) throw this.#busy();
    this.#lanes.set(address, lane);
    lane.waiting += 1;
    this.#waiting += 1;
    const deadline = performance.now() + PATIENCE * 1000;
    const turn = lane.last.then(() => this.#turn(address, deadline));
    lane.last = turn.catch(() => {});
    try {
      await turn;
    } finally {
      lane.waiting -= 1;
      this.#waiting -= 1;
      if (lane.waiting === 0) this.#lanes.delete(address);
    }
  }

  async #turn(address: string, deadline: number): Promise<void> {
    while (performance.now() < deadline) {
      const { count } = await this.#counter.count(address, 1);
      if (count <= 1) return;
      // Another process, or the request before this one, had this second's turn.
      await sleep(1000 - (Date.now() % 1000), undefined, { ref: false });
    }
    throw this.#busy();
  }

  #busy(): RoamingKeyError {
    const retryAt = this.#now() + 1;
    return new RoamingKeyError('busy', 'too many requests of this address are waiting', { retryAt });
  }
}
