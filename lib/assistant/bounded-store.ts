import type { Store } from '../store/store.ts';

/** The operations an assistant needs answered in time. */
export type AssistantStore = Pick<
  Store,
  'reserve' | 'fail' | 'settle' | 'release' | 'disable' | 'feed' | 'health'
>;

/**
 * A store whose operations reject when they take too long. Whatever the store may still do afterwards is on the safe
 * side: a reservation that nobody closes becomes a failure, a mark is never taken back, and no result is sent.
 *
 * @param seconds how long an operation may take
 */
export function boundedStore(store: Store, seconds: number): AssistantStore {
  const within = async <T>(operation: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the store did not answer in time')), seconds * 1000);
    });
    try {
      return await Promise.race([operation, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  let health: Promise<void> | undefined;
  return {
    reserve: (request) => within(store.reserve(request)),
    fail: (request) => within(store.fail(request)),
    settle: (request) => within(store.settle(request)),
    release: (request) => within(store.release(request)),
    disable: (mark) => within(store.disable(mark)),
    feed: (request) => within(store.feed(request)),
    // Anybody may ask, and each answer is a write: all who ask at once get the same one.
    health() {
      health ??= within(store.health()).finally(() => {
        health = undefined;
      });
      return health;
    },
  };
}
