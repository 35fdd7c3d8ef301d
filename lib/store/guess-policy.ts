import { checkOptions, wholeNumber } from '../base/options.ts';

/**
 * How many wrong passwords a key's owner, or a thief, may try (docs/protocol.md section 7; NIST SP 800-63B 5.2.2).
 * Durations are whole seconds.
 */
export interface GuessPolicy {
  /** Failures that cost no wait. Default 5. */
  readonly free: number;
  /** The wait after failure number `free`; doubles with each further one. Default 30. */
  readonly firstWait: number;
  /** The longest wait. Default 86400, a day. */
  readonly maxWait: number;
  /** Failures without a success between them, and failures within `window`, at which help stops for good. Default 100. */
  readonly limit: number;
  /** The sliding window for `limit`, whatever the successes. Default 2592000, thirty days. */
  readonly window: number;
  /** After how long an open reservation becomes a failure. Default 60. */
  readonly reservationTimeout: number;
  /** How long an id stays known after a success, so that it is served where new ids are not; 0: not. Default 7776000, ninety days. */
  readonly knownFor: number;
}

export const DEFAULT_GUESS_POLICY: GuessPolicy = {
  free: 5,
  firstWait: 30,
  maxWait: 86_400,
  limit: 100,
  window: 30 * 86_400,
  reservationTimeout: 60,
  knownFor: 90 * 86_400,
};

/** A tally holds up to `limit` times, and is read and written at every guess. */
const MAX_LIMIT = 10_000;

/** What a store knows of one id when a guess arrives, lapsed reservations already turned into failures. */
export interface GuessState {
  /** Failures since the last success. */
  readonly failures: number;
  /** When the last of all failures happened; null if there was none. */
  readonly lastFailure: number | null;
  /** Failures within the policy's window, successes or not. */
  readonly recent: number;
  /** Reservations that are open now. */
  readonly open: number;
  /** Whether `limit` was ever reached; stays until an operator lifts it. */
  readonly stopped: boolean;
}

export type Verdict =
  | { readonly verdict: 'allowed' }
  /** Too soon after the last failure: `locked`, try again at `retryAt`. */
  | { readonly verdict: 'wait'; readonly retryAt: number }
  /** The guesses in flight use up what is allowed: `busy`. */
  | { readonly verdict: 'busy'; readonly retryAt: number }
  /** Stopped for good: `locked`, no retry. */
  | { readonly verdict: 'stop' };

/** The wait that `failures` failures in a row call for: 0 below `free`, then firstWait, doubling up to maxWait. */
export function waitAfter(failures: number, policy: GuessPolicy): number {
  if (failures < policy.free) return 0;
  const doublings = failures - policy.free;
  return doublings > 52 ? policy.maxWait : Math.min(policy.maxWait, policy.firstWait * 2 ** doublings);
}

/** Whether these counts stop an id for good. A store keeps the answer, since `recent` falls again with time. */
export function isStopped(
  state: Pick<GuessState, 'failures' | 'recent' | 'stopped'>,
  policy: GuessPolicy,
): boolean {
  return state.stopped || state.failures >= policy.limit || state.recent >= policy.limit;
}

/**
 * The guess policy, whole: may one more guess be answered now?
 *
 * @param now seconds since the epoch
 */
export function judgeGuess(state: GuessState, now: number, policy: GuessPolicy): Verdict {
  if (isStopped(state, policy)) return { verdict: 'stop' };
  const { failures, recent, open } = state;
  const retryAt = (state.lastFailure ?? 0) + waitAfter(failures, policy);
  if (failures >= policy.free && now < retryAt) return { verdict: 'wait', retryAt };
  const room = failures < policy.free ? failures + open < policy.free : open < 1;
  if (!room || failures + open >= policy.limit || recent + open >= policy.limit) {
    return { verdict: 'busy', retryAt: now + 1 };
  }
  return { verdict: 'allowed' };
}

/** Wrong passwords that would still be answered at once. */
export function attemptsLeft(
  state: Pick<GuessState, 'failures' | 'recent' | 'stopped'>,
  policy: GuessPolicy,
): number {
  if (isStopped(state, policy)) return 0;
  return Math.max(0, Math.min(policy.free - state.failures, policy.limit - state.recent));
}

/** When the next guess will be answered, or `undefined` when never. */
export function nextGuessAt(state: GuessState, now: number, policy: GuessPolicy): number | undefined {
  if (isStopped(state, policy)) return undefined;
  return Math.max(now, (state.lastFailure ?? now) + waitAfter(state.failures, policy));
}

/**
 * Fills in defaults and refuses a policy that protects nothing.
 *
 * @throws TypeError naming the member that is not a whole number, or not known
 * @throws RangeError where the members contradict each other
 */
export function guessPolicy(options: Partial<GuessPolicy> = {}): GuessPolicy {
  checkOptions(options, DEFAULT_GUESS_POLICY, 'policy');
  const policy = { ...DEFAULT_GUESS_POLICY, ...options };
  for (const [name, value] of Object.entries(policy)) {
    wholeNumber(`policy.${name}`, value, name === 'knownFor' ? 0 : 1);
  }
  if (policy.limit > MAX_LIMIT) throw new RangeError(`policy.limit must not be above ${MAX_LIMIT}`);
  if (policy.limit < policy.free) throw new RangeError('policy.limit must not be below policy.free');
  if (policy.maxWait < policy.firstWait)
    throw new RangeError('policy.maxWait must not be below policy.firstWait');
  return policy;
}
