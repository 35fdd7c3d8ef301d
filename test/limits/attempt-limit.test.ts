import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttemptLimit } from '../../lib/limits/attempt-limit.ts';

const hash = (name: string) => createHash('sha256').update(name).digest();

function limitOf(limit: number, width: number) {
  const clock = { now: 1_800_000_000 };
  return { clock, attempts: new AttemptLimit({ limit, window: 3600, width, now: () => clock.now }) };
}

describe('a limit on attempts', () => {
  it('never lets a name make more attempts than the limit, and counts none that was given back', () => {
    const steps = fc.array(fc.record({ name: fc.integer({ min: 0, max: 5 }), isRight: fc.boolean() }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), (attempts, limit) => {
        const { attempts: limiter } = limitOf(limit, 1024);
        const wrong = new Map<number, number>();
        for (const { name, isRight } of attempts) {
          const answer = limiter.take(hash(`${name}`));
          const before = wrong.get(name) ?? 0;
          // Six names in 1024 counters share no more than chance, and these hashes share none of their four.
          expect(typeof answer).toBe(before < limit ? 'function' : 'number');
          if (typeof answer === 'number') continue;
          if (isRight) answer();
          else wrong.set(name, before + 1);
        }
      }),
    );
  });

  it('counts attempts in flight', () => {
    const { attempts } = limitOf(3, 1024);
    const taken = Array.from({ length: 5 }, () => attempts.take(hash('ada')));
    expect(taken.map((answer) => typeof answer)).toEqual([
      'function',
      'function',
      'function',
      'number',
      'number',
    ]);
    (taken[0] as () => void)();
    expect(attempts.take(hash('ada'))).toBeTypeOf('function');
    expect(attempts.take(hash('ada'))).toBeTypeOf('number');
  });

  it('begins anew after its window, and takes nothing back from the next', () => {
    const { attempts, clock } = limitOf(2, 1024);
    const first = attempts.take(hash('ada')) as () => void;
    attempts.take(hash('ada'));
    expect(attempts.take(hash('ada'))).toBe(clock.now + 3600);
    clock.now += 3600;
    attempts.take(hash('ada'));
    attempts.take(hash('ada'));
    first();
    expect(attempts.take(hash('ada'))).toBeTypeOf('number');
  });

  it('in a crowd lets one attempt a second pass, and no more', () => {
    const { attempts, clock } = limitOf(2, 64);
    const flood = (count: number) => {
      for (let i = 0; i < count; i++) attempts.take(hash(`stranger ${Math.random()} ${i}`));
    };
    flood(20);
    attempts.take(hash('ada'));
    attempts.take(hash('ada'));
    expect(attempts.take(hash('ada'))).toBe(clock.now + 3600);
    flood(2000);
    for (let second = 0; second < 20; second++) {
      clock.now += 1;
      const answers = Array.from({ length: 30 }, (_, i) => attempts.take(hash(`owner ${second} ${i}`)));
      expect(answers.filter((answer) => typeof answer === 'function')).toHaveLength(1);
      expect(answers.filter((answer) => answer === clock.now + 1)).toHaveLength(29);
    }
  });
});
