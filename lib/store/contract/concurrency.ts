import assert from 'node:assert/strict';
import { DEFAULT_GUESS_POLICY } from '../guess-policy.ts';
import { type Case, FAR, fresh, readFeed, SMALL, Subject } from './harness.ts';

/** The contract's cases about operations at once and in several processes. */
export const CONCURRENCY: Record<string, Case> = {
  'of a thousand guesses at once exactly the free ones are answered': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store, DEFAULT_GUESS_POLICY);
    const requests = Array.from({ length: 1000 }, (_, i) => ({
      id: one.id,
      u: one.u,
      jti: `jti-${i}`,
      policy: one.policy,
      seenUntil: FAR,
      admitNew: true,
    }));
    const answers = await Promise.all(requests.map((r, i) => (i % 2 ? store : other).reserve(r)));
    const reserved = requests.filter((_, i) => answers[i]?.answer === 'reserved');
    assert.equal(reserved.length, DEFAULT_GUESS_POLICY.free);
    assert.ok(answers.every(({ answer }) => answer === 'reserved' || answer === 'busy'));
    const failed = await Promise.all(reserved.map((r, i) => (i % 2 ? store : other).fail(r)));
    assert.equal(failed.filter(({ isNew }) => isNew).length, 1);
    assert.deepEqual(new Set(failed.map(({ attemptsLeft }) => attemptsLeft)), new Set([0, 1, 2, 3, 4]));
    assert.equal((await one.reserve()).answer, 'locked');
  },

  'of one jti at once exactly one is answered': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store);
    const request = { id: one.id, u: one.u, jti: fresh(), policy: SMALL, seenUntil: FAR, admitNew: true };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? store : other).reserve(request)),
    );
    assert.equal(answers.filter(({ answer }) => answer === 'reserved').length, 1);
    assert.equal(answers.filter(({ answer }) => answer === 'replayed').length, 49);
  },

  'no failure is lost among guesses at once': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store, { ...SMALL, free: 1000, limit: 1000 });
    const twin = Object.assign(Object.create(one) as Subject, { store: other });
    const outcomes = await Promise.all(
      Array.from({ length: 120 }, async (_, i) => {
        const who = i % 2 ? one : twin;
        const { jti } = await who.reserved();
        if (i % 3 === 0) return who.release(jti);
        return who.fail(jti);
      }),
    );
    const failed = outcomes.filter((outcome) => outcome !== undefined);
    assert.equal(failed.length, 80);
    assert.equal(failed.filter(({ isNew }) => isNew).length, 1);
    assert.equal((await one.right()).count, 80);
  },

  'no success begins once disabling was acknowledged': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store, { ...SMALL, free: 1000, limit: 1000 });
    let acknowledged = false;
    let marking: Promise<void> | undefined;
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const jti = fresh();
        await one.reserve(jti);
        if (i === 30) {
          marking = other.disable({ u: one.u, t: one.t }).then(() => {
            acknowledged = true;
          });
        }
        if (i > 60) await marking;
        const late = acknowledged;
        const { answer } = await (i % 2 ? store : other).settle({
          id: one.id,
          u: one.u,
          policy: one.policy,
          jti,
        });
        return { late, answer };
      }),
    );
    assert.ok(answers.filter(({ late }) => late).every(({ answer }) => answer === 'disabled'));
    assert.ok(answers.some(({ late }) => late));
    assert.equal((await one.reserve()).answer, 'disabled');
  },

  'another process sees the same': async ({ store, another }) => {
    if (!another) return;
    const other = await another();
    const one = new Subject(store);
    const { jti } = await one.reserved();
    const twin = Object.assign(Object.create(one) as Subject, { store: other });
    assert.equal((await twin.reserve(jti)).answer, 'replayed');
    await twin.fail(jti);
    assert.equal((await one.right()).count, 1);
    assert.equal(await other.isDisabled([one.u]), false);
    await one.disable();
    assert.equal(await other.isDisabled([one.u]), true);
    const cursor = (await readFeed(store, 10)).cursor;
    assert.deepEqual(await other.feed({ after: cursor, limit: 10 }), { disabled: [], next: cursor });
  },
};
