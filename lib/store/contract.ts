import { CONCURRENCY } from './contract/concurrency.ts';
import { COUNTING } from './contract/counting.ts';
import { FEED } from './contract/feed.ts';
import type { StoreUnderTest } from './contract/harness.ts';
import { HISTORIES } from './contract/histories.ts';
import { HOUSEKEEPING } from './contract/housekeeping.ts';
import { KNOWN } from './contract/known.ts';
import { LIMITS } from './contract/limits.ts';
import { MARKS } from './contract/marks.ts';
import { RESERVATIONS } from './contract/reservations.ts';

export type { StoreUnderTest } from './contract/harness.ts';

/** One case of the contract: a name, and a function that throws where a store breaks it. */
export interface StoreContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const CASES = {
  ...COUNTING,
  ...RESERVATIONS,
  ...KNOWN,
  ...MARKS,
  ...FEED,
  ...HOUSEKEEPING,
  ...LIMITS,
  ...CONCURRENCY,
  ...HISTORIES,
};

/**
 * The contract of `Store` as named cases that any test runner can run, for authors of stores.
 *
 * @param options.open opens an empty store; it is asked for a new one for each case, sometimes for two
 * @example
 * for (const { name, run } of storeContract({ open })) it(name, run);
 */
export function storeContract(options: { open(): Promise<StoreUnderTest> }): readonly StoreContractCase[] {
  return Object.entries(CASES).map(([name, check]) => ({
    name,
    async run() {
      const under = await options.open();
      try {
        await check(under, () => options.open());
      } finally {
        await under.close();
      }
    },
  }));
}
