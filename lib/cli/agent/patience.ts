/** Requests that come at once take turns, and a refusal that says when to come again is waited out. */
import { setTimeout as delay } from 'node:timers/promises';
import { isRoamingKeyError } from '../../base/errors.ts';

/**
 * How many requests of one key are with the assistant at a time. It reserves a guess for each until the password is
 * compared, and refuses more than the guesses it allows.
 */
const AT_ONCE = 4;
/** How long a request is tried again, in milliseconds: as long as sshd waits for a login. */
const PATIENCE = 120_000;
/** The shortest wait where the answer names a time that is already there, in milliseconds. */
const PAUSE = 250;

/** A queue of one key's requests. */
export class PatientQueue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Runs `work` when it is its turn; again while the answer is `busy` or `unavailable`, with growing pauses. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= AT_ONCE) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.#running += 1;
    try {
      return await untilServed(work);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

async function untilServed<T>(work: () => Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (let pause = PAUSE; ; pause *= 2) {
    try {
      return await work();
    } catch (error) {
      if (!isRoamingKeyError(error, 'busy', 'unavailable')) throw error;
      const { retryAt } = error;
      const wait = Math.max(pause, (retryAt ?? 0) * 1000 - Date.now());
      if (Date.now() + wait > end) throw error;
      await delay(wait);
    }
  }
}
