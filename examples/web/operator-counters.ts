import type { AssistantEvent } from 'passport-roaming-key';

/** One line of the list of recent events. */
export interface RecentEvent {
  /** In seconds since the epoch. */
  readonly at: number;
  readonly type: AssistantEvent['type'];
  /** What was asked for, or why it was refused. */
  readonly what: string;
}

const MINUTES = 30;
const RECENT = 30;

/**
 * Counts what an assistant does, for a page that strangers may look over the operator's shoulder at: no address, no
 * state id, no name under which a key could be followed.
 */
export class OperatorCounters {
  readonly #since = now();
  readonly #counts = new Map<AssistantEvent['type'], number>();
  readonly #recent: RecentEvent[] = [];
  /** Minute → how many were helped, how many failed. */
  readonly #minutes = new Map<number, { helped: number; failed: number }>();

  count(event: AssistantEvent): void {
    this.#counts.set(event.type, (this.#counts.get(event.type) ?? 0) + 1);
    const what = 'op' in event ? named(event.op, event.scheme) : 'code' in event ? event.code : '';
    this.#recent.unshift({ at: now(), type: event.type, what });
    this.#recent.length = Math.min(this.#recent.length, RECENT);
    const minute = Math.floor(now() / 60);
    const entry = this.#minutes.get(minute) ?? { helped: 0, failed: 0 };
    if (event.type === 'assisted') entry.helped += 1;
    if (event.type === 'wrongPassword' || event.type === 'locked') entry.failed += 1;
    this.#minutes.set(minute, entry);
    for (const old of this.#minutes.keys()) if (old <= minute - MINUTES) this.#minutes.delete(old);
  }

  read() {
    const minute = Math.floor(now() / 60);
    return {
      since: this.#since,
      now: now(),
      counts: Object.fromEntries(this.#counts),
      recent: this.#recent,
      minutes: Array.from(
        { length: MINUTES },
        (_, i) => this.#minutes.get(minute - MINUTES + 1 + i) ?? { helped: 0, failed: 0 },
      ),
    };
  }
}

function named(op: string, scheme: string): string {
  return op === scheme ? op : `${op} (${scheme})`;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
