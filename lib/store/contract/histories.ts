import assert from 'node:assert/strict';
import { MemoryStore } from '../memory.ts';
import type { Store } from '../store.ts';
import { type Case, FAR, fresh, Subject } from './harness.ts';

/** The contract's cases about random histories beside the reference. */
export const HISTORIES: Record<string, Case> = {
  'agrees with the reference on random histories': async ({ store, advance }) => {
    // All advances are multiples of 100 s and no duration of the policy is, nor a sum of two: while a history takes less
    // than 15 s, a second that passes on a server's clock changes no answer.
    const policy = {
      free: 2,
      firstWait: 130,
      maxWait: 950,
      limit: 7,
      window: 4040,
      reservationTimeout: 30,
      knownFor: 820,
    };
    const before = await new Subject(store).reserved();
    await advance(1000);
    const isShifted = (await new Subject(store).reserved()).now - before.now < 1000;
    let clock = 0;
    let shift = 0;
    const reference = new MemoryStore({ now: () => clock });
    const timesBy = (by: number, answer: object): unknown =>
      JSON.parse(JSON.stringify(answer), (key, value: unknown) =>
        ['now', 'retryAt', 'last', 'lastUsed', 'resetAt'].includes(key) && typeof value === 'number'
          ? value + by
          : value,
      );
    const both = async <T extends { readonly now: number }>(
      act: (store: Store) => Promise<T>,
    ): Promise<T> => {
      const actual = await act(store);
      clock = actual.now + shift;
      assert.deepEqual(timesBy(shift, actual), timesBy(0, await act(reference)));
      return actual;
    };
    let seed = 2026;
    const pick = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let round = 0; round < 12; round++) {
      const one = new Subject(store, policy);
      const names: string[] = [];
      for (let step = 0; step < 40; step++) {
        const jti = names[pick(names.length)] ?? 'none';
        const named = { id: one.id, u: one.u, jti, policy };
        const what = pick(24);
        if (what < 8) {
          const request = {
            ...named,
            jti: pick(8) === 0 ? jti : fresh(),
            seenUntil: FAR,
            admitNew: pick(4) > 0,
          };
          const { answer } = await both((s) => s.reserve(request));
          if (answer === 'reserved') names.push(request.jti);
        } else if (what < 12) await both((s) => s.fail(named));
        else if (what < 14) {
          const flags = { reissue: pick(6) === 0, remember: pick(3) > 0, retire: pick(30) === 0 };
          await both((s) => s.settle({ ...named, ...flags }));
        } else if (what < 15) for (const s of [store, reference]) await s.release(named);
        else if (what < 16 && pick(4) === 0) {
          assert.equal(await store.unlock(one.id), await reference.unlock(one.id));
        } else if (what > 19) {
          const [seconds, by] = [[170, 250][pick(2)], [1, 1, 2, 0, -1, -3][pick(6)]] as [number, number];
          await both((s) => s.count({ name: one.id, seconds, by }));
        } else {
          const seconds = [100, 100, 200, 500, 1000, 4100][pick(6)] as number;
          await advance(seconds);
          clock += seconds;
          if (isShifted) shift += seconds;
        }
      }
    }
  },
};
