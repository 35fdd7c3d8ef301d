import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Libsql from 'libsql';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSqlite, type SqliteHandle } from '../../lib/databases/sqlite-driver.ts';
import { SqliteRecordStore } from '../../lib/roaming/stores/sqlite.ts';
import { storeContract } from '../../lib/store/contract.ts';
import { DEFAULT_GUESS_POLICY } from '../../lib/store/guess-policy.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { programOf } from '../support/builds.ts';

const FAR = 4_000_000_000;

let folder: string;
let file: string;
const stores: SqliteStore[] = [];
const children: ChildProcess[] = [];

function open(
  database: string | SqliteHandle = file,
  options: ConstructorParameters<typeof SqliteStore>[1] = {},
) {
  const store = new SqliteStore(database, options);
  stores.push(store);
  return store;
}

const libsql = (name: string) => new Libsql(name) as unknown as SqliteHandle;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'rk-'));
  file = path.join(folder, 'store.db');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const store of stores.splice(0)) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function contractOver(handle: (name: string) => string | SqliteHandle, options = {}) {
  let opened = 0;
  return storeContract({
    async open() {
      opened += 1;
      const name = path.join(folder, `${opened}.db`);
      let now = 1_800_000_000;
      const another = async () => open(handle(name), { now: () => now, ...options });
      return {
        store: await another(),
        another,
        async advance(seconds: number) {
          now += seconds;
        },
        async close() {},
      };
    },
  });
}

describe('SqliteStore keeps the contract, on a file', () => {
  for (const { name, run } of contractOver((name) => name)) it(name, run);
});

describe('SqliteStore keeps the contract, on a handle of libsql, with every write on the disk', () => {
  for (const { name, run } of contractOver(libsql, { durable: 'everything' })) it(name, run);
});

describe('the file', () => {
  const mode = (name: string) => (statSync(name).mode & 0o777).toString(8);

  it.skipIf(process.platform === 'win32')('is for its owner alone, and so is its folder', async () => {
    file = path.join(folder, 'a', 'b', 'store.db');
    const store = open();
    await store.disable({ u: 'u', t: 't' });
    expect(mode(path.join(folder, 'a'))).toBe('700');
    expect(mode(path.dirname(file))).toBe('700');
    for (const name of readdirSync(path.dirname(file))) {
      expect([name, mode(path.join(path.dirname(file), name))]).toEqual([name, '600']);
    }
  });

  it('is created by many processes at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => open().init()));
    expect(await stores[0]?.isDisabled(['u'])).toBe(false);
  });

  it('keeps everything when it is closed and opened', async () => {
    const request = {
      id: 'a',
      u: 'u',
      jti: 'j',
      policy: DEFAULT_GUESS_POLICY,
      seenUntil: FAR,
      admitNew: true,
    };
    const first = open();
    await first.reserve(request);
    await first.fail(request);
    await first.disable({ u: 'v', t: 't' });
    const { next } = await first.feed({ limit: 10 });
    await first.close();
    const second = open();
    expect((await second.reserve(request)).answer).toBe('replayed');
    expect(await second.settle(request)).toMatchObject({ failedSince: { count: 1 } });
    expect(await second.isDisabled(['v'])).toBe(true);
    expect(await second.feed({ after: next, limit: 10 })).toEqual({ disabled: [], next });
  });

  it('of a newer version is refused', async () => {
    await open().init();
    const handle = await openSqlite(file);
    const { version } = handle.prepare('SELECT version FROM roaming_key_schema').get() as { version: number };
    handle.exec('UPDATE roaming_key_schema SET version = 99');
    await expect(open().init()).rejects.toThrow('version 99');
    await expect(open().isDisabled(['u'])).rejects.toThrow('version 99');
    handle.exec(`UPDATE roaming_key_schema SET version = ${version}`);
    handle.close();
    expect(await open().isDisabled(['u'])).toBe(false);
  });

  it('of the first version is brought up to date, by several processes at once, with all that it holds', async () => {
    await open().disable({ u: 'u', t: 't' });
    const handle = await openSqlite(file);
    handle.exec('DROP TABLE roaming_key_counters; UPDATE roaming_key_schema SET version = 1');
    handle.close();
    const counts = await Promise.all(
      Array.from({ length: 4 }, () => open().count({ name: 'name', seconds: 60, by: 1 })),
    );
    expect(new Set(counts.map(({ count }) => count))).toEqual(new Set([1, 2, 3, 4]));
    expect(await open().isDisabled(['u'])).toBe(true);
  });

  it('that cannot be opened makes every operation reject, until it can', async () => {
    const store = open(path.join(folder, 'missing', 'store.db'));
    const blocker = await openSqlite(path.join(folder, 'missing'));
    blocker.exec('CREATE TABLE a (b)');
    blocker.close();
    await expect(store.isDisabled(['u'])).rejects.toThrow();
    await expect(store.health()).rejects.toThrow();
    rmSync(path.join(folder, 'missing'));
    await store.health();
  });

  it('that cannot be written is found at the start, by stores of both kinds', async () => {
    await open().init();
    const writable = new SqliteRecordStore(file);
    await writable.init();
    await writable.close();
    const handle = libsql(file);
    handle.exec('PRAGMA query_only = ON');
    await expect(open(handle).init()).rejects.toThrow(/readonly/);
    await expect(new SqliteRecordStore(handle).init()).rejects.toThrow(/readonly/);
    handle.close();
  });

  it('of an earlier version keeps its guesses, and learns what they lack', async () => {
    const request = {
      id: 'a',
      u: 'u',
      jti: 'j',
      policy: DEFAULT_GUESS_POLICY,
      seenUntil: FAR,
      admitNew: true,
    };
    await open().init();
    const handle = await openSqlite(file);
    const now = Math.floor(Date.now() / 1000);
    const tally = JSON.stringify({ failures: 2, last: now, recent: [now, now], open: [], stopped: false });
    handle.exec(`INSERT INTO roaming_key_guesses (id, tally, empty_at) VALUES ('a', '${tally}', NULL)`);
    handle.close();
    const store = open();
    expect(await store.reserve({ ...request, admitNew: false })).toMatchObject({ answer: 'reserved' });
    const settled = await store.settle({ ...request, reissue: true });
    expect(settled).toMatchObject({ failedSince: { count: 2 }, lastUsed: null, isNew: false });
    expect(await store.settle(request)).toMatchObject({ lastUsed: settled.now, reissues: { count: 1 } });
  });

  it('is named by a name, never by a URI', async () => {
    for (const name of ['file:x.db', 'FILE:x.db?mode=memory']) expect(() => open(name)).toThrow(TypeError);
    const before = process.cwd();
    process.chdir(folder);
    try {
      for (const name of ['libsql:x.db', 'http:x.db', '%41.db?mode=ro', 'a b.db']) {
        const store = open(name);
        await store.disable({ u: 'u', t: 't' });
        expect(existsSync(path.join(folder, name)), name).toBe(true);
        await store.close();
      }
    } finally {
      process.chdir(before);
    }
    for (const name of readdirSync(folder))
      expect([name, mode(path.join(folder, name))]).toEqual([name, '600']);
  });

  describe.skipIf(process.platform === 'win32')('that is gone', () => {
    const marked = async (store: SqliteStore) => {
      await store.disable({ u: 'before', t: 't' });
      await store.health();
    };
    const replaced = (name: string) => {
      copyFileSync(name, `${name}.copy`);
      renameSync(`${name}.copy`, name);
    };

    it.each([
      ['deleted', (name: string) => rmSync(name)],
      ['moved', (name: string) => renameSync(name, `${name}.moved`)],
      ['replaced by a copy of itself', replaced],
      ['robbed of its log', (name: string) => rmSync(`${name}-wal`)],
      ['with its log replaced', (name: string) => replaced(`${name}-wal`)],
    ])('%s, acknowledges no mark and is not healthy', async (_, harm) => {
      const store = open();
      await marked(store);
      harm(file);
      await expect(store.disable({ u: 'after', t: 't' })).rejects.toMatchObject({ code: 'unavailable' });
      await expect(store.health()).rejects.toMatchObject({ code: 'unavailable' });
      await expect(store.isDisabled(['before'])).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('is noticed by reads and by writes that need no disk, in time', async () => {
      const store = open();
      await marked(store);
      rmSync(file);
      const claim = () =>
        store.claimOnce({ name: 'x', expiresAt: FAR }).then(
          () => 'fine',
          ({ code }) => code,
        );
      await expect.poll(claim).toBe('unavailable');
      await expect(store.isDisabled(['before'])).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('stays gone where it comes back, as what was done meanwhile is lost', async () => {
      const store = open();
      await marked(store);
      renameSync(file, `${file}.moved`);
      await expect(store.health()).rejects.toMatchObject({ code: 'unavailable' });
      renameSync(`${file}.moved`, file);
      await expect(store.health()).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('is noticed under a handle of the app', async () => {
      const handle = await openSqlite(file);
      const store = open(handle);
      await marked(store);
      rmSync(file);
      await expect(store.disable({ u: 'after', t: 't' })).rejects.toThrow();
      await expect(store.health()).rejects.toMatchObject({ code: 'unavailable' });
      handle.close();
      const late = libsql(path.join(folder, 'late.db'));
      rmSync(path.join(folder, 'late.db'), { force: true });
      await expect(open(late).init()).rejects.toThrow();
      late.close();
    });
  });

  it('may be no file at all', async () => {
    const store = open(':memory:');
    expect(await store.disable({ u: 'u', t: 't' })).toEqual({ isNew: true });
    expect(await store.isDisabled(['u'])).toBe(true);
    expect(existsSync(':memory:')).toBe(false);
  });
});

describe('a closed store', () => {
  it('rejects, also where it never opened', async () => {
    for (const isUsed of [true, false]) {
      const store = open();
      if (isUsed) await store.init();
      await store.close();
      await expect(store.isDisabled(['u'])).rejects.toThrow('closed');
      await expect(store.disable({ u: 'u', t: 't' })).rejects.toThrow('closed');
      await store.close();
    }
  });

  it('leaves the app its handle', async () => {
    const handle = await openSqlite(file);
    const store = open(handle);
    await store.init();
    await store.close();
    expect(handle.prepare('SELECT 1 AS one').get()).toMatchObject({ one: 1 });
    handle.close();
  });
});

describe('options', () => {
  it('refuses what is none', () => {
    for (const bad of ['', undefined, null, 5, {}]) {
      expect(() => new SqliteStore(bad as string)).toThrow(TypeError);
    }
    for (const busyTimeout of [-1, 60_001, Number.NaN]) {
      expect(() => new SqliteStore(file, { busyTimeout })).toThrow(/^busyTimeout/);
    }
    expect(() => new SqliteStore(file, { durable: 'nothing' as 'marks' })).toThrow(/^durable/);
  });
});

/** Watches at which level each transaction is committed. */
function watched(handle: SqliteHandle) {
  const levels: number[] = [];
  const watching: SqliteHandle = {
    exec: (sql) => handle.exec(sql),
    close: () => handle.close(),
    prepare(sql) {
      const statement = handle.prepare(sql);
      if (sql !== 'COMMIT') return statement;
      return {
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
        run(...values) {
          levels.push((handle.prepare('PRAGMA synchronous').get() as { synchronous: number }).synchronous);
          return statement.run(...values);
        },
      };
    },
  };
  return { levels, watching };
}

describe('durability', () => {
  const request = { id: 'a', u: 'u', jti: 'j', policy: DEFAULT_GUESS_POLICY, seenUntil: FAR, admitNew: true };

  it('flushes marks before they are acknowledged, and guesses where the app wants it', async () => {
    const { levels, watching } = watched(await openSqlite(file));
    const store = open(watching);
    await store.init();
    watching.exec('PRAGMA journal_mode = WAL');
    levels.length = 0;
    await store.disable({ u: 'v', t: 't' });
    await store.settle({ ...request, retire: true });
    await store.importMarks([{ kind: 'retired', id: 'b', at: 1 }]);
    expect(levels).toEqual([3, 3, 3]);
    await store.disable({ u: 'v', t: 't' });
    expect(levels).toEqual([3, 3, 3, 3]);
    levels.length = 0;
    const everything = open(watching, { durable: 'everything' });
    await everything.reserve({ ...request, id: 'c' });
    await everything.fail({ ...request, id: 'c' });
    expect(levels).toEqual([3, 3]);
  });

  it('never lowers what an app has set, and raises what is off', async () => {
    const given = await openSqlite(file);
    for (const [set, level] of [
      ['FULL', 2],
      ['EXTRA', 3],
      ['OFF', 1],
    ] as const) {
      given.exec(`PRAGMA synchronous = ${set}`);
      const { levels, watching } = watched(given);
      const store = open(watching);
      await store.reserve({ ...request, jti: set });
      expect(levels).toEqual([level]);
    }
    given.close();
  });
});

describe('steps that are asked for at once', () => {
  const guess = (i: number) => ({ id: `i${i}`, jti: `j${i}`, policy: DEFAULT_GUESS_POLICY });
  const reserve = (store: SqliteStore, i: number, seenUntil = FAR) =>
    store.reserve({ ...guess(i), u: 'u', seenUntil, admitNew: true });

  it('share transactions, and none is acknowledged before its own is committed', async () => {
    const { levels, watching } = watched(await openSqlite(file));
    const store = open(watching);
    await store.init();
    levels.length = 0;
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => reserve(store, i).then(() => seen.push(levels.length))),
    );
    expect(levels).toHaveLength(2);
    expect([seen[0], seen[63], seen[64], seen[99]]).toEqual([1, 1, 2, 2]);
    await Promise.all([store.disable({ u: 'v', t: 't' }), store.fail(guess(0))]);
    expect(levels.at(-1)).toBe(3);
  });

  it('count as if they had come one by one', async () => {
    const store = open();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.reserve({ ...guess(i), id: 'one', u: 'u', seenUntil: FAR, admitNew: true }),
      ),
    );
    expect(answers.map(({ answer }) => answer)).toEqual([
      ...Array.from({ length: 5 }, () => 'reserved'),
      ...Array.from({ length: 15 }, () => 'busy'),
    ]);
  });

  it('do not share what is wrong with one of them', async () => {
    const store = open();
    const results = await Promise.allSettled([reserve(store, 1), reserve(store, 2, 1), reserve(store, 3)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.fail(guess(1))).isNew).toBe(true);
    expect((await store.fail(guess(2))).isNew).toBe(false);
  });

  it('go on without one that cannot be written', async () => {
    const store = open();
    const missing = undefined as unknown as string;
    const results = await Promise.allSettled([
      store.disable({ u: 'v', t: 't' }),
      store.claimOnce({ name: missing, expiresAt: FAR }),
      reserve(store, 1),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.isDisabled(['v'])).toBe(true);
    expect((await store.fail(guess(1))).isNew).toBe(true);
  });

  it('are not kept waiting by somebody who reads without a pause', async () => {
    const [store, reader] = [open(), open()];
    await Promise.all([store.init(), reader.init()]);
    const marked = store.disable({ u: 'u', t: 't' });
    for (let reads = 0; !(await reader.isDisabled(['u'])); reads++) expect(reads).toBeLessThan(10_000);
    expect(await marked).toEqual({ isNew: true });
  });
});

describe('a locked database', () => {
  it('is waited for, without holding up the process, and then rejects', async () => {
    const store = open(file, { busyTimeout: 150 });
    await store.init();
    const other = await openSqlite(file);
    other.exec('BEGIN IMMEDIATE');
    const tick = vi.fn();
    const timer = setInterval(tick, 10);
    const results = await Promise.allSettled([
      store.disable({ u: 'u', t: 't' }),
      ...Array.from({ length: 50 }, (_, i) =>
        store.reserve({
          id: 'a',
          u: 'v',
          jti: `${i}`,
          policy: DEFAULT_GUESS_POLICY,
          seenUntil: FAR,
          admitNew: true,
        }),
      ),
    ]);
    clearInterval(timer);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    // The process ran on while it waited; how often the timer came is the machine's affair.
    expect(tick).toHaveBeenCalled();
    expect(await store.isDisabled(['u'])).toBe(false);
    const pending = store.disable({ u: 'u', t: 't' });
    other.exec('COMMIT');
    other.close();
    expect(await pending).toEqual({ isNew: true });
  });
});

describe('a full disk', () => {
  it('gives no guess and no acknowledgement, and forgets nothing', async () => {
    const handle = await openSqlite(file);
    const store = open(handle);
    const guess = (id: string, jti: string) => ({
      id,
      u: 'u',
      jti,
      policy: DEFAULT_GUESS_POLICY,
      seenUntil: FAR,
      admitNew: true,
    });
    await store.reserve(guess('a', 'first'));
    const { page_count: pages } = handle.prepare('PRAGMA page_count').get() as { page_count: number };
    handle.exec(`PRAGMA max_page_count = ${pages}`);
    let granted = 1;
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      const name = `${i}`.padEnd(100, 'x');
      await store.reserve(guess(name, name)).then(
        ({ answer }) => {
          if (answer === 'reserved') granted += 1;
        },
        () => {
          refused += 1;
        },
      );
    }
    expect(refused).toBeGreaterThan(100);
    const kept = handle.prepare('SELECT count(*) AS n FROM roaming_key_guesses').get() as { n: number };
    expect(kept.n).toBe(granted);
    const marks = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) => store.disable({ u: `${i}`.padEnd(100, 'u'), t: 't' })),
    );
    for (const [i, { status }] of marks.entries()) {
      expect(await store.isDisabled([`${i}`.padEnd(100, 'u')])).toBe(status === 'fulfilled');
    }
    expect(marks.some(({ status }) => status === 'rejected')).toBe(true);
    handle.exec('PRAGMA max_page_count = 100000');
    expect((await store.reserve(guess('a', 'first'))).answer).toBe('replayed');
    expect(await store.disable({ u: 'last', t: 't' })).toEqual({ isNew: true });
    handle.close();
  });
});

describe('the size of the file', () => {
  it('does not grow with the number of requests', async () => {
    let now = 1_800_000_000;
    const store = open(file, { now: () => now });
    const size = () => statSync(file).size + statSync(`${file}-wal`).size;
    const sizes: number[] = [];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 1500; i++) {
        const request = { id: `${i % 7}`, u: 'u', jti: `${round}-${i}`, policy: DEFAULT_GUESS_POLICY };
        await store.reserve({ ...request, seenUntil: now + 300, admitNew: true });
        await store.settle(request);
        now += 1;
      }
      sizes.push(size());
    }
    const rows = (await openSqlite(file)).prepare('SELECT count(*) AS n FROM roaming_key_once').get() as {
      n: number;
    };
    expect(rows.n).toBeLessThan(600);
    expect(sizes[3]).toBeLessThan(6_000_000);
    expect(sizes[3] as number).toBeLessThanOrEqual((sizes[1] as number) * 1.2);
  });
});

describe('counters', () => {
  it('of strangers go as their windows end, without anybody asking', async () => {
    let now = 1_800_000_000;
    const store = open(file, { now: () => now });
    for (let i = 0; i < 3000; i++) {
      expect((await store.count({ name: `${i}`, seconds: 60, by: 1 })).count).toBe(1);
      if (i % 10 === 0) now += 1;
    }
    const rows = (await openSqlite(file)).prepare('SELECT count(*) AS n FROM roaming_key_counters').get();
    expect((rows as { n: number }).n).toBeLessThan(1000);
  });
});

describe('several processes', () => {
  async function start(mode: string, name: string) {
    const program = await programOf(path.join(import.meta.dirname, 'sqlite-worker.ts'));
    const child = spawn(process.execPath, [program, file, mode, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    let output = '';
    const ended = new Promise<string>((resolve) => child.once('close', () => resolve(output)));
    await new Promise<void>((ready) => {
      child.stdout.on('data', (data: Buffer) => {
        output += data;
        if (output.startsWith('ready\n')) ready();
      });
    });
    return { child, ended };
  }

  it('get no more guesses together than the policy allows', async () => {
    const started = await Promise.all(['a', 'b', 'c', 'd'].map((name) => start('rush', name)));
    for (const { child } of started) child.stdin.write('go\n');
    const counts = await Promise.all(started.map(async ({ ended }) => Number((await ended).split('\n')[1])));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(DEFAULT_GUESS_POLICY.free);
  }, 180_000);

  it('killed at any moment, leave every acknowledged mark and every guess behind', async () => {
    const reserved = new Map<string, number>();
    const asked = new Map<string, number>();
    const disabled: { u: string; t: string }[] = [];
    const one = (counts: Map<string, number>, id: string) => counts.set(id, (counts.get(id) ?? 0) + 1);
    for (let round = 0; round < 3; round++) {
      const started = await Promise.all(['a', 'b', 'c'].map((name) => start('churn', `${name}${round}`)));
      const outputs = await Promise.all(
        started.map(async ({ child, ended }) => {
          await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 300));
          child.kill('SIGKILL');
          return ended;
        }),
      );
      for (const [what, first = '', second = ''] of outputs
        .join('')
        .split('\n')
        .map((line) => line.split(' '))) {
        if (what === 'disabled') disabled.push({ u: first, t: second });
        if (what === 'asking') one(asked, first);
        if (what === 'reserved') one(reserved, first);
      }
    }
    expect(disabled.length).toBeGreaterThan(20);
    const store = open(file, { now: () => Math.floor(Date.now() / 1000) + 61 });
    const feed = new Set((await store.feed({ limit: 1_000_000 })).disabled);
    for (const { u, t } of disabled) {
      expect(await store.isDisabled([u])).toBe(true);
      expect(feed.has(t)).toBe(true);
    }
    const policy = { ...DEFAULT_GUESS_POLICY, free: 1_000_000, limit: 1_000_000 };
    for (const [id, asks] of asked) {
      const settled = await store.settle({ id, u: 'none', jti: 'none', policy });
      const count = settled.answer === 'settled' ? settled.failedSince.count : -1;
      expect(count).toBeGreaterThanOrEqual(reserved.get(id) ?? 0);
      expect(count).toBeLessThanOrEqual(asks);
    }
  }, 180_000);
});
