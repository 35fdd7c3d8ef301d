/** The explorer that `npm run fuzz` runs: whether it finds what is wrong. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { campaign, type Report } from './campaign.ts';

const module = (name: string) => path.join(import.meta.dirname, name);

/** Until a fault is found or enough inputs were tried: how long that takes is the machine's to say. */
async function explore(file: string, names: readonly string[], inputs?: number): Promise<Report[]> {
  const reports: Report[] = [];
  const options = { module: module(file), seconds: 120, inputs, seed: 1, maxWait: 10_000 };
  for await (const report of campaign(names, options)) reports.push(report);
  return reports;
}

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
