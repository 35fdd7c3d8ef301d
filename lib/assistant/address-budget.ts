import { MemoryStore } from 'express-rate-limit';

/**
 * How much one address may still do in a window of time: strangers can make tickets at will, so how many entries
 * they can make the store keep must be bounded. Counted per process; old windows are dropped.
 */
export class AddressBudget {
  readonly #limit: number;
  readonly #spent = new MemoryStore();

  /**
   * @param limit how often
   * @param window within how many seconds
   */
  constructor(limit: number, window: number) {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new TypeError('newIdsPerHour must be a whole number from 1');
    this.#limit = limit;
    this.#spent.init({ windowMs: window * 1000 } as Parameters<MemoryStore['init']>[0]);
  }

  async hasRoom(address: string): Promise<boolean> {
    return ((await this.#spent.get(address))?.totalHits ?? 0) < this.#limit;
  }

  async spend(address: string): Promise<void> {
    await this.#spent.increment(address);
  }
}
