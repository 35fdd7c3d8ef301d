import assert from 'node:assert/strict';
import type { Mark } from '../store.ts';
import { all, type Case, FAR, fresh, readFeed, SLACK, SMALL, Subject } from './harness.ts';

/** The contract's cases about disabled and retired marks. */
export const MARKS: Record<string, Case> = {
  'tries disabled, retired, replayed, locked in this order': async ({ store }) => {
    const one = new Subject(store, { ...SMALL, free: 1 });
    const first = await one.reserved();
    const second = fresh();
    await one.fail(first.jti);
    assert.equal((await one.reserve(second)).answer, 'locked');
    assert.equal((await one.reserve(first.jti)).answer, 'replayed');
    assert.equal((await one.settle(second, { retire: true })).answer, 'settled');
    assert.equal((await one.reserve(first.jti)).answer, 'retired');
    await one.disable();
    assert.equal((await one.reserve(first.jti)).answer, 'disabled');
    assert.equal((await one.settle(fresh())).answer, 'disabled');
  },

  'a guess in flight gets nothing once its key is disabled': async ({ store, advance }) => {
    const one = new Subject(store);
    await one.wrong();
    const { jti } = await one.reserved();
    await one.disable();
    const answer = await one.settle(jti);
    assert.equal(answer.answer, 'disabled');
    const elsewhere = { u: fresh(32) };
    await advance(SMALL.reservationTimeout + SLACK);
    const after = await one.settle(fresh(), elsewhere);
    assert.ok(after.answer === 'settled');
    assert.equal(after.failedSince.count, 1, 'the reservation is closed and the failure was not forgiven');
  },

  'retiring marks the id for good, and nothing else': async ({ store, advance }) => {
    const one = new Subject(store);
    const inFlight = await one.reserved();
    const { jti } = await one.reserved();
    assert.equal((await one.settle(jti, { retire: true })).answer, 'settled');
    assert.equal((await one.reserve()).answer, 'retired');
    assert.equal((await one.settle(inFlight.jti)).answer, 'retired');
    assert.equal((await one.settle(fresh(), { retire: true })).answer, 'retired');
    assert.equal(await store.isDisabled([one.u]), false);
    const sibling = await store.reserve({
      id: fresh(32),
      u: one.u,
      jti,
      policy: SMALL,
      seenUntil: FAR,
      admitNew: true,
    });
    assert.equal(sibling.answer, 'reserved');
    await store.forget(one.id);
    await store.unlock(one.id);
    await advance(3 * SMALL.window);
    await store.prune();
    assert.equal((await one.reserve()).answer, 'retired', 'outlives forgetting, unlocking and pruning');
  },

  'a retire that comes too late marks nothing': async ({ store }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    await one.disable();
    assert.equal((await one.settle(jti, { retire: true })).answer, 'disabled');
    assert.equal((await one.reserve(fresh(), { u: fresh(32) })).answer, 'reserved');
  },

  'disabling is idempotent and joins the feed once': async ({ store }) => {
    const one = new Subject(store);
    assert.equal(await store.isDisabled([one.u]), false);
    assert.deepEqual(await one.disable(), { isNew: true });
    assert.deepEqual(await one.disable(), { isNew: false });
    assert.equal(await store.isDisabled([one.u]), true);
    assert.deepEqual((await readFeed(store, 10)).disabled, [one.t]);
    const many = new Subject(store);
    const answers = await Promise.all(Array.from({ length: 20 }, () => many.disable()));
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
    assert.deepEqual((await readFeed(store, 10)).disabled, [one.t, many.t]);
  },

  'marks survive by export and import': async ({ store }, open) => {
    const marks: Mark[] = [];
    for (let i = 0; i < 12; i++) {
      const one = new Subject(store);
      if (i % 3 === 0) await one.settle(fresh(), { retire: true });
      else await one.disable();
    }
    for await (const mark of store.exportMarks()) marks.push(mark);
    assert.equal(marks.length, 12);
    const times = marks.map(({ at }) => at);
    assert.ok(
      times.every((at, i) => i === 0 || at >= (times[i - 1] as number)),
      'newest last',
    );
    const restored = await open();
    try {
      const early = new Subject(restored.store);
      await early.disable();
      const first = marks[0] as Mark;
      assert.equal(await restored.store.importMarks([first]), 1);
      assert.equal(await restored.store.importMarks(store.exportMarks()), 11);
      assert.equal(await restored.store.importMarks(marks), 0);
      const again = await all(restored.store.exportMarks());
      assert.equal(again.length, 13);
      for (const mark of marks) {
        assert.ok(
          again.some((other) => JSON.stringify(other) === JSON.stringify(mark)),
          'with its time',
        );
        if (mark.kind === 'disabled') assert.equal(await restored.store.isDisabled([mark.u]), true);
        else {
          const request = { id: mark.id, u: fresh(32), jti: fresh(), policy: SMALL };
          const answer = await restored.store.reserve({ ...request, seenUntil: FAR, admitNew: true });
          assert.equal(answer.answer, 'retired');
        }
      }
      const disabled = marks.flatMap((mark) => (mark.kind === 'disabled' ? [mark.t] : []));
      const restoredFeed = (await readFeed(restored.store, 5)).disabled;
      assert.deepEqual(restoredFeed.sort(), [early.t, ...disabled].sort());
    } finally {
      await restored.close();
    }
  },

  'an export reads any number of marks': async ({ store }) => {
    const marks = Array.from(
      { length: 1203 },
      (_, at): Mark =>
        at % 2 ? { kind: 'disabled', u: `u${at}`, t: `t${at}`, at } : { kind: 'retired', id: `i${at}`, at },
    );
    assert.equal(await store.importMarks(marks), marks.length);
    const exported = await all(store.exportMarks());
    assert.deepEqual(
      exported.map(({ at }) => at),
      marks.map(({ at }) => at),
    );
    assert.equal((await readFeed(store, 100)).disabled.length, 601);
  },

  'an import refuses what is no mark': async ({ store }) => {
    const mark = { kind: 'disabled', u: fresh(32), t: fresh(), at: 1 };
    const { u: _, ...headless } = mark;
    for (const bad of [
      headless,
      { ...mark, kind: 'x' },
      { ...mark, t: '' },
      { ...mark, at: '1' },
      { kind: 'retired', at: 1 },
    ]) {
      await assert.rejects(store.importMarks([bad as unknown as Mark]), TypeError);
    }
    assert.deepEqual(await all(store.exportMarks()), []);
  },
};
