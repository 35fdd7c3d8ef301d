import assert from 'node:assert/strict';
import { type Case, readFeed, Subject } from './harness.ts';

/** The contract's cases about the feed of disabling secrets. */
export const FEED: Record<string, Case> = {
  'the feed keeps the order, in pages': async ({ store }) => {
    const empty = await store.feed({ limit: 10 });
    assert.deepEqual(empty.disabled, []);
    assert.deepEqual(await store.feed({ after: empty.next, limit: 10 }), empty);
    const ts: string[] = [];
    for (let i = 0; i < 7; i++) {
      const one = new Subject(store);
      await one.disable();
      ts.push(one.t);
    }
    for (const limit of [1, 3, 7, 100]) assert.deepEqual((await readFeed(store, limit)).disabled, ts);
    const { cursor } = await readFeed(store, 3);
    const late = new Subject(store);
    await late.disable();
    assert.deepEqual((await store.feed({ after: cursor, limit: 100 })).disabled, [late.t]);
    const fromEmpty = await store.feed({ after: empty.next, limit: 100 });
    assert.deepEqual(fromEmpty.disabled, [...ts, late.t]);
  },

  'a cursor that the store never gave starts over': async ({ store }, open) => {
    const stranger = await open();
    try {
      const one = new Subject(store);
      await one.disable();
      await new Subject(stranger.store).disable();
      const foreign = (await readFeed(stranger.store, 10)).cursor;
      const [seq] = (await readFeed(store, 10)).cursor.split('.');
      const made = [
        '-1',
        '0',
        '1',
        '999',
        'x',
        'é',
        '1 OR 1=1',
        `${seq}`,
        '9'.repeat(400),
        `${seq}.${'A'.repeat(12)}`,
      ];
      for (const after of [foreign, ...made]) {
        const page = await store.feed({ after, limit: 10 });
        assert.deepEqual(page.disabled, [one.t], after);
        assert.notEqual(page.next, after);
      }
    } finally {
      await stranger.close();
    }
  },

  'a reader of the feed misses nothing that is marked meanwhile': async ({ store, another }) => {
    const reader = another ? await another() : store;
    const subjects = Array.from({ length: 60 }, () => new Subject(store));
    let done = false;
    const mark = async () => {
      await Promise.all(subjects.map((one) => one.disable()));
      done = true;
    };
    const seen: string[] = [];
    const read = async () => {
      let cursor = '';
      for (let last = false; ; ) {
        const page = await reader.feed({ after: cursor, limit: 5 });
        seen.push(...page.disabled);
        cursor = page.next;
        if (page.disabled.length > 0) continue;
        if (last) break;
        last = done;
      }
    };
    await Promise.all([mark(), read()]);
    assert.deepEqual(seen, (await readFeed(store, 1000)).disabled);
    assert.deepEqual(new Set(seen), new Set(subjects.map(({ t }) => t)));
    assert.equal(seen.length, subjects.length);
  },
};
