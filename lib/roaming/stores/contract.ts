import assert from 'node:assert/strict';
import { randomBytes, toBase64url } from '../../base/bytes.ts';
import { FETCHES_KEPT, type PutRequest, type RecordStore } from './record-store.ts';

/** An empty store, and what its tests may do to it. */
export interface RecordStoreUnderTest {
  readonly store: RecordStore;
  /** Opens the same data once more, as another process would. */
  readonly another?: () => Promise<RecordStore>;
  /** Cleans up after a case. */
  readonly close: () => Promise<void>;
}

/** One case of the contract: a name, and a function that throws where a store breaks it. */
export interface RecordStoreContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

type Check = (under: RecordStoreUnderTest) => Promise<void>;

const fresh = () => toBase64url(randomBytes(32));
const ADDRESS = '2001:db8::/56';

function entry(more: Partial<PutRequest> = {}): PutRequest {
  return { owner: fresh(), key: fresh(), u: fresh(), kid: fresh(), record: `{"a":"${fresh()}"}`, ...more };
}

const look = (store: RecordStore, key: string, otherwise = fresh(), address = ADDRESS, stranger = fresh()) =>
  store.fetch({ key, otherwise, address, stranger });

const CASES: Readonly<Record<string, Check>> = {
  'what was put is found under its key': async ({ store }) => {
    const [one, two] = [entry(), entry()];
    assert.equal(await store.put(one), 'stored');
    assert.equal(await store.put(two), 'stored');
    assert.deepEqual(await look(store, one.key), { key: one.key, u: one.u, record: one.record });
    assert.deepEqual(await look(store, two.key), { key: two.key, u: two.u, record: two.record });
    assert.equal(await look(store, fresh()), undefined);
    const found = await store.find(one.owner);
    assert.ok(found && Math.abs(found.at - Date.now() / 1000) < 60);
    assert.deepEqual(found, { u: one.u, kid: one.kid, at: found.at, record: one.record });
    assert.equal(await store.find(fresh()), undefined);
    await store.health();
  },

  'a key that has no record leads to the other one': async ({ store }) => {
    const [one, filler] = [entry(), entry()];
    await store.put(one);
    await store.put(filler);
    assert.equal((await look(store, one.key, filler.key))?.record, one.record);
    const stranger = fresh();
    for (let i = 0; i <= FETCHES_KEPT; i++) {
      const found = await look(store, fresh(), filler.key, ADDRESS, stranger);
      assert.equal(found?.record, filler.record);
    }
    assert.equal((await store.fetches(one.owner)).length, 1);
    assert.equal((await store.fetches(filler.owner)).length, 0);
    assert.equal((await store.fetches(stranger)).length, FETCHES_KEPT);
  },

  'a new record takes the place of the old one, whose key leads nowhere': async ({ store }) => {
    const old = entry();
    await store.put(old);
    const next = entry({ owner: old.owner });
    assert.equal(await store.put(next), 'stored');
    assert.equal(await look(store, old.key), undefined);
    assert.equal((await look(store, next.key))?.record, next.record);
    assert.equal(await store.deleteNamed(old.u), 0);
    assert.equal((await store.find(old.owner))?.u, next.u);
  },

  'keepKey keeps the key of a stored record': async ({ store }) => {
    const first = entry();
    assert.equal(await store.put({ ...first, keepKey: true }), 'stored');
    const next = entry({ owner: first.owner, keepKey: true });
    assert.equal(await store.put(next), 'kept');
    assert.deepEqual(await look(store, first.key), { key: first.key, u: next.u, record: next.record });
    assert.equal(await look(store, next.key), undefined);
  },

  'a renewal replaces only a record that begins as it says': async ({ store }) => {
    const start = `{"a":"${fresh()}"`;
    const first = entry({ record: `${start},"b":1}` });
    const renewal = { owner: first.owner, replaces: start, keepKey: true };
    assert.equal(await store.put({ ...first, ...renewal }), 'absent');
    assert.equal(await store.find(first.owner), undefined);
    await store.put(first);
    for (const replaces of [`${start},"b":2`, `${first.record} `, `%${start}`, start.replace(/.$/, '_')])
      assert.equal(await store.put(entry({ ...renewal, u: first.u, replaces })), 'absent');
    assert.deepEqual(await look(store, first.key), { key: first.key, u: first.u, record: first.record });
    const renewed = entry({ ...renewal, record: `${start},"b":3}` });
    assert.equal(await store.put(renewed), 'kept');
    assert.equal((await look(store, first.key))?.record, renewed.record);
    assert.equal((await store.find(first.owner))?.kid, renewed.kid);
  },

  'no two owners share a key': async ({ store }) => {
    const one = entry();
    await store.put(one);
    const two = entry({ key: one.key });
    assert.equal(await store.put(two), 'taken');
    assert.equal(await store.find(two.owner), undefined);
    assert.equal((await look(store, one.key))?.record, one.record);
    await store.delete(one.owner);
    assert.equal(await store.put(two), 'stored');
  },

  'of two owners who take a key at once one gets it': async ({ store, another }) => {
    const other = another ? await another() : store;
    const key = fresh();
    const entries = Array.from({ length: 20 }, () => entry({ key }));
    const answers = await Promise.all(entries.map((one, i) => (i % 2 ? store : other).put(one)));
    assert.equal(answers.filter((answer) => answer === 'stored').length, 1);
    assert.equal(answers.filter((answer) => answer === 'taken').length, 19);
    assert.equal((await look(store, key))?.record, entries[answers.indexOf('stored')]?.record);
  },

  'lists the last fetches, newest first, whatever record they were of': async ({ store }) => {
    const one = entry();
    await store.put(one);
    assert.deepEqual(await store.fetches(one.owner), []);
    for (let i = 0; i < FETCHES_KEPT; i++) await look(store, one.key, undefined, `first ${i}`);
    await store.put(entry({ owner: one.owner, keepKey: true }));
    for (let i = 0; i < 5; i++) await look(store, one.key, undefined, `second ${i}`);
    const fetches = await store.fetches(one.owner);
    assert.equal(fetches.length, FETCHES_KEPT);
    assert.deepEqual(fetches.map(({ address }) => address).slice(0, 6), [
      'second 4',
      'second 3',
      'second 2',
      'second 1',
      'second 0',
      `first ${FETCHES_KEPT - 1}`,
    ]);
    for (const { at } of fetches) assert.ok(Math.abs(at - Date.now() / 1000) < 60);
    assert.deepEqual(await store.fetches(fresh()), []);
  },

  'many fetches at once are all answered': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = entry();
    await store.put(one);
    const found = await Promise.all(
      Array.from({ length: 100 }, (_, i) => look(i % 2 ? store : other, one.key)),
    );
    assert.ok(found.every((each) => each?.record === one.record));
    assert.equal((await store.fetches(one.owner)).length, FETCHES_KEPT);
  },

  'what is deleted is gone, with its fetches': async ({ store }) => {
    const [one, two] = [entry(), entry()];
    await store.put(one);
    await store.put(two);
    await look(store, one.key);
    assert.equal(await store.delete(one.owner), true);
    assert.equal(await store.delete(one.owner), false);
    assert.equal(await look(store, one.key), undefined);
    assert.equal(await store.find(one.owner), undefined);
    assert.deepEqual(await store.fetches(one.owner), []);
    assert.equal((await look(store, two.key))?.record, two.record);
    await store.put(one);
    assert.deepEqual(await store.fetches(one.owner), []);
  },

  'deletes by u, at all owners': async ({ store }) => {
    const one = entry();
    const two = entry({ u: one.u });
    const three = entry();
    for (const each of [one, two, three]) await store.put(each);
    await look(store, two.key);
    assert.equal(await store.deleteNamed(one.u), 2);
    assert.equal(await store.deleteNamed(one.u), 0);
    assert.equal(await look(store, one.key), undefined);
    assert.deepEqual(await store.fetches(two.owner), []);
    assert.equal((await look(store, three.key))?.record, three.record);
  },

  'names every u once, page by page': async ({ store }) => {
    const entries = Array.from({ length: 23 }, () => entry());
    for (const one of entries) await store.put(one);
    await store.put(entry({ u: entries[0]?.u as string }));
    await store.delete(entries[22]?.owner as string);
    const seen: string[] = [];
    for (let after = ''; ; after = seen.at(-1) as string) {
      const page = await store.names({ after, limit: 5 });
      assert.ok(page.length <= 5);
      if (page.length === 0) break;
      seen.push(...page);
    }
    const expected = entries.slice(0, 22).map(({ u }) => u);
    assert.deepEqual(
      seen,
      expected.sort((a, b) => (a < b ? -1 : 1)),
    );
  },

  'takes names that mean something elsewhere': async ({ store }) => {
    for (const name of ['__proto__', 'constructor', '-', "'; --", '%']) {
      const one = entry({ owner: name, key: name, kid: name });
      assert.equal(await store.put(one), 'stored');
      assert.equal((await look(store, name))?.record, one.record);
      assert.equal((await store.find(name))?.kid, name);
      assert.equal(await store.delete(name), true);
    }
  },

  'another process sees the same': async ({ store, another }) => {
    if (!another) return;
    const other = await another();
    const one = entry();
    await store.put(one);
    assert.equal((await look(other, one.key))?.record, one.record);
    assert.equal((await store.fetches(one.owner)).length, 1);
    await other.delete(one.owner);
    assert.equal(await look(store, one.key), undefined);
  },

  'rejects once it is closed': async ({ store, another }) => {
    if (!another) return;
    const other = await another();
    await other.init();
    await other.close();
    await assert.rejects(async () => other.find(fresh()));
    assert.equal(await store.find(fresh()), undefined);
  },
};

/**
 * The contract of {@link RecordStore} as named cases that any test runner can run, for authors of stores.
 *
 * @param options.open opens an empty store; it is asked for a new one for each case
 * @example
 * for (const { name, run } of recordStoreContract({ open })) it(name, run);
 */
export function recordStoreContract(options: {
  open(): Promise<RecordStoreUnderTest>;
}): readonly RecordStoreContractCase[] {
  return Object.entries(CASES).map(([name, check]) => ({
    name,
    async run() {
      const under = await options.open();
      try {
        await under.store.init();
        await check(under);
      } finally {
        await under.close();
      }
    },
  }));
}
