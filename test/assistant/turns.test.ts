import { describe, expect, it } from 'vitest';
import { Turns } from '../../lib/assistant/turns.ts';

/** Keeps the event loop busy for more than a turn's share. */
function work(): void {
  const until = performance.now() + 2;
  while (performance.now() < until);
}

describe('turns of the event loop', () => {
  it('cost nothing where the loop is idle', async () => {
    const turns = new Turns();
    expect(turns.take()).toBeUndefined();
    expect(turns.take()).toBeUndefined();
    work();
    const next = turns.take();
    expect(next).toBeInstanceOf(Promise);
    await next;
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(turns.take()).toBeUndefined();
  });

  it('let others run between two pieces of work, which keep their order', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const other = () => {
      seen.push('other');
      if (seen.filter((name) => name.startsWith('piece')).length < 5) setImmediate(other);
    };
    setImmediate(other);
    await Promise.all(
      Array.from({ length: 5 }, async (_, i) => {
        const turn = turns.take();
        if (turn) await turn;
        seen.push(`piece ${i}`);
        work();
      }),
    );
    expect(seen.filter((name) => name !== 'other')).toEqual([0, 1, 2, 3, 4].map((i) => `piece ${i}`));
    const between = seen.slice(seen.indexOf('piece 1'), seen.indexOf('piece 4'));
    expect(between.filter((name) => name === 'other').length).toBeGreaterThanOrEqual(3);
  });
});
