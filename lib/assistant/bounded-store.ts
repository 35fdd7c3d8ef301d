import { inTime } from '../base/time-limit.ts';
import type { Store } from '../store/store.ts';

/** The operations an assistant needs answered in time. */
export type AssistantStore = Pick<
  Store,
  'reserve' | 'fail' | 'settle' | 'release' | 'disable' | 'feed' | 'count' | 'health'
>;

/**
 * A store whose operations reject when they take too long. Whatever the store may still do afterwards is on the safe
 * side: a reservation that nobody closes becomes a failure, a mark is never taken back, and no result is sent.
 *
 * @param seconds how long an operation may take
 */
export function boundedStore(store: Store, seconds: number): AssistantStore {
  const within = <T>(operation: Promise<T>) => inTime(operation, seconds);
  let health: Promise<void> | undefined;
  return {
    reserve: (request) => within(store.reserve(request)),
    fail: (request) => within(store.fail(request)),
    settle: (request) => within(store.settle(request)),
    release: (request) => within(store.release(request)),
    disable: (mark) => within(store.disable(mark)),
    feed: (request) => within(store.feed(request)),
    count: (request) => within(store.count(request)),
    // Anybody may ask, and each answer is a write: all who ask at once get the same one.
    health() {
      health ??= within(store.health()).finally(() => {
        health = undefined;
      });
      return health;
    },
  };
}
