import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clocks } from './clocks.ts';
import { type Engine, type EngineName, isMissing, startEngine } from './engines.ts';
import { hammer, hammerQuickstart } from './hammer.ts';
import { kills } from './kills.ts';
import { mixture } from './mixture.ts';
import { fullDisk, hangs, restarts } from './outages.ts';

const POLICY = {
  free: 5,
  firstWait: 1,
  maxWait: 2,
  limit: 7,
  window: 86_400,
  reservationTimeout: 60,
  knownFor: 2_000,
};

/** The short forms of what `npm run soak` does at length. */
export function clusterSuite(name: EngineName): void {
  describe.skipIf(isMissing(name))(`several processes that share ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await startEngine(name);
    });
    afterAll(() => engine?.stop());

    it.concurrent('compare as many wrong passwords as the policy allows, to the unit', async () => {
      const finding = await hammer({ engine, processes: 2, guesses: 400, burst: 100, policy: POLICY });
      expect(finding.problems, finding.figures).toEqual([]);
    });

    it.concurrent('count once what is wrong, serve once what is copied, and nothing once it is disabled', async () => {
      const finding = await mixture({ engine, processes: 2, requests: 120 });
      expect(finding.problems, finding.figures).toEqual([]);
    });

    it.concurrent('forget nothing when they are killed', async () => {
      const finding = await kills({ engine, processes: 2, disables: 20, kills: 2, gap: 0 });
      expect(finding.problems, finding.figures).toEqual([]);
    });

    it.concurrent('allow nothing because a clock is set', async () => {
      const finding = await clocks({ engine, processes: 1, burst: 10 });
      expect(finding.problems, finding.figures).toEqual([]);
    });

    if (name === 'sqlite') {
      it.concurrent('are the quickstart as it is', async () => {
        const finding = await hammerQuickstart({ engine, processes: 2, guesses: 200, burst: 100 });
        expect(finding.problems, finding.figures).toEqual([]);
      });

      it.concurrent('answer 503 while the disk is full', async ({ skip }) => {
        const finding = await fullDisk({ processes: 1, lasts: 1000, times: 1, gap: 20 });
        if (!finding) return skip('SKIPPED: this process may not mount a small disk');
        expect(finding.problems, finding.figures).toEqual([]);
      });
      return;
    }

    it.concurrent('answer 503 in time while its connections hang, and go on afterwards', async () => {
      const finding = await hangs({ engine, processes: 1, lasts: 2500, times: 1, gap: 20 });
      expect(finding.problems, finding.figures).toEqual([]);
    });

    // Alone: it takes the database away from all others.
    it('answer 503 while the database is down, and go on when it is back', async () => {
      const finding = await restarts({ engine, processes: 1, lasts: 2500, times: 1, gap: 20 });
      expect(finding.problems, finding.figures).toEqual([]);
    });
  });
}
