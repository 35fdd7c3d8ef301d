import { inTime } from '../base/time-limit.ts';
import type { ReservationKey, Store } from '../store/store.ts';

/** The operations an assistant needs answered in time. */
const OPERATIONS = [
  'reserve',
  'fail',
  'settle',
  'release',
  'disable',
  'isDisabled',
  'feed',
  'count',
  'health',
] as const;
export type AssistantStore = Pick<Store, (typeof OPERATIONS)[number]>;

/** Reports one operation, whose name is that of the store's method. */
export type StoreStepObserver = <T>(operation: keyof AssistantStore, run: () => Promise<T>) => Promise<T>;

/** Milliseconds before a release is tried again; doubles up to the longest. */
const FIRST_DELAY = 250;
const LONGEST_DELAY = 4000;
/** How many releases may be waiting for another try. */
const MAX_RELEASES = 4096;

/**
 * A store whose operations are reported as steps and reject when they take too long.
 *
 * Whatever the store may still do afterwards is on the safe side: a reservation that was made too late is released, without
 * comparing anything; a mark is never taken back, and no result is sent. `release` does not reject: where the store fails, it
 * is tried again in the background for as long as the reservation lives.
 *
 * @param seconds how long an operation may take
 */
export function boundedStore(store: Store, seconds: number, observe: StoreStepObserver): AssistantStore {
  const run = <T>(name: keyof AssistantStore, act: () => Promise<T>, onLate?: (value: T) => void) =>
    observe(name, async () => inTime(act(), seconds, onLate));
  const release = releasing((key) => run('release', () => store.release(key)));
  let health: Promise<void> | undefined;
  return {
    reserve: (request) =>
      run(
        'reserve',
        () => store.reserve(request),
        ({ answer }) => {
          if (answer === 'reserved') void release(request);
        },
      ),
    fail: (request) => run('fail', () => store.fail(request)),
    settle: (request) => run('settle', () => store.settle(request)),
    release,
    disable: (mark) => run('disable', () => store.disable(mark)),
    isDisabled: (names) => run('isDisabled', () => store.isDisabled(names)),
    feed: (request) => run('feed', () => store.feed(request)),
    count: (request) => run('count', () => store.count(request)),
    // Anybody may ask, and each answer is a write: all who ask at once get the same one.
    health() {
      health ??= run('health', () => store.health()).finally(() => {
        health = undefined;
      });
      return health;
    },
  };
}

/**
 * Releases reservations until that succeeds or they have lapsed; resolves after the first try.
 *
 * A reservation must be the caller's own: releasing one that another request is comparing a password under would leave its
 * failure uncounted.
 */
function releasing(tryOnce: (key: ReservationKey) => Promise<void>): (key: ReservationKey) => Promise<void> {
  let waiting = 0;
  const again = (key: ReservationKey, delay: number, until: number) => {
    if (waiting >= MAX_RELEASES || performance.now() + delay >= until) return;
    waiting += 1;
    const timer = setTimeout(() => {
      waiting -= 1;
      tryOnce(key).catch(() => again(key, Math.min(2 * delay, LONGEST_DELAY), until));
    }, delay);
    timer.unref();
  };
  return async ({ id, jti, policy }) => {
    const key = { id, jti, policy };
    const until = performance.now() + policy.reservationTimeout * 1000;
    await tryOnce(key).catch(() => again(key, FIRST_DELAY, until));
  };
}
