/** Custody of what is held while a device is unlocked: for a bounded time, and wiped at its end. */
import type { KeyUse } from '../crypto/keys/private-key.ts';
import type { Stretched } from './assisted-record.ts';

/** For how long a key is held. */
export interface HoldOptions {
  /** After how many seconds it is forgotten. Default 300; at most a day. */
  readonly forSeconds?: number;
}

/** What is held: a recovered key, or what the password gives for a key that stays shared. */
export type Holding =
  | { readonly key: CryptoKey; readonly alg: KeyUse; readonly stretched?: undefined }
  | { readonly stretched: Stretched; readonly key?: undefined };

const MAX_HOLD = 86_400;

/** Holds one key at a time. */
export class Held {
  #holding: Holding | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #until = 0;
  #locks = 0;

  /**
   * Begins to unlock.
   *
   * @returns holds what was unlocked, unless `lock` came meanwhile: then it returns false
   * @throws TypeError for a time that is no number above 0 and at most a day
   */
  begin({ forSeconds = 300 }: HoldOptions): (holding: Holding) => boolean {
    if (!Number.isFinite(forSeconds) || forSeconds <= 0 || forSeconds > MAX_HOLD) {
      throw new TypeError(
        `forSeconds must be a number above 0 and at most ${MAX_HOLD}, and is ${String(forSeconds)}`,
      );
    }
    const locks = this.#locks;
    return (holding) => {
      if (locks !== this.#locks) return false;
      this.forget();
      this.#holding = holding;
      this.#until = Date.now() + forSeconds * 1000;
      this.#timer = setTimeout(() => this.forget(), forSeconds * 1000);
      // In Node, a key that is held must not keep the process alive.
      if (typeof this.#timer === 'object') this.#timer.unref();
      return true;
    };
  }

  /** What is held now. Timers stand still while a machine sleeps, so the clock is asked too. */
  get current(): Holding | undefined {
    if (Date.now() >= this.#until) this.forget();
    return this.#holding;
  }

  /** Forgets what is held, and what is being unlocked. */
  lock(): void {
    this.#locks += 1;
    this.forget();
  }

  /** Forgets what is held. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#holding?.stretched?.end();
    this.#holding = undefined;
  }
}
