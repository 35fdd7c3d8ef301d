import type { EngineName } from './engines.ts';

/** What a scenario found: one line of the soak's table. */
export interface Finding {
  readonly store: EngineName;
  readonly scenario: string;
  readonly figures: string;
  /** What must not be. Empty is good. */
  readonly problems: readonly string[];
  readonly seconds: number;
}

/** Collects what a scenario finds. */
export class Findings {
  readonly #problems: string[] = [];
  readonly #since = performance.now();

  /** Notes a problem where two figures differ. */
  equal(what: string, actual: unknown, expected: unknown): void {
    if (actual !== expected) this.#problems.push(`${what}: ${String(actual)}, not ${String(expected)}`);
  }

  within(what: string, actual: number, least: number, most: number): void {
    if (!(actual >= least && actual <= most))
      this.#problems.push(`${what}: ${actual}, not ${least} to ${most}`);
  }

  close(store: EngineName, scenario: string, figures: string): Finding {
    const seconds = (performance.now() - this.#since) / 1000;
    return { store, scenario, figures, problems: this.#problems, seconds };
  }
}
