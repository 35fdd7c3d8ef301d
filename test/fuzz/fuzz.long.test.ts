/** Every decoder under fast-check. `npm run fuzz` runs them under an explorer of its own, for longer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failure, shownAs } from './explore.ts';
import { mutate, seeded } from './mutate.ts';
import { targets } from './targets.ts';

describe('whatever comes from outside', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s: is read as what it is, or refused as documented',
    { timeout: 600_000 },
    async (_, target) => {
      const seeds = (await target.seeds()).map((seed) => Buffer.from(seed as string));
      const one = fc.constantFrom<Uint8Array>(...seeds);
      const bent = fc
        .tuple(one, one, fc.nat(2 ** 32 - 1))
        .map(([seed, other, number]) => mutate(seed, other, seeded(number)));
      for (const seed of seeds) expect(await failure(target, new Uint8Array(seed))).toBeUndefined();
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            { weight: 3, arbitrary: bent },
            { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
          ),
          async (input) => {
            expect(await failure(target, new Uint8Array(input)), shownAs(input)).toBeUndefined();
          },
        ),
        { numRuns: 50 },
      );
    },
  );
});
