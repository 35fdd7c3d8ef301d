import assert from 'node:assert/strict';
import { MAX_COUNT } from '../counters.ts';
import type { Store } from '../store.ts';
import { all, assertNear, type Case, FAR, fresh, SLACK, Subject } from './harness.ts';

const WINDOW = 600;

const hit = (store: Store, name: string, by = 1, seconds = WINDOW) => store.count({ name, seconds, by });

/** The contract's cases about hits that are counted for a while. */
export const LIMITS: Record<string, Case> = {
  'counts hits in a window that begins with the first': async ({ store, advance }) => {
    const name = fresh();
    const first = await hit(store, name);
    assert.equal(first.count, 1);
    assert.equal(first.resetAt, first.now + WINDOW);
    await advance(WINDOW - 100);
    const second = await hit(store, name, 2);
    assert.equal(second.count, 3);
    assertNear(second.resetAt, second.now + 100);
    await advance(100);
    const third = await hit(store, name);
    assert.equal(third.count, 1, 'the window has ended, though there was a hit shortly before');
    assert.equal(third.resetAt, third.now + WINDOW);
    await advance(3 * WINDOW);
    assert.equal((await hit(store, name)).count, 1);
  },

  'tells of hits that are asked about, and counts nothing': async ({ store, advance }) => {
    const name = fresh();
    const none = await hit(store, name, 0);
    assert.deepEqual([none.count, none.resetAt], [0, none.now]);
    const { resetAt } = await hit(store, name);
    await hit(store, name);
    for (let i = 0; i < 3; i++) {
      const asked = await hit(store, name, 0);
      assert.deepEqual([asked.count, asked.resetAt], [2, resetAt]);
    }
    await hit(store, name, 0, 1);
    assert.equal((await hit(store, name, 0)).resetAt, resetAt, 'however it is asked');
    await advance(WINDOW);
    assert.equal((await hit(store, name, 0)).count, 0);
  },

  'takes hits back, down to none': async ({ store, advance }) => {
    const name = fresh();
    assert.equal((await hit(store, name, -1)).count, 0, 'there was nothing');
    await hit(store, name, 5);
    await advance(100);
    const less = await hit(store, name, -2);
    assert.equal(less.count, 3);
    assertNear(less.resetAt, less.now + WINDOW - 100);
    const none = await hit(store, name, -MAX_COUNT);
    assert.deepEqual([none.count, none.resetAt], [0, none.now]);
    const again = await hit(store, name);
    assert.deepEqual([again.count, again.resetAt], [1, again.now + WINDOW], 'a window of its own');
    await advance(WINDOW);
    assert.equal((await hit(store, name, -1)).count, 0);
    assert.equal((await hit(store, name)).count, 1);
  },

  'cuts a window that is longer than asked for': async ({ store, advance }) => {
    const name = fresh();
    await hit(store, name, 1, 86_400);
    const cut = await hit(store, name);
    assert.deepEqual([cut.count, cut.resetAt], [2, cut.now + WINDOW]);
    await advance(WINDOW);
    assert.equal((await hit(store, name)).count, 1);
  },

  'counts up to a bound and stays there': async ({ store }) => {
    const name = fresh();
    await hit(store, name, MAX_COUNT);
    assert.equal((await hit(store, name, MAX_COUNT)).count, MAX_COUNT);
    assert.equal((await hit(store, name)).count, MAX_COUNT);
    assert.equal((await hit(store, name, -1)).count, MAX_COUNT - 1);
  },

  'rejects hits that are not numbers, and invalid windows': async ({ store }) => {
    const name = fresh();
    for (const by of [
      Number.NaN,
      0.5,
      Number.POSITIVE_INFINITY,
      MAX_COUNT + 1,
      '1' as never,
      undefined as never,
    ])
      await assert.rejects(async () => store.count({ name, seconds: WINDOW, by }), TypeError);
    for (const seconds of [0, -1, 1.5, Number.NaN, 86_401, '60' as never])
      await assert.rejects(async () => store.count({ name, seconds, by: 1 }), TypeError);
    for (const none of ['', undefined as never])
      await assert.rejects(async () => store.count({ name: none, seconds: WINDOW, by: 1 }), TypeError);
    assert.equal((await hit(store, name, 0)).count, 0);
  },

  'counts every name for itself, and none among claims, ids and marks': async ({ store }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    for (const name of [jti, one.id, one.u, `${one.id} ${jti}`, '__proto__', 'constructor', '-', 'a b:c%_']) {
      assert.equal((await hit(store, name)).count, 1, name);
      assert.equal(await store.claimOnce({ name, expiresAt: FAR }), true);
      assert.equal((await hit(store, name)).count, 2, name);
    }
    assert.equal((await one.fail(jti)).isNew, true);
    await one.disable();
    await store.unlock(one.id);
    await store.forget(one.id);
    assert.equal((await hit(store, one.id, 0)).count, 2, 'an address is not an id');
    assert.deepEqual(
      (await all(store.exportMarks())).map(({ kind }) => kind),
      ['disabled'],
    );
  },

  'of hits at once, in several processes, each is counted once': async ({ store, another }) => {
    const other = another ? await another() : store;
    const name = fresh();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => hit(i % 2 ? store : other, name)),
    );
    assert.deepEqual(
      answers.map(({ count }) => count).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
    const ends = answers.map(({ resetAt }) => resetAt);
    assert.ok(Math.max(...ends) - Math.min(...ends) <= SLACK, 'in one window');
    const mixed = Array.from({ length: 90 }, (_, i) => hit(i % 2 ? store : other, name, i % 3 ? 1 : -1));
    await Promise.all(mixed);
    assert.equal((await hit(other, name, 0)).count, 230);
  },

  'prunes counters whose window has ended, and no others': async ({ store, advance }) => {
    const names = Array.from({ length: 300 }, () => fresh());
    const kept = fresh();
    await Promise.all(names.map((name) => hit(store, name)));
    await store.prune();
    assert.equal((await hit(store, names[0] as string, 0)).count, 1);
    await advance(WINDOW - 100);
    await hit(store, kept);
    await advance(100);
    await store.prune();
    assert.equal((await hit(store, kept, 0)).count, 1);
    assert.equal(await store.prune(), 0, 'nothing is left of them');
    assert.equal((await hit(store, names[1] as string)).count, 1);
  },
};
