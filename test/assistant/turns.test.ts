import { describe, expect, it } from 'vitest';
import { Turns } from '../../lib/assistant/turns.ts';

const start = () => new Turns(() => 1_795_000_000);

/** Keeps the event loop busy. */
function work(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** A piece of work of 2 ms. */
async function piece(turns: Turns, address: string, done: () => unknown, patience?: number): Promise<void> {
  const turn = turns.take({ address, ...(patience !== undefined && { patience }) });
  if (turn) await turn;
  done();
  work(2);
}

describe('turns of the event loop', () => {
  it('cost nothing where the loop is idle', async () => {
    const turns = start();
    expect(turns.take({ address: 'a' })).toBeUndefined();
    work(2);
    const next = turns.take({ address: 'a' });
    expect(next).toBeInstanceOf(Promise);
    await next;
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    expect(turns.take({ address: 'a' })).toBeUndefined();
  });

  it('let others run between two pieces of work, which keep their order', async () => {
    const turns = start();
    const seen: string[] = [];
    const other = () => {
      seen.push('other');
      if (seen.filter((name) => name !== 'other').length < 30) setImmediate(other);
    };
    setImmediate(other);
    const names = Array.from({ length: 30 }, (_, i) => `${i}`);
    await Promise.all(names.map((name) => piece(turns, 'a', () => seen.push(name))));
    expect(seen.filter((name) => name !== 'other')).toEqual(names);
    expect(seen.slice(seen.indexOf('1'), seen.indexOf('29'))).toContain('other');
  });

  it('are over when all of a piece has taken its time, however often it awaits what is there already', async () => {
    const turns = start();
    let [count, others] = [0, 0];
    const other = () => {
      others += 1;
      if (count < 50) setImmediate(other);
    };
    setImmediate(other);
    const steps = async () => {
      const turn = turns.take({ address: 'a' });
      if (turn) await turn;
      for (let i = 0; i < 20; i++) {
        work(0.1);
        await Promise.resolve();
      }
      count++;
    };
    await Promise.all(Array.from({ length: 50 }, steps));
    // One in a turn on an idle machine; where only the beginnings of pieces counted, fifty would take three turns.
    expect(others).toBeGreaterThan(6);
  });

  it('are as long as what else the process does, which so starves nothing', async () => {
    const turns = start();
    let [count, others] = [0, 0];
    const other = () => {
      others += 1;
      work(20);
      if (count < 100) setImmediate(other);
    };
    setImmediate(other);
    await Promise.all(Array.from({ length: 100 }, () => piece(turns, 'a', () => count++)));
    // Of 2 ms each, some ten in a turn; one in a turn would be a hundred.
    expect(others).toBeLessThan(50);
  });

  it('are given by address, and none waits longer than its patience', async () => {
    const turns = start();
    const seen: string[] = [];
    const flood = Array.from({ length: 50 }, () => piece(turns, 'stranger', () => seen.push('stranger')));
    await piece(turns, 'owner', () => seen.push('owner'));
    expect(seen.length).toBeLessThan(5);
    await Promise.all(flood);
    // Nothing gives this one a turn but its patience.
    void turns.take({ address: 'a' });
    work(2);
    let done = 0;
    const others = Array.from({ length: 200 }, () => piece(turns, 'a', () => done++));
    await piece(turns, 'a', () => {}, 20);
    expect(done).toBeLessThan(200);
    await Promise.all(others);
  });

  it('are refused to an address that has too many pieces waiting, and to no other', async () => {
    const turns = start();
    const waiting = Array.from({ length: 257 }, () => piece(turns, 'stranger', () => {}));
    expect(() => turns.take({ address: 'stranger' })).toThrow(
      expect.objectContaining({ code: 'busy', retryAt: 1_795_000_001 }) as Error,
    );
    await piece(turns, 'owner', () => {});
    await Promise.all(waiting);
  });
});
