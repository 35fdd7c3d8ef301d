/** Every decoder under fast-check, and the explorer that `npm run fuzz` runs for longer. */
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { campaign, type Report } from './campaign.ts';
import { failure, shownAs } from './explore.ts';
import { mutate, seeded } from './mutate.ts';
import { targets } from './targets.ts';

const module = (name: string) => path.join(import.meta.dirname, name);

/** Until a fault is found or enough inputs were tried: how long that takes is the machine's to say. */
async function explore(file: string, names: readonly string[], inputs?: number): Promise<Report[]> {
  const reports: Report[] = [];
  const options = { module: module(file), seconds: 120, inputs, seed: 1, maxWait: 10_000 };
  for await (const report of campaign(names, options)) reports.push(report);
  return reports;
}

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

describe('the explorer', () => {
  it('finds faults that were planted, a hang among them', async () => {
    const names = ['behind-four-branches', 'inside-base64-and-json', 'endless', 'left-over'];
    const reports = await explore('planted.ts', names);
    expect(reports.map(({ name, finding }) => [name, finding?.what])).toEqual([
      ['behind-four-branches', 'RangeError: found'],
      ['inside-base64-and-json', 'Finding: a type that is null'],
      ['endless', 'took longer than 10 s'],
      ['left-over', 'left over: Error: nobody waits for this'],
    ]);
    expect(Buffer.from(reports[0]?.finding?.input ?? []).toString()).toBe('RK-1');
  }, 600_000);

  it('finds nothing where there is no fault', { timeout: 600_000 }, async () => {
    const [report] = await explore('planted.ts', ['sound'], 5000);
    expect(report?.finding).toBeUndefined();
    expect(report?.executions).toBeGreaterThanOrEqual(5000);
  });

  it('explores a decoder of this package further than its seeds lead', { timeout: 600_000 }, async () => {
    const [report] = await explore('targets.ts', ['private-openssh'], 500);
    expect(report?.finding).toBeUndefined();
    expect(report?.executions).toBeGreaterThanOrEqual(500);
    expect(report?.corpus.length).toBeGreaterThan(5);
  });
});
