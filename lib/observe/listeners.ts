import { callSafely } from './instrument.ts';

/** Takes every event as it happens. */
export type Listener<Event> = (event: Event) => void;

/** A listener whose failures, now or later, change nothing for what it listens to. */
export function safeListener<Event>(listener: Listener<Event>): Listener<Event> {
  return (event) => callSafely(() => listener(event));
}

/**
 * Several listeners as one; one that throws does not keep the others from hearing.
 *
 * @example
 * assistant({ keys, store, onEvent: combineListeners(auditLog(logger), metrics.onEvent) });
 */
export function combineListeners<Event>(...listeners: readonly Listener<Event>[]): Listener<Event> {
  const all = listeners.map((listener) => safeListener(listener));
  return (event) => {
    for (const tell of all) tell(event);
  };
}
