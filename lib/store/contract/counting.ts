import assert from 'node:assert/strict';
import { assertNear, type Case, SLACK, SMALL, Subject } from './harness.ts';

/** The contract's cases about failures, waits and limits. */
export const COUNTING: Record<string, Case> = {
  'counts failures and tells how many attempts are left': async ({ store }) => {
    const one = new Subject(store);
    const first = await one.wrong();
    assert.deepEqual([first.attemptsLeft, first.isNew, first.retryAt], [2, true, first.now]);
    const second = await one.wrong();
    assert.deepEqual([second.attemptsLeft, second.isNew, second.retryAt], [1, false, second.now]);
    const other = await new Subject(store).wrong();
    assert.deepEqual([other.attemptsLeft, other.isNew], [2, true], 'another id is counted by itself');
  },

  'a success sets failures to 0 and tells of them': async ({ store }) => {
    const one = new Subject(store);
    assert.deepEqual(await one.right(), { count: 0, last: null });
    await one.wrong();
    const { now } = await one.wrong();
    assert.deepEqual(await one.right(), { count: 2, last: now });
    assert.deepEqual(await one.right(), { count: 0, last: null });
    assert.equal((await one.wrong()).isNew, false, 'failures before the success are within the window still');
  },

  'answers no more guesses at once than are free': async ({ store }) => {
    const one = new Subject(store);
    const open = [await one.reserved(), await one.reserved(), await one.reserved()];
    const refused = await one.reserve();
    assert.equal(refused.answer, 'busy');
    assert.ok('retryAt' in refused && (refused.retryAt ?? 0) > refused.now);
    await one.fail(open[0]?.jti as string);
    assert.equal((await one.reserve()).answer, 'busy', 'a failure frees no place');
    await one.release(open[1]?.jti as string);
    assert.equal((await one.reserve()).answer, 'reserved', 'a release does');
  },

  'waits double up to the longest, with one guess at a time': async ({ store, advance }) => {
    const one = new Subject(store);
    for (let i = 1; i < SMALL.free; i++) await one.wrong();
    for (const wait of [100, 200, 250]) {
      const failed = await one.wrong();
      assert.deepEqual([failed.attemptsLeft, failed.retryAt], [0, failed.now + wait]);
      await advance(wait - 20);
      const early = await one.reserve();
      assert.equal(early.answer, 'locked');
      assertNear((early.answer === 'locked' ? early.retryAt : 0) as number, early.now + 20);
      await advance(20);
      const { jti } = await one.reserved();
      assert.equal((await one.reserve()).answer, 'busy');
      await one.release(jti);
    }
  },

  'stops for good at the limit of failures in a row, until the operator unlocks': async ({
    store,
    advance,
  }) => {
    const one = new Subject(store);
    for (let i = 1; i < SMALL.limit; i++) {
      await one.wrong();
      await advance(SMALL.maxWait + SLACK);
    }
    const last = await one.wrong();
    assert.deepEqual([last.attemptsLeft, 'retryAt' in last], [0, false]);
    await advance(3 * SMALL.window);
    const answer = await one.reserve();
    assert.equal(answer.answer, 'locked');
    assert.ok(!('retryAt' in answer), 'no retry');
    assert.equal(await store.unlock(one.id), true);
    const again = await one.wrong();
    assert.deepEqual([again.attemptsLeft, again.isNew], [SMALL.free - 1, true]);
  },

  'stops for good at the limit within the window, whatever the successes': async ({ store, advance }) => {
    const one = new Subject(store);
    for (let i = 1; i < SMALL.limit; i++) {
      await one.wrong();
      await one.right();
    }
    const [held] = [await one.reserved()];
    assert.equal((await one.reserve()).answer, 'busy', 'the guess in flight may be the last');
    const last = await one.fail(held.jti);
    assert.deepEqual([last.attemptsLeft, 'retryAt' in last], [0, false]);
    await advance(3 * SMALL.window);
    const answer = await one.reserve();
    assert.deepEqual([answer.answer, 'retryAt' in answer], ['locked', false], 'though the window has slid');
  },

  'a right guess in flight does not lift a stop': async ({ store, advance }) => {
    const policy = { ...SMALL, free: 2, limit: 2 };
    const one = new Subject(store, policy);
    const first = await one.reserved();
    const second = await one.reserved();
    await one.fail(first.jti);
    await advance(policy.reservationTimeout + SLACK);
    assert.equal((await one.settle(second.jti)).answer, 'settled');
    assert.equal((await one.reserve()).answer, 'locked');
  },

  'failures leave the window one by one': async ({ store, advance }) => {
    const one = new Subject(store);
    for (let i = 1; i < SMALL.limit; i++) {
      await one.wrong();
      await one.right();
      await advance(1000);
    }
    assert.equal((await one.wrong()).retryAt, undefined, 'six within the window');
    const other = new Subject(store);
    for (let i = 1; i < SMALL.limit; i++) {
      await other.wrong();
      await other.right();
      await advance(1000);
    }
    await advance(SMALL.window - 5000 + SLACK);
    assert.equal(
      (await other.wrong()).attemptsLeft,
      1,
      'the first of five has left, four and this one count',
    );
    await other.right();
    await advance(SMALL.window + SLACK);
    assert.equal((await other.wrong()).isNew, true, 'all have left');
  },

  'failures that left the window make room for guesses': async ({ store, advance }) => {
    const one = new Subject(store);
    for (let i = 2; i < SMALL.limit; i++) {
      await one.wrong();
      await one.right();
    }
    await advance(SMALL.window - 100);
    await one.wrong();
    await one.right();
    const { jti } = await one.reserved();
    assert.equal((await one.reserve()).answer, 'busy', 'five and the one in flight');
    await one.release(jti);
    await advance(200);
    await one.reserved();
    await one.reserved();
  },
};
