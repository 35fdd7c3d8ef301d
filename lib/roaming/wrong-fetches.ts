import { RoamingKeyError } from '../base/errors.ts';
import { AttemptLimit } from '../limits/attempt-limit.ts';
import type { ServiceSecret } from './service-secret.ts';

const HOUR = 3600;

export interface WrongFetchesOptions {
  readonly secret: ServiceSecret;
  /** Wrong fetches of one name from one address in an hour. */
  readonly perAddress: number;
  /** Wrong fetches of one name from all addresses in an hour. */
  readonly perAccount: number;
  readonly now: () => number;
}

/** How often a name may be fetched with a wrong code, whether or not it has a record. */
export class WrongFetches {
  readonly #secret: ServiceSecret;
  readonly #perAddress: AttemptLimit;
  readonly #perAccount: AttemptLimit;

  constructor({ secret, perAddress, perAccount, now }: WrongFetchesOptions) {
    this.#secret = secret;
    this.#perAddress = new AttemptLimit(perAddress, HOUR, now);
    this.#perAccount = new AttemptLimit(perAccount, HOUR, now);
  }

  /**
   * Takes one attempt before its outcome is known.
   *
   * @param onLimit told of a refusal
   * @returns gives it back: for who was right, and where there was no outcome
   * @throws RoamingKeyError `busy`
   */
  take(name: string, address: string, onLimit: (by: 'address' | 'all') => void): () => void {
    const attempts = [
      { by: 'address', limit: this.#perAddress, counter: this.#counter('address', name, address) },
      { by: 'all', limit: this.#perAccount, counter: this.#counter('all', name) },
    ] as const;
    const taken: (typeof attempts)[number][] = [];
    const giveBack = () => {
      for (const { limit, counter } of taken) limit.giveBack(counter);
    };
    for (const attempt of attempts) {
      const retryAt = attempt.limit.take(attempt.counter);
      if (retryAt !== undefined) {
        giveBack();
        onLimit(attempt.by);
        throw new RoamingKeyError('busy', 'too many wrong fetches of this name', { retryAt });
      }
      taken.push(attempt);
    }
    return giveBack;
  }

  #counter(...texts: readonly string[]): number {
    return this.#secret.part(AttemptLimit.counters, ...texts);
  }
}
