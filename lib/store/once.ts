import { Expiring } from './expiring.ts';

/** One-time names with an expiry, in bounded memory. */
export class OnceSet extends Expiring<{ readonly until: number }> {
  /** Whether `name` is taken at `now`. */
  has(name: string, now: number): boolean {
    return this.get(name, now) !== undefined;
  }

  /** Takes `name` until `until`; a name that is taken for longer stays so. */
  add(name: string, until: number): void {
    this.set(name, { until: Math.max(this.get(name, 0)?.until ?? 0, until) });
  }
}
