import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attemptsLeft,
  DEFAULT_GUESS_POLICY as DEFAULT,
  type GuessState,
  guessPolicy,
  isStopped,
  judgeGuess,
  nextGuessAt,
  waitAfter,
} from '../../lib/store/guess-policy.ts';

const NOW = 1_800_000_000;
const CLEAN: GuessState = { failures: 0, lastFailure: null, recent: 0, open: 0, stopped: false };

describe('the wait after n failures in a row', () => {
  it.each([
    [0, 0],
    [4, 0],
    [5, 30],
    [6, 60],
    [7, 120],
    [10, 960],
    [16, 61_440],
    [17, 86_400],
    [18, 86_400],
    [99, 86_400],
    [1e6, 86_400],
  ])('%i failures: %i s', (failures, seconds) => {
    expect(waitAfter(failures, DEFAULT)).toBe(seconds);
  });
});

describe('the verdict', () => {
  const allowed = { verdict: 'allowed' };
  const busy = { verdict: 'busy', retryAt: NOW + 1 };
  const stop = { verdict: 'stop' };
  const wait = (retryAt: number) => ({ verdict: 'wait', retryAt });
  const ago = (seconds: number) => NOW - seconds;

  it.each<[string, Partial<GuessState>, object]>([
    ['a first guess', {}, allowed],
    ['four in flight', { open: 4 }, allowed],
    ['five in flight', { open: 5 }, busy],
    ['four failures', { failures: 4, recent: 4, lastFailure: NOW }, allowed],
    ['four failures, one in flight', { failures: 4, recent: 4, lastFailure: NOW, open: 1 }, busy],
    ['two failures, two in flight', { failures: 2, recent: 2, lastFailure: NOW, open: 2 }, allowed],
    ['five failures just now', { failures: 5, recent: 5, lastFailure: NOW }, wait(NOW + 30)],
    ['five failures, 29 s ago', { failures: 5, recent: 5, lastFailure: ago(29) }, wait(NOW + 1)],
    ['five failures, 30 s ago', { failures: 5, recent: 5, lastFailure: ago(30) }, allowed],
    ['the same with one in flight', { failures: 5, recent: 5, lastFailure: ago(30), open: 1 }, busy],
    ['six failures, 59 s ago', { failures: 6, recent: 6, lastFailure: ago(59) }, wait(NOW + 1)],
    ['a clock that went back', { failures: 5, recent: 5, lastFailure: NOW + 600 }, wait(NOW + 630)],
    ['99 failures, a day ago', { failures: 99, recent: 3, lastFailure: ago(86_400) }, allowed],
    [
      '99 failures, less than a day ago',
      { failures: 99, recent: 3, lastFailure: ago(86_399) },
      wait(NOW + 1),
    ],
    ['100 failures, a year ago', { failures: 100, recent: 0, lastFailure: ago(31_536_000) }, stop],
    ['99 within the window, after a success', { recent: 99, lastFailure: ago(1) }, allowed],
    ['the same with one in flight', { recent: 99, lastFailure: ago(1), open: 1 }, busy],
    ['96 within the window and four in flight', { recent: 96, lastFailure: ago(1), open: 4 }, busy],
    ['100 within the window', { recent: 100, lastFailure: ago(1) }, stop],
    ['stopped once', { stopped: true }, stop],
  ])('%s', (_, state, verdict) => {
    expect(judgeGuess({ ...CLEAN, ...state }, NOW, DEFAULT)).toEqual(verdict);
  });

  it('never lets what is in flight exceed what the policy has left', () => {
    const counts = fc.record({
      failures: fc.nat(120),
      recent: fc.nat(120),
      open: fc.nat(120),
      lastFailure: fc.option(fc.integer({ min: NOW - 1e6, max: NOW })),
      stopped: fc.boolean(),
    });
    fc.assert(
      fc.property(counts, (state) => {
        if (judgeGuess(state, NOW, DEFAULT).verdict !== 'allowed') return;
        expect(state.stopped).toBe(false);
        expect(state.failures + state.open + 1).toBeLessThanOrEqual(100);
        expect(state.recent + state.open + 1).toBeLessThanOrEqual(100);
        if (state.failures < 5) expect(state.failures + state.open + 1).toBeLessThanOrEqual(5);
        else expect(state.open).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what the user is told', () => {
  it.each([
    [{ failures: 0, recent: 0 }, 5],
    [{ failures: 3, recent: 3 }, 2],
    [{ failures: 5, recent: 5 }, 0],
    [{ failures: 7, recent: 7 }, 0],
    [{ failures: 0, recent: 98 }, 2],
    [{ failures: 0, recent: 100 }, 0],
  ])('attempts left at %j: %i', (counts, left) => {
    expect(attemptsLeft({ ...counts, stopped: false }, DEFAULT)).toBe(left);
    expect(attemptsLeft({ ...counts, stopped: true }, DEFAULT)).toBe(0);
  });

  it('the next guess: now, after the wait, or never', () => {
    expect(nextGuessAt({ ...CLEAN, failures: 4, lastFailure: NOW - 9 }, NOW, DEFAULT)).toBe(NOW);
    expect(nextGuessAt({ ...CLEAN, failures: 5, lastFailure: NOW - 9 }, NOW, DEFAULT)).toBe(NOW + 21);
    expect(nextGuessAt({ ...CLEAN, failures: 100, lastFailure: NOW }, NOW, DEFAULT)).toBeUndefined();
    expect(isStopped({ failures: 0, recent: 0, stopped: true }, DEFAULT)).toBe(true);
  });
});

describe('a policy', () => {
  it('has the defaults of the protocol', () => {
    expect(guessPolicy()).toEqual({
      free: 5,
      firstWait: 30,
      maxWait: 86_400,
      limit: 100,
      window: 2_592_000,
      reservationTimeout: 60,
      knownFor: 7_776_000,
    });
    expect(guessPolicy({ free: 3 })).toEqual({ ...DEFAULT, free: 3 });
  });

  it.each(['free', 'firstWait', 'maxWait', 'limit', 'window', 'reservationTimeout'])(
    'refuses a bad %s',
    (name) => {
      for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined]) {
        expect(() => guessPolicy({ [name]: bad })).toThrow(
          new TypeError(
            `policy.${name} must be a whole number from 1, not ${typeof bad === 'string' ? 'a string' : bad}`,
          ),
        );
      }
    },
  );

  it('refuses what contradicts itself and what it does not know', () => {
    expect(() => guessPolicy({ free: 101 })).toThrow(RangeError);
    expect(() => guessPolicy({ maxWait: 29 })).toThrow(RangeError);
    expect(() => guessPolicy({ limit: 10_001 })).toThrow(RangeError);
    expect(() => guessPolicy({ knownFor: -1 })).toThrow(TypeError);
    expect(guessPolicy({ knownFor: 0 }).knownFor).toBe(0);
    expect(() => guessPolicy({ tries: 3 } as object)).toThrow('unknown option policy.tries: there are free,');
  });
});
