import { RoamingKeyError } from '../base/errors.ts';
import { wholeNumber } from '../base/options.ts';

/** How long a store waits for its server, and for how many operations at once. */
export interface BoundOptions {
  /** Milliseconds to wait for a connection and then again for the whole operation, before it rejects. Default 5000. */
  readonly timeout?: number;
  /** How many operations may be under way at once; further ones reject. Default 10000. */
  readonly maxPending?: number;
}

/** Keeps operations from waiting, or piling up, without end while a server does not answer. */
export class Bound {
  readonly timeout: number;
  readonly #maxPending: number;
  #pending = 0;

  /** @throws TypeError naming the option that is wrong */
  constructor({ timeout = 5000, maxPending = 10_000 }: BoundOptions) {
    this.timeout = wholeNumber('timeout', timeout, 1, 60_000);
    this.#maxPending = wholeNumber('maxPending', maxPending, 1);
  }

  /** Runs one operation; rejects with `unavailable` where too many are under way. */
  async run<T>(act: () => Promise<T>): Promise<T> {
    if (this.#pending >= this.#maxPending) {
      throw new RoamingKeyError('unavailable', 'the store has too many operations in flight');
    }
    this.#pending += 1;
    try {
      return await act();
    } finally {
      this.#pending -= 1;
    }
  }

  /**
   * Waits for `work` no longer than `timeout`.
   *
   * @param onLate gets what arrives after the wait was given up
   */
  async wait<T>(work: Promise<T>, onLate?: (value: T) => void): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new RoamingKeyError('unavailable', 'the store did not answer in time'));
        work.then(onLate, () => {});
      }, this.timeout);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What a store found at a server that keeps it from keeping its promises. */
export interface CheckOptions {
  /** Makes `init` reject where the server's settings may lose marks, instead of warning. Default false. */
  readonly strict?: boolean;
  /** Gets each warning. Default: `process.emitWarning`. */
  readonly onWarning?: (warning: string) => void;
}

/** Warns of `findings`, or refuses them. */
export function report(findings: readonly string[], { strict = false, onWarning }: CheckOptions): void {
  if (findings.length === 0) return;
  if (strict) throw new Error(`the store's server is not safe: ${findings.join(' ')}`);
  const warn = onWarning ?? ((warning: string) => process.emitWarning(warning, 'RoamingKeyStoreWarning'));
  for (const finding of findings) warn(finding);
}
