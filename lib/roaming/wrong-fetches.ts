import { RoamingKeyError } from '../base/errors.ts';
import { AttemptLimit } from '../limits/attempt-limit.ts';
import type { ServiceSecret } from './service-secret.ts';

const HOUR = 3600;
/** Counters per row: 8 MiB for pairs of name and address, 512 KiB for names. */
const PAIRS = 2 ** 20;
const NAMES = 2 ** 16;

export interface WrongFetchesOptions {
  readonly secret: ServiceSecret;
  /** Wrong fetches of one name from one address in an hour. */
  readonly perAddress: number;
  /** Wrong fetches of one name from all addresses in an hour. */
  readonly perAccount: number;
  readonly now: () => number;
}

/**
 * Limits how often a name may be fetched with a wrong code, whether or not it has a record; in each process by itself, since
 * clients choose the names, and would fill a store that counts them.
 */
export class WrongFetches {
  readonly #secret: ServiceSecret;
  readonly #perAddress: AttemptLimit;
  readonly #perAccount: AttemptLimit;

  constructor({ secret, perAddress, perAccount, now }: WrongFetchesOptions) {
    this.#secret = secret;
    this.#perAddress = new AttemptLimit({ limit: perAddress, window: HOUR, width: PAIRS, now });
    this.#perAccount = new AttemptLimit({ limit: perAccount, window: HOUR, width: NAMES, now });
  }

  /**
   * Takes one attempt before its outcome is known.
   *
   * @param onLimit called with the limit that refuses
   * @returns a function that gives the attempt back, to be called where the code was right or there was no outcome
   * @throws RoamingKeyError `busy`
   */
  take(name: string, address: string, onLimit: (by: 'address' | 'all') => void): () => void {
    const attempts = [
      { by: 'address', limit: this.#perAddress, hash: this.#secret.hash('limit', 'address', name, address) },
      { by: 'all', limit: this.#perAccount, hash: this.#secret.hash('limit', 'all', name) },
    ] as const;
    const taken: (() => void)[] = [];
    const giveBack = () => {
      for (const each of taken) each();
    };
    for (const { by, limit, hash } of attempts) {
      const answer = limit.take(hash);
      if (typeof answer === 'number') {
        giveBack();
        onLimit(by);
        throw new RoamingKeyError('busy', 'too many wrong fetches of this name', {
          retryAt: answer,
          reason: 'limited',
        });
      }
      taken.push(answer);
    }
    return giveBack;
  }
}
