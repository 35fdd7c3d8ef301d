import assert from 'node:assert/strict';
import { type Case, fresh, SLACK, SMALL, Subject } from './harness.ts';

/** The contract's cases about ids that are known by a success, new ids, and reissues. */
export const KNOWN: Record<string, Case> = {
  'a new id is not admitted, and may ask again with the same jti': async ({ store }) => {
    const one = new Subject(store);
    const jti = fresh();
    for (let i = 0; i < 3; i++) {
      const { now: _now, ...answer } = await one.reserve(jti, { admitNew: false });
      assert.deepEqual(answer, { answer: 'new' });
    }
    assert.equal(await store.forget(one.id), false, 'nothing was written');
    await one.reserved(jti);
    assert.equal((await one.reserve(jti, { admitNew: false })).answer, 'replayed', 'before new');
    assert.equal((await one.reserve(fresh(), { admitNew: false })).answer, 'reserved', 'by its open guess');
    await one.release(jti);
    const failing = new Subject(store);
    await failing.wrong();
    assert.equal((await failing.reserve(fresh(), { admitNew: false })).answer, 'reserved', 'by its failure');
  },

  'marks go before new': async ({ store }) => {
    const one = new Subject(store);
    await one.settle(fresh(), { retire: true });
    assert.equal((await one.reserve(fresh(), { admitNew: false })).answer, 'retired');
    await one.disable();
    assert.equal((await one.reserve(fresh(), { admitNew: false })).answer, 'disabled');
  },

  'a success makes an id known for a time, and tells when the last one was': async ({ store, advance }) => {
    const one = new Subject(store);
    const first = await one.settled();
    assert.deepEqual([first.lastUsed, first.isNew], [null, true]);
    const known = async () => {
      const jti = fresh();
      const { answer } = await one.reserve(jti, { admitNew: false });
      await one.release(jti);
      return answer;
    };
    assert.equal(await known(), 'reserved');
    await advance(SMALL.knownFor - 20);
    await store.prune();
    assert.equal(await known(), 'reserved');
    const second = await one.settled();
    assert.equal(second.isNew, false);
    assert.ok(second.lastUsed !== null && second.now - second.lastUsed >= SMALL.knownFor - 20);
    await advance(SMALL.knownFor);
    assert.equal(await known(), 'new');
    const third = await one.settled();
    assert.deepEqual([third.lastUsed, third.isNew], [null, true]);
  },

  'a success that is not to be remembered makes no id known, and keeps a known one': async ({
    store,
    advance,
  }) => {
    const stranger = new Subject(store);
    const { lastUsed, isNew } = await stranger.settled({ remember: false });
    assert.deepEqual([lastUsed, isNew], [null, false]);
    assert.equal((await stranger.reserve(fresh(), { admitNew: false })).answer, 'new');
    const one = new Subject(store);
    await one.settled();
    await advance(SMALL.knownFor - 20);
    await one.settled({ remember: false });
    await advance(100);
    assert.equal((await one.settled()).isNew, false);
    const never = new Subject(store, { ...SMALL, knownFor: 0 });
    assert.equal((await never.settled()).isNew, false);
    assert.equal((await never.settled()).lastUsed, null);
    assert.equal(await store.unlock(never.id), false);
  },

  'of the first successes of an id at once, one is new': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store);
    const open = [await one.reserved(), await one.reserved(), await one.reserved()];
    const twin = Object.assign(Object.create(one) as Subject, { store: other });
    const answers = await Promise.all(open.map(({ jti }, i) => (i % 2 ? one : twin).settle(jti)));
    const news = answers.filter((answer) => answer.answer === 'settled' && answer.isNew);
    assert.equal(news.length, 1);
  },

  'a success after failures is not new, and a failure after a success is': async ({ store }) => {
    const one = new Subject(store);
    await one.wrong();
    assert.equal((await one.settled()).isNew, false);
    const other = new Subject(store);
    await other.settled();
    assert.equal((await other.wrong()).isNew, true);
  },

  'unlocking keeps what an id is known by, forgetting does not': async ({ store, advance }) => {
    const one = new Subject(store);
    const { now } = await one.settled({ reissue: true });
    await store.unlock(one.id);
    const kept = await one.settled();
    assert.equal(kept.lastUsed, now);
    assert.equal(kept.reissues?.count, 1);
    assert.equal(await store.forget(one.id), true);
    const forgotten = await one.settled();
    assert.deepEqual([forgotten.lastUsed, 'reissues' in forgotten, forgotten.isNew], [null, false, true]);
    await store.unlock(one.id);
    await advance(SMALL.knownFor + SLACK);
    await store.prune();
    assert.equal(await store.unlock(one.id), false, 'unlocking keeps it no longer');
  },

  'reissues are counted under the id for good': async ({ store, advance }) => {
    const one = new Subject(store);
    const first = await one.settled({ reissue: true });
    assert.ok(!('reissues' in first), 'the state before');
    const second = await one.settled({ reissue: true, remember: false });
    assert.deepEqual(second.reissues, { count: 1, last: first.now });
    await store.unlock(one.id);
    await advance(SMALL.knownFor + SMALL.window);
    await store.prune();
    const { reissues, lastUsed, now } = await one.settled({ retire: true });
    assert.equal(reissues?.count, 2);
    assert.ok(now - (reissues?.last ?? 0) >= SMALL.knownFor + SMALL.window);
    assert.equal(lastUsed, null);
    const other = new Subject(store);
    assert.equal(
      (await other.settled({ reissue: true, remember: false })).isNew,
      true,
      'an entry of its own',
    );
    assert.equal((await other.settled({ reissue: true, remember: false })).isNew, false);
  },

  'a marked id counts no reissue and becomes not known': async ({ store }) => {
    const one = new Subject(store);
    const { jti } = await one.reserved();
    await one.disable();
    assert.equal((await one.settle(jti, { reissue: true })).answer, 'disabled');
    const elsewhere = { u: fresh(32) };
    assert.equal((await one.reserve(fresh(), { ...elsewhere, admitNew: false })).answer, 'new');
    const after = await one.settle(fresh(), elsewhere);
    assert.ok(after.answer === 'settled' && !('reissues' in after));
  },

  'asks about many names in one step': async ({ store }) => {
    const names = Array.from({ length: 5000 }, () => fresh(32));
    assert.equal(await store.isDisabled([]), false);
    assert.equal(await store.isDisabled(names), false);
    await store.disable({ u: names.at(-1) as string, t: fresh() });
    assert.equal(await store.isDisabled(names), true);
    assert.equal(await store.isDisabled(names.slice(0, -1)), false);
    await assert.rejects(async () => store.isDisabled(names.at(-1) as never), TypeError);
    await assert.rejects(async () => store.isDisabled(undefined as never), TypeError);
  },
};
