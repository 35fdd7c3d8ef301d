import assert from 'node:assert/strict';
import { DEFAULT_GUESS_POLICY, type GuessPolicy } from '../assistant/guesses.ts';
import { randomBytes, toBase64url } from '../crypto/bytes.ts';
import { MemoryStore } from './memory.ts';
import type { Mark, ReserveRequest, Store } from './store.ts';

/** An empty store, and what its tests may do to it. */
export interface StoreUnderTest {
  readonly store: Store;
  /**
   * Lets `seconds` pass for the store: by an injected clock or, where the clock is a server's, by moving every time
   * that the store holds `seconds` into the past.
   */
  advance(seconds: number): Promise<void>;
  /** Opens the same data once more, as another process would. */
  another?(): Promise<Store>;
  /** Cleans up after a case. */
  close(): Promise<void>;
}

/** One case of the contract: a name, and a function that throws where a store breaks it. */
export interface StoreContractCase {
  readonly name: string;
  run(): Promise<void>;
}

const SMALL: GuessPolicy = {
  free: 3,
  firstWait: 100,
  maxWait: 250,
  limit: 6,
  window: 10_000,
  reservationTimeout: 60,
};
const FAR = 4_000_000_000;
const SLACK = 5;

const fresh = (bytes = 16) => toBase64url(randomBytes(bytes));

/** A few seconds may pass for a server's clock while a case runs. */
function assertNear(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && actual <= expected && actual >= expected - SLACK,
    `${actual} ≈ ${expected}`,
  );
}

/** One ticket at one store. */
class Subject {
  readonly id = fresh(32);
  readonly u = fresh(32);
  readonly t = fresh();
  readonly store: Store;
  readonly policy: GuessPolicy;

  constructor(store: Store, policy: GuessPolicy = SMALL) {
    this.store = store;
    this.policy = policy;
  }

  reserve(jti: string = fresh(), more: Partial<ReserveRequest> = {}) {
    const { id, u, policy } = this;
    return this.store.reserve({ id, u, jti, policy, seenUntil: FAR, admitNew: true, ...more });
  }

  async reserved(jti: string = fresh(), more: Partial<ReserveRequest> = {}) {
    const answer = await this.reserve(jti, more);
    assert.equal(answer.answer, 'reserved');
    return { jti, now: answer.now };
  }

  fail(jti: string) {
    return this.store.fail({ id: this.id, jti, policy: this.policy });
  }

  settle(jti: string, more: { readonly retire?: boolean; readonly u?: string } = {}) {
    return this.store.settle({ id: this.id, u: this.u, jti, policy: this.policy, ...more });
  }

  release(jti: string) {
    return this.store.release({ id: this.id, jti, policy: this.policy });
  }

  async wrong() {
    return this.fail((await this.reserved()).jti);
  }

  async right() {
    const settled = await this.settle((await this.reserved()).jti);
    assert.ok(settled.answer === 'settled');
    return settled.failedSince;
  }

  disable() {
    return this.store.disable({ u: this.u, t: this.t });
  }
}

async function readFeed(store: Store, limit: number, after = '') {
  const disabled: string[] = [];
  let cursor = after;
  for (;;) {
    const page = await store.feed({ after: cursor, limit });
    assert.ok(page.disabled.length <= limit);
    disabled.push(...page.disabled);
    if (page.disabled.length === 0) {
      assert.equal(page.next, cursor, 'with nothing new, next equals the cursor');
      return { disabled, cursor };
    }
    cursor = page.next;
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

type Case = (under: StoreUnderTest, open: () => Promise<StoreUnderTest>) => Promise<void>;

const CASES: Record<string, Case> = {
  'init is idempotent, and health answers': async ({ store }) => {
    await Promise.all([store.init(), store.init()]);
    await store.init();
    await store.health();
  },

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
  },

  'a new id is refused where the caller admits none': async ({ store }) => {
    const one = new Subject(store);
    const jti = fresh();
    const answer = await one.reserve(jti, { admitNew: false });
    assert.ok(answer.answer === 'busy' && answer.retryAt > answer.now);
    assert.equal((await one.reserve(jti)).answer, 'replayed');
    await one.wrong();
    assert.equal(
      (await one.reserve(fresh(), { admitNew: false })).answer,
      'reserved',
      'known by its failure',
    );
  },

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
    assert.equal(await store.isDisabled(one.u), false);
    const sibling = await store.reserve({
      ...{ id: fresh(32), u: one.u, jti, policy: SMALL, seenUntil: FAR, admitNew: true },
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
    assert.equal(await store.isDisabled(one.u), false);
    assert.deepEqual(await one.disable(), { isNew: true });
    assert.deepEqual(await one.disable(), { isNew: false });
    assert.equal(await store.isDisabled(one.u), true);
    assert.deepEqual((await readFeed(store, 10)).disabled, [one.t]);
    const many = new Subject(store);
    const answers = await Promise.all(Array.from({ length: 20 }, () => many.disable()));
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
    assert.deepEqual((await readFeed(store, 10)).disabled, [one.t, many.t]);
  },

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
      assert.equal(await store.isDisabled(name), false);
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
    assert.equal(await store.isDisabled(marked.u), true);
    const late = await one.settle(fresh());
    assert.ok(late.answer === 'settled');
    assert.equal(late.failedSince.count, 2, 'failures in a row outlast the window');
    await store.prune();
    assert.equal(await store.unlock(one.id), false, 'nothing is left of them after a success');
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
        if (mark.kind === 'disabled') assert.equal(await restored.store.isDisabled(mark.u), true);
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

  'of a thousand guesses at once exactly the free ones are answered': async ({ store, another }) => {
    const other = another ? await another() : store;
    const one = new Subject(store, DEFAULT_GUESS_POLICY);
    const requests = Array.from({ length: 1000 }, (_, i) => ({
      ...{ id: one.id, u: one.u, jti: `jti-${i}`, policy: one.policy, seenUntil: FAR, admitNew: true },
    }));
    const answers = await Promise.all(requests.map((r, i) => (i % 2 ? store : other).reserve(r)));
    const reserved = requests.filter((_, i) => answers[i]?.answer === 'reserved');
    assert.equal(reserved.length, DEFAULT_GUESS_POLICY.free);
    assert.ok(answers.every(({ answer }) => answer === 'reserved' || answer === 'busy'));
    const failed = await Promise.all(reserved.map((r, i) => (i % 2 ? store : other).fail(r)));
    assert.equal(failed.filter(({ isNew }) => isNew).length, 1);
    assert.deepEqual(failed.map(({ attemptsLeft }) => attemptsLeft).sort(), [0, 1, 2, 3, 4]);
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
        const { answer } = await (i % 2 ? store : other).settle({ ...one, id: one.id, u: one.u, jti });
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
    assert.equal(await other.isDisabled(one.u), false);
    await one.disable();
    assert.equal(await other.isDisabled(one.u), true);
    const cursor = (await readFeed(store, 10)).cursor;
    assert.deepEqual(await other.feed({ after: cursor, limit: 10 }), { disabled: [], next: cursor });
  },

  'agrees with the reference on random histories': async ({ store, advance }) => {
    // All advances are multiples of 100 s and no duration of the policy is, nor a sum of two: while a history takes less
    // than 15 s, a second that passes on a server's clock changes no answer.
    const policy = { free: 2, firstWait: 130, maxWait: 950, limit: 7, window: 4040, reservationTimeout: 30 };
    const before = await new Subject(store).reserved();
    await advance(1000);
    const isShifted = (await new Subject(store).reserved()).now - before.now < 1000;
    let clock = 0;
    let shift = 0;
    const reference = new MemoryStore({ now: () => clock });
    const timesBy = (by: number, answer: object): unknown =>
      JSON.parse(JSON.stringify(answer), (key, value: unknown) =>
        ['now', 'retryAt', 'last'].includes(key) && typeof value === 'number' ? value + by : value,
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
        const what = pick(20);
        if (what < 8) {
          const request = {
            ...named,
            jti: pick(8) === 0 ? jti : fresh(),
            seenUntil: FAR,
            admitNew: pick(6) > 0,
          };
          const { answer } = await both((s) => s.reserve(request));
          if (answer === 'reserved') names.push(request.jti);
        } else if (what < 12) await both((s) => s.fail(named));
        else if (what < 14) await both((s) => s.settle(named));
        else if (what < 15) for (const s of [store, reference]) await s.release(named);
        else if (what < 16 && pick(4) === 0) {
          assert.equal(await store.unlock(one.id), await reference.unlock(one.id));
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

/**
 * The contract of {@link Store} as named cases that any test runner can run, for authors of stores.
 *
 * @param options.open opens an empty store; it is asked for a new one for each case, sometimes for two
 * @example
 * for (const { name, run } of storeContract({ open })) it(name, run);
 */
export function storeContract(options: { open(): Promise<StoreUnderTest> }): readonly StoreContractCase[] {
  return Object.entries(CASES).map(([name, check]) => ({
    name,
    async run() {
      const under = await options.open();
      try {
        await check(under, () => options.open());
      } finally {
        await under.close();
      }
    },
  }));
}
