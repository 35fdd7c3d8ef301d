import { checkNames } from '../base/options.ts';
import type { CheckOptions } from '../databases/bounded.ts';
import {
  isReply,
  type RedisCheck,
  RedisDatabase,
  type RedisOptions,
  type Script,
} from '../databases/redis.ts';
import { noteBacking } from './backing.ts';
import { checkCount, MAX_COUNT } from './counters.ts';
import {
  batches,
  cursorOf,
  EXPORT_PAGE,
  type FeedEntry,
  mergeMarks,
  newTag,
  type RetiredEntry,
  readCursor,
} from './marks.ts';
import { SCRIPTS, spellPolicy } from './redis-scripts.ts';
import type {
  CountAnswer,
  CountRequest,
  FailAnswer,
  FeedPage,
  Mark,
  ReservationKey,
  ReserveAnswer,
  ReserveRequest,
  SettleAnswer,
  SettleRequest,
  Store,
} from './store.ts';

/** `prefix` is `roaming-key` by default. */
export interface RedisStoreOptions extends RedisOptions, CheckOptions {}

/**
 * Keeps everything in Redis 6.2 or later, or Valkey: one script an operation, by the server's clock.
 *
 * All keys share one hash tag, so that in a cluster they lie in one slot: a guess, the mark of its `u` and the feed
 * change in one step, and a script cannot reach further than a slot. Commands go to primaries only. A failover to a
 * replica that lags behind loses what it had not copied; see the operator's guide.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const store = new RedisStore({ client: createClient({ url: 'redis://localhost' }) })
 * await store.init()
 */
export class RedisStore implements Store {
  readonly #database: RedisDatabase;

  constructor(options: RedisStoreOptions) {
    this.#database = new RedisDatabase(options, 'roaming-key', check);
    noteBacking(this, options.client);
  }

  async init(): Promise<void> {
    await this.#database.init();
    await this.health();
  }

  reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const { id, u, jti, policy, seenUntil, admitNew } = request;
    return this.#ask(
      SCRIPTS.reserve,
      [this.#key('disabled'), this.#key('retired'), this.#key('seen', id), this.#key('guesses', id)],
      [spellPolicy(policy), u, id, jti, `${seenUntil}`, admitNew ? '1' : '0'],
      // The caller has given up, and the owner must not pay for a slow server with a failure.
      (late) => late.answer === 'reserved' && void this.release(request).catch(() => {}),
    );
  }

  fail({ id, jti, policy }: ReservationKey): Promise<FailAnswer> {
    return this.#ask(SCRIPTS.fail, [this.#key('guesses', id)], [spellPolicy(policy), jti]);
  }

  settle(request: SettleRequest): Promise<SettleAnswer> {
    const { id, u, jti, policy, retire = false, reissue = false, remember = true } = request;
    const flags = [retire, reissue, remember].map((flag) => (flag ? '1' : '0'));
    return this.#ask(
      SCRIPTS.settle,
      [this.#key('disabled'), this.#key('retired'), this.#key('guesses', id)],
      [spellPolicy(policy), u, id, jti, ...flags],
    );
  }

  async release({ id, jti, policy }: ReservationKey): Promise<void> {
    await this.#run(SCRIPTS.release, [this.#key('guesses', id)], [spellPolicy(policy), jti]);
  }

  async disable({ u, t }: { readonly u: string; readonly t: string }): Promise<{ readonly isNew: boolean }> {
    return { isNew: (await this.#disable(u, t, '')) === 1 };
  }

  async isDisabled(names: readonly string[]): Promise<boolean> {
    checkNames(names);
    return (await this.#run(SCRIPTS.isDisabled, [this.#key('disabled')], ['', ...names])) === 1;
  }

  async feed({ after, limit }: { readonly after?: string; readonly limit: number }): Promise<FeedPage> {
    const { start, entries } = await this.#entries(readCursor(after) ?? { seq: 0, tag: '' }, limit);
    const last = entries.at(-1);
    const next = last ? cursorOf(last) : start > 0 ? (after as string) : '';
    return { disabled: entries.map(({ t }) => t), next };
  }

  async claimOnce({
    name,
    expiresAt,
  }: {
    readonly name: string;
    readonly expiresAt: number;
  }): Promise<boolean> {
    return (await this.#run(SCRIPTS.claim, [this.#key('claim', name)], ['', `${expiresAt}`])) === 1;
  }

  async count(request: CountRequest): Promise<CountAnswer> {
    checkCount(request);
    const { name, seconds, by } = request;
    const args = ['', `${seconds}`, `${by}`, `${MAX_COUNT}`];
    const reply = await this.#run(SCRIPTS.count, [this.#key('count', name)], args);
    const [now, count, resetAt] = reply as [number, number, number];
    return { now, count, resetAt };
  }

  async unlock(id: string): Promise<boolean> {
    return (await this.#run(SCRIPTS.unlock, [this.#key('guesses', id)], [''])) === 1;
  }

  async forget(id: string): Promise<boolean> {
    const keys = [this.#key('guesses', id), this.#key('seen', id)];
    return Number(await this.#run(SCRIPTS.forget, keys, [''])) > 0;
  }

  exportMarks(): AsyncIterable<Mark> {
    return mergeMarks(
      async (after) => (await this.#entries({ seq: after, tag: '' }, EXPORT_PAGE)).entries,
      (after) => this.#retired(after),
    );
  }

  async importMarks(marks: AsyncIterable<Mark> | Iterable<Mark>): Promise<number> {
    let added = 0;
    for await (const batch of batches(marks)) {
      const results = await Promise.all(
        batch.map((mark) =>
          mark.kind === 'disabled'
            ? this.#disable(mark.u, mark.t, `${mark.at}`)
            : this.#run(SCRIPTS.retire, [this.#key('retired')], ['', mark.id, `${mark.at}`]),
        ),
      );
      added += results.filter((result) => result === 1).length;
    }
    return added;
  }

  /** Nothing to do: the server deletes what has expired. */
  async prune(): Promise<number> {
    return 0;
  }

  async health(): Promise<void> {
    await this.#run(SCRIPTS.health, [this.#key('health')], ['']);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** The feed after an entry; from the start where that entry has another tag than the one asked for, if any. */
  async #entries({ seq, tag }: { readonly seq: number; readonly tag: string }, limit: number) {
    const args = ['', `${seq}`, tag, `${limit}`];
    const [start, texts] = (await this.#run(SCRIPTS.feed, [this.#key('feed')], args)) as [number, string[]];
    const entries = texts.map(
      (text, i): FeedEntry => ({ ...(JSON.parse(text) as FeedEntry), seq: start + i + 1 }),
    );
    return { start, entries };
  }

  async #retired(after: number): Promise<RetiredEntry[]> {
    const args = ['', `${after}`, `${EXPORT_PAGE}`];
    const flat = (await this.#run(SCRIPTS.retired, [this.#key('retired')], args)) as string[];
    return Array.from({ length: flat.length / 2 }, (_, i) => ({
      seq: after + i + 1,
      id: flat[2 * i] as string,
      at: Number(flat[2 * i + 1]),
    }));
  }

  #disable(u: string, t: string, at: string): Promise<unknown> {
    return this.#run(SCRIPTS.disable, [this.#key('disabled'), this.#key('feed')], ['', u, t, newTag(), at]);
  }

  #key(kind: string, name?: string): string {
    return keyOf(this.#database.tag, kind, name);
  }

  async #ask<T>(script: Script, keys: string[], args: string[], onLate?: (answer: T) => void): Promise<T> {
    const late = onLate && ((reply: unknown) => onLate(JSON.parse(String(reply)) as T));
    return JSON.parse(String(await this.#run(script, keys, args, late))) as T;
  }

  #run(script: Script, keys: string[], args: string[], onLate?: (reply: unknown) => void): Promise<unknown> {
    return this.#database.run(script, keys, args, onLate);
  }
}

function keyOf(tag: string, kind: string, name?: string): string {
  return name === undefined ? `${tag}:${kind}` : `${tag}:${kind}:${name}`;
}

/** What the settings put at risk; rejects where the server does not write, as a replica does not. */
const check: RedisCheck = async (evaluate, tag, client) => {
  await evaluate(SCRIPTS.isDisabled, [keyOf(tag, 'disabled')], ['']);
  const info = (section: string) => evaluate(SCRIPTS.info, [keyOf(tag, 'disabled')], ['', section]);
  let memory: string;
  let persistence: string;
  try {
    [memory, persistence] = [String(await info('memory')), String(await info('persistence'))];
  } catch (error) {
    if (!isReply(error)) throw error;
    return [
      'Redis does not let this user look at its settings (INFO): see to it that maxmemory-policy is noeviction, ' +
        'appendonly yes and appendfsync always.',
    ];
  }
  const found: string[] = [];
  if (!/^maxmemory:0\r?$/m.test(memory) && !/^maxmemory_policy:noeviction\r?$/m.test(memory)) {
    found.push('Redis may evict disabled marks when memory runs out: set maxmemory-policy noeviction.');
  }
  if (!/^aof_enabled:1\r?$/m.test(persistence)) {
    found.push('Redis forgets disabled marks when it restarts: set appendonly yes.');
  }
  const fsync = await client.configGet?.('appendfsync').catch(() => undefined);
  if ((fsync as Record<string, unknown> | undefined)?.['appendfsync'] !== 'always') {
    found.push('Redis may lose the last disabled marks in a power cut: set appendfsync always.');
  }
  return found;
};
