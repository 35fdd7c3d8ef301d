import assert from 'node:assert/strict';
import { assertNear, type Case, fresh, SLACK, SMALL, Subject } from './harness.ts';

/** The contract's cases about reservations and seen requests. */
export const RESERVATIONS: Record<string, Case> = {
  'a reservation left open becomes one failure, dated at its deadline': async ({ store, advance }) => {
    const one = new Subject(store, { ...SMALL, free: 1 });
    const { jti } = await one.reserved();
    await advance(SMALL.reservationTimeout - 20);
    assert.equal((await one.reserve()).answer, 'busy', 'not yet');
    await advance(30);
    const answer = await one.reserve();
    assert.equal(answer.answer, 'locked');
    assertNear(answer.answer === 'locked' ? answer.retryAt : 0, answer.now + SMALL.firstWait - 10);
    const late = await one.fail(jti);
    assert.equal(late.isNew, false);
    assertNear(late.retryAt, late.now + SMALL.firstWait - 10);
    await one.release(jti);
    await advance(SMALL.firstWait);
    const settled = await one.settle((await one.reserved()).jti);
    assert.ok(settled.answer === 'settled');
    assert.equal(settled.failedSince.count, 1);
    assertNear(settled.failedSince.last as number, settled.now - SMALL.firstWait - 10);
  },

  'settling a lapsed reservation adds nothing, and its failure stays in the window': async ({
    store,
    advance,
  }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    await advance(SMALL.reservationTimeout + SLACK);
    const settled = await one.settle(jti);
    assert.ok(settled.answer === 'settled');
    assert.equal(settled.failedSince.count, 1);
    assert.deepEqual(await one.right(), { count: 0, last: null });
    assert.equal((await one.wrong()).isNew, false);
  },

  'a success closes its own reservation alone': async ({ store, advance }) => {
    const one = new Subject(store);
    await one.reserved();
    await one.reserved();
    await one.right();
    await advance(SMALL.reservationTimeout + SLACK);
    assert.equal((await one.right()).count, 2);
  },

  'a released reservation counts nothing, then or later': async ({ store, advance }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    await one.release(jti);
    assert.equal((await one.reserve(jti)).answer, 'replayed');
    await advance(SMALL.reservationTimeout + SLACK);
    assert.deepEqual(await one.right(), { count: 0, last: null });
  },

  'a jti is seen once, whatever else was answered': async ({ store }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    assert.equal((await one.reserve(jti)).answer, 'replayed');
    await one.fail(jti);
    assert.equal((await one.reserve(jti)).answer, 'replayed');
    assert.equal((await new Subject(store).reserve(jti)).answer, 'reserved', 'another id is another matter');

    const refused = fresh();
    await one.wrong();
    await one.wrong();
    assert.equal((await one.reserve(refused)).answer, 'locked');
    assert.equal((await one.reserve(refused)).answer, 'replayed', 'before locked');
    await store.unlock(one.id);
    assert.equal((await one.reserve(refused)).answer, 'replayed', 'seen though locked');

    const other = new Subject(store, { ...SMALL, free: 1 });
    const held = await other.reserved();
    const busy = fresh();
    assert.equal((await other.reserve(busy)).answer, 'busy');
    await other.release(held.jti);
    assert.equal((await other.reserve(busy)).answer, 'replayed', 'seen though busy');

    const gone = new Subject(store);
    await gone.disable();
    const marked = fresh();
    assert.equal((await gone.reserve(marked)).answer, 'disabled');
    assert.equal((await gone.reserve(marked, { u: fresh(32) })).answer, 'replayed', 'seen though disabled');
  },

  'a jti is seen until its time and not longer': async ({ store, advance }) => {
    const one = new Subject(store);
    const { now } = await one.reserved();
    const jti = fresh();
    await one.release((await one.reserved(jti, { seenUntil: now + 500 })).jti);
    await advance(480);
    const later = await new Subject(store).reserved();
    assert.equal((await one.reserve(jti, { seenUntil: later.now + 15 })).answer, 'replayed');
    await advance(20 + SLACK);
    assert.equal((await one.reserve(jti)).answer, 'reserved');
  },

  'rejects a jti that it could not remember': async ({ store }) => {
    const one = new Subject(store);
    const { now } = await one.reserved();
    await assert.rejects(one.reserve(fresh(), { seenUntil: now }));
    await assert.rejects(one.reserve(fresh(), { seenUntil: now - 1000 }));
    assert.equal((await one.reserve()).answer, 'reserved', 'and goes on');
  },
};
