import { describe, expect, it } from 'vitest';
import { storeContract } from '../../lib/store/contract.ts';
import { DEFAULT_GUESS_POLICY, type GuessPolicy } from '../../lib/store/guess-policy.ts';
import { MemoryStore, type MemoryStoreOptions } from '../../lib/store/memory.ts';

const START = 1_800_000_000;

function openMemory(options: MemoryStoreOptions = {}) {
  let now = START;
  return {
    store: new MemoryStore({ now: () => now, ...options }),
    advance: async (seconds: number) => {
      now += seconds;
    },
    close: async () => {},
  };
}

describe('MemoryStore keeps the contract', () => {
  for (const { name, run } of storeContract({ open: async () => openMemory() })) it(name, run);
});

describe('MemoryStore is bounded', () => {
  const policy = DEFAULT_GUESS_POLICY;
  const request = (id: string, jti: string, seconds = 900) => ({
    id,
    u: `u-${id}`,
    jti,
    policy,
    seenUntil: START + seconds,
    admitNew: true,
  });

  it('rejects a guess whose jti finds no room, until others expire', async () => {
    const { store, advance } = openMemory({ maxSeen: 2 });
    await store.reserve(request('a', '1', 100));
    await store.reserve(request('a', '2', 100));
    await expect(store.reserve(request('a', '3'))).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.reserve(request('b', '1'))).rejects.toMatchObject({ code: 'unavailable' });
    await advance(100);
    expect(await store.reserve(request('a', '3'))).toMatchObject({ answer: 'reserved' });
    const failed = await store.fail(request('a', '3'));
    expect(failed.attemptsLeft).toBe(policy.free - 3);
  });

  it('rejects new ids when full of failures, and goes on with known ones', async () => {
    const { store } = openMemory({ maxIds: 2 });
    for (const id of ['a', 'b']) {
      await store.reserve(request(id, '1'));
      await store.fail(request(id, '1'));
    }
    await expect(store.reserve(request('c', '1'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.reserve(request('a', '2'))).toMatchObject({ answer: 'reserved' });
    await store.forget('b');
    expect(await store.reserve(request('c', '2'))).toMatchObject({ answer: 'reserved' });
  });

  it('makes room for new ids by those that were only used, the oldest first, and loses no guess', async () => {
    const { store, advance } = openMemory({ maxIds: 10 });
    await store.reserve(request('failed', '1'));
    await store.fail(request('failed', '1'));
    await store.settle({ ...request('reissued', '1'), reissue: true });
    for (let i = 0; i < 40; i++) {
      await store.settle(request(`used-${i}`, '1'));
      await advance(1);
    }
    const known = async (id: string) =>
      (await store.reserve({ ...request(id, '2'), admitNew: false })).answer;
    expect(await known('used-39')).toBe('reserved');
    expect(await known('used-0')).toBe('new');
    expect(await store.settle(request('failed', '2'))).toMatchObject({ failedSince: { count: 1 } });
    expect(await store.settle(request('reissued', '2'))).toMatchObject({ reissues: { count: 1 } });
  });

  it('makes room for new ids by those that time has emptied', async () => {
    const { store, advance } = openMemory({ maxIds: 1 });
    await store.reserve(request('a', '1'));
    await store.fail(request('a', '1'));
    await store.settle({ ...request('a', '2'), remember: false });
    await expect(store.reserve(request('b', '1'))).rejects.toMatchObject({ code: 'unavailable' });
    await advance(policy.window);
    expect(await store.reserve(request('b', '1', policy.window + 900))).toMatchObject({ answer: 'reserved' });
  });

  it('rejects marks and claims that find no room', async () => {
    const { store } = openMemory({ maxMarks: 1, maxSeen: 1 });
    await store.disable({ u: 'a', t: 'a' });
    await expect(store.disable({ u: 'b', t: 'b' })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.isDisabled(['b'])).toBe(false);
    await store.settle({ ...request('a', '1'), u: 'c', retire: true });
    await expect(store.settle({ ...request('b', '1'), u: 'c', retire: true })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await store.claimOnce({ name: 'a', expiresAt: START + 9 })).toBe(true);
    await expect(store.claimOnce({ name: 'b', expiresAt: START + 9 })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('rejects hits under a name that finds no room, and goes on with known ones', async () => {
    const { store, advance } = openMemory({ maxCounters: 2 });
    const hit = (name: string, by = 1) => store.count({ name, seconds: 60, by });
    await hit('a');
    await hit('b');
    await expect(hit('c')).rejects.toMatchObject({ code: 'unavailable' });
    expect((await hit('a')).count).toBe(2);
    expect((await hit('c', 0)).count).toBe(0);
    await hit('a', -2);
    expect((await hit('c')).count).toBe(1);
    await advance(60);
    for (let i = 0; i < 5000; i++) {
      expect((await hit(`${i}`)).count).toBe(1);
      await advance(31);
    }
  });

  it('stays small over many requests without being asked to prune', async () => {
    const { store, advance } = openMemory({ maxSeen: 250 });
    for (let i = 0; i < 5000; i++) {
      const asked = { ...request('a', `${i}`), seenUntil: START + i + 100 };
      expect((await store.reserve(asked)).answer).toBe('reserved');
      await store.settle(asked);
      await advance(1);
    }
    expect(await store.prune()).toBeLessThanOrEqual(250);
  });

  it('refuses bounds that are none', () => {
    for (const name of ['maxIds', 'maxSeen', 'maxCounters', 'maxMarks']) {
      for (const bad of [0, -1, 1.5, Number.NaN]) {
        expect(() => new MemoryStore({ [name]: bad })).toThrow(
          expect.objectContaining({
            name: 'TypeError',
            message: expect.stringContaining(`${name} must be a whole number from 1`),
          }),
        );
      }
    }
  });
});

/** The rules of docs/protocol.md section 7 once more, told second by second: nothing is worked out after the fact. */
class Model {
  static readonly policy: GuessPolicy = {
    free: 2,
    firstWait: 3,
    maxWait: 5,
    limit: 3,
    window: 5,
    reservationTimeout: 2,
    knownFor: 4,
  };
  static readonly #waits = new Map([
    [2, 3],
    [3, 5],
  ]);
  now = START;
  #inARow = 0;
  #dates: number[] = [];
  #stopped = false;
  #usedAt: number | undefined;
  #disabled = false;
  readonly #seen = new Set<string>();
  readonly #open = new Map<string, number>();

  tick() {
    this.now += 1;
    for (const [jti, since] of this.#open) if (this.now === since + 2) this.#count(jti);
  }

  #count(jti: string) {
    this.#open.delete(jti);
    this.#inARow += 1;
    this.#dates.push(this.now);
    if (this.#inARow === 3 || this.#recent() === 3) this.#stopped = true;
  }

  #recent() {
    return this.#dates.filter((date) => this.now - date < 5).length;
  }

  /** The last success, if it is less than four seconds ago. */
  get #used() {
    return this.#usedAt !== undefined && this.now - this.#usedAt < 4 ? this.#usedAt : null;
  }

  get #isClean() {
    return this.#inARow === 0 && this.#recent() === 0 && !this.#stopped;
  }

  reserve(jti: string, admitNew: boolean) {
    const isSeen = this.#seen.has(jti);
    const isUnknown = this.#isClean && this.#open.size === 0 && this.#used === null;
    if (!this.#disabled && !isSeen && !admitNew && isUnknown) return 'new';
    this.#seen.add(jti);
    if (this.#disabled) return 'disabled';
    if (isSeen) return 'replayed';
    if (this.#stopped) return 'locked';
    const wait = Model.#waits.get(this.#inARow) ?? 0;
    if (wait > 0 && this.now < (this.#dates.at(-1) ?? 0) + wait) return 'locked';
    const flying = this.#open.size;
    if (this.#inARow < 2 ? this.#inARow + flying >= 2 : flying > 0) return 'busy';
    if (this.#inARow + flying >= 3 || this.#recent() + flying >= 3) return 'busy';
    this.#open.set(jti, this.now);
    return 'reserved';
  }

  fail(jti: string) {
    const isNew = this.#inARow === 0 && this.#recent() === 0 && this.#open.has(jti);
    if (this.#open.has(jti)) this.#count(jti);
    const left = this.#stopped ? 0 : Math.max(0, Math.min(2 - this.#inARow, 3 - this.#recent()));
    return `${left} ${isNew} ${this.#stopped}`;
  }

  settle(jti: string) {
    this.#open.delete(jti);
    if (this.#disabled) return 'disabled';
    const count = this.#inARow;
    const used = this.#used;
    const isNew = this.#isClean && used === null;
    this.#inARow = 0;
    this.#usedAt = this.now;
    return `${count} ${count > 0 ? this.#dates.at(-1) : null} ${used} ${isNew}`;
  }

  release(jti: string) {
    this.#open.delete(jti);
  }

  disable() {
    this.#disabled = true;
  }
}

describe('every order of a few operations', () => {
  const { policy } = Model;
  const LETTERS = ['r', 'again', 'f0', 'f1', 's0', 's1', 'x0', 'D', 't1', 't3'] as const;
  const ADMITTING = ['r', 'old', 'f0', 's0', 'x0', 't1', 't3'] as const;
  type Letter = (typeof LETTERS | typeof ADMITTING)[number];

  async function play(letters: readonly Letter[]): Promise<string | undefined> {
    const model = new Model();
    const store = new MemoryStore({ now: () => model.now });
    const names: string[] = [];
    for (const letter of letters) {
      const jti = (letter.endsWith('1') ? names.at(-1) : names[0]) ?? 'none';
      const named = { id: 'id', u: 'u', jti, policy };
      let expected: string | undefined;
      let actual: string | undefined;
      if (letter === 'r' || letter === 'again' || letter === 'old') {
        const asked = letter === 'again' ? jti : `jti${names.push(`jti${names.length}`) - 1}`;
        const admitNew = letter !== 'old';
        expected = model.reserve(asked, admitNew);
        actual = (await store.reserve({ ...named, jti: asked, seenUntil: START + 999, admitNew })).answer;
      } else if (letter === 'f0' || letter === 'f1') {
        expected = model.fail(jti);
        const failed = await store.fail(named);
        actual = `${failed.attemptsLeft} ${failed.isNew} ${failed.retryAt === undefined}`;
      } else if (letter === 's0' || letter === 's1') {
        expected = model.settle(jti);
        const settled = await store.settle(named);
        actual =
          settled.answer === 'settled'
            ? `${settled.failedSince.count} ${settled.failedSince.last} ${settled.lastUsed} ${settled.isNew}`
            : settled.answer;
      } else if (letter === 'x0') {
        model.release(jti);
        await store.release(named);
      } else if (letter === 'D') {
        model.disable();
        await store.disable({ u: 'u', t: 't' });
      } else {
        for (let i = 0; i < Number(letter[1]); i++) model.tick();
      }
      if (expected !== actual) return `${letters.join(' ')}: ${letter} gave ${actual}, not ${expected}`;
    }
    return undefined;
  }

  async function playAll(
    prefix: readonly Letter[],
    more: number,
    letters: readonly Letter[] = LETTERS,
  ): Promise<number> {
    if (more === 0) {
      expect(await play(prefix)).toBeUndefined();
      return 1;
    }
    let played = 0;
    for (const letter of letters) played += await playAll([...prefix, letter], more - 1, letters);
    return played;
  }

  it('agrees with a model that lives through every second', async () => {
    expect(await playAll(['r'], 4)).toBe(10_000);
    expect(await playAll(['r', 'r', 'f0'], 4)).toBe(10_000);
    expect(await playAll(['r', 'f0', 's1', 'r', 'f1', 't3'], 4)).toBe(10_000);
    expect(await playAll(['r', 'f0', 'r', 'f1', 't3', 'r'], 4)).toBe(10_000);
    expect(await playAll(['r', 'f0', 's1', 'r', 'f1', 's1', 't3', 'r'], 4)).toBe(10_000);
    expect(await playAll([], 5, ADMITTING)).toBe(7 ** 5);
  }, 180_000);
});
