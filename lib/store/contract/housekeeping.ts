import assert from 'node:assert/strict';
import { type Case, FAR, fresh, SLACK, SMALL, Subject } from './harness.ts';

/** The contract's cases about claims and what operators do. */
export const HOUSEKEEPING: Record<string, Case> = {
  'init is idempotent, and health answers': async ({ store }) => {
    await Promise.all([store.init(), store.init()]);
    await store.init();
    await store.health();
  },

  'a name is claimed once until its time': async ({ store, advance }) => {
    const { now } = await new Subject(store).reserved();
    const name = fresh();
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => store.claimOnce({ name, expiresAt: now + 120 })),
    );
    assert.equal(claims.filter(Boolean).length, 1);
    assert.equal(await store.claimOnce({ name: fresh(), expiresAt: now + 120 }), true);
    await advance(100);
    assert.equal(await store.claimOnce({ name, expiresAt: now + 120 }), false);
    await advance(20 + SLACK);
    assert.equal(await store.claimOnce({ name, expiresAt: FAR }), true);
    assert.equal(await store.claimOnce({ name: fresh(), expiresAt: now - 1000 }), false, 'past');
  },

  'claims, seen requests, ids and marks do not share names': async ({ store }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    for (const name of [jti, one.id, one.u, `${one.id} ${jti}`, `${one.id}:${jti}`]) {
      assert.equal(await store.claimOnce({ name, expiresAt: FAR }), true);
    }
    await store.disable({ u: one.id, t: fresh() });
    assert.equal((await one.reserve()).answer, 'reserved');
  },

  'takes names that mean something elsewhere': async ({ store }) => {
    for (const name of ['__proto__', 'constructor', 'toString', '-', '_']) {
      const request = { id: name, u: name, jti: name, policy: SMALL };
      assert.equal(await store.isDisabled([name]), false);
      assert.equal((await store.reserve({ ...request, seenUntil: FAR, admitNew: true })).answer, 'reserved');
      assert.equal((await store.fail(request)).isNew, true);
      assert.equal((await store.settle(request)).answer, 'settled');
      assert.equal(await store.claimOnce({ name, expiresAt: FAR }), true);
      assert.equal((await store.disable({ u: name, t: name })).isNew, true);
    }
  },

  'unlock and forget tell whether there was anything': async ({ store }) => {
    const one = new Subject(store);
    assert.equal(await store.unlock(one.id), false);
    assert.equal(await store.forget(one.id), false);
    await one.wrong();
    await one.wrong();
    assert.equal(await store.unlock(one.id), true);
    assert.deepEqual(await one.right(), { count: 0, last: null });
    await one.wrong();
    assert.equal(await store.forget(one.id), true);
    assert.equal(await store.forget(one.id), false);
    assert.equal(await store.unlock(one.id), false);
    assert.equal((await one.wrong()).isNew, true);
    await one.disable();
    await store.forget(one.id);
    assert.equal((await one.reserve()).answer, 'disabled');
  },

  'unlocking keeps guesses in flight': async ({ store, advance }) => {
    const one = new Subject(store);
    await one.wrong();
    await one.reserved();
    await store.unlock(one.id);
    await advance(SMALL.reservationTimeout + SLACK);
    assert.equal((await one.right()).count, 1);
  },

  'prunes what has expired and nothing else': async ({ store, advance }) => {
    const one = new Subject(store);
    const { now } = await one.reserved();
    await one.wrong();
    const marked = new Subject(store);
    await marked.disable();
    const seen = fresh();
    await new Subject(store).reserve(seen, { seenUntil: now + 100, admitNew: false });
    assert.equal(await store.claimOnce({ name: seen, expiresAt: now + 100 }), true);
    await store.prune();
    assert.equal(await store.claimOnce({ name: seen, expiresAt: now + 100 }), false);
    await advance(200);
    await store.prune();
    assert.equal(await store.claimOnce({ name: seen, expiresAt: FAR }), true);
    await advance(5 * SMALL.window);
    await store.prune();
    assert.equal(await store.isDisabled([marked.u]), true);
    const late = await one.settle(fresh());
    assert.ok(late.answer === 'settled');
    assert.equal(late.failedSince.count, 2, 'failures in a row outlast the window');
    await store.prune();
    assert.equal(await store.unlock(one.id), true, 'the success');
    await advance(SMALL.knownFor);
    await store.prune();
    assert.equal(await store.unlock(one.id), false, 'nothing is left');
  },
};
