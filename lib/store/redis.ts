import { checkNames } from '../base/options.ts';
import { Bound, type BoundOptions, type CheckOptions, report } from '../databases/bounded.ts';
import { backedBy } from './backing.ts';
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
import { SCRIPTS, type Script, spellPolicy } from './redis-scripts.ts';
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

interface EvalOptions {
  readonly keys: string[];
  readonly arguments: string[];
}

interface RedisCommands {
  eval(script: string, options: EvalOptions): Promise<unknown>;
  evalSha(sha1: string, options: EvalOptions): Promise<unknown>;
}

/** What the store uses of a client of npm `redis` 6: `createClient()` or `createCluster()`. */
export interface RedisClient extends RedisCommands {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  close(): unknown;
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
  duplicate(): unknown;
  withCommandOptions(options: { timeout: number; typeMapping: Record<never, never> }): unknown;
  configGet?(parameter: string): Promise<unknown>;
}

export interface RedisStoreOptions extends BoundOptions, CheckOptions {
  /** A client of npm `redis` 6, connected or not. */
  readonly client: RedisClient;
  /** What all keys begin with, in braces. Default `roaming-key`. */
  readonly prefix?: string;
  /**
   * Whether the client is the store's own: closing the store closes it, and a connection that has gone dead without
   * being closed is replaced. Default false.
   */
  readonly owned?: boolean;
}

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
  #client: RedisClient;
  #commands: RedisCommands;
  readonly #tag: string;
  readonly #owned: boolean;
  readonly #checks: CheckOptions;
  readonly #bound: Bound;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;
  /** Since when, by `performance.now()`, the connection owes an answer and brings none. */
  #silentSince: number | undefined;

  constructor(options: RedisStoreOptions) {
    const { client, prefix = 'roaming-key', owned = false } = options;
    if (typeof client?.evalSha !== 'function') throw new TypeError('client must be a client of npm redis');
    if (!/^[\w.:-]{1,64}$/.test(prefix)) {
      throw new TypeError('prefix must be 1 to 64 letters, digits, dots, colons, dashes, underscores');
    }
    this.#client = client;
    this.#tag = `{${prefix}}`;
    this.#owned = owned;
    this.#checks = options;
    this.#bound = new Bound(options);
    this.#commands = this.#prepare(client);
    backedBy(this, client);
  }

  async init(): Promise<void> {
    if (this.#isClosed) throw new Error('The store is closed.');
    if (!this.#opening) {
      const opening = this.#open();
      this.#opening = opening;
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined;
      });
    }
    await this.#wait(this.#opening);
  }

  reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    const { id, u, jti, policy, seenUntil, admitNew } = request;
    return this.#ask(
      SCRIPTS.reserve,
      [this.#key('disabled'), this.#key('retired'), this.#key('seen', id), this.#key('guesses', id)],
      [spellPolicy(policy), u, id, jti, `${seenUntil}`, admitNew ? '1' : '0'],
      // Nobody is there any more to close it, and the owner shall not pay for a slow server with a failure.
      (late) => late.answer === 'reserved' && void this.release(request).catch(ignore),
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

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#owned && this.#client.isOpen) {
      await this.#bound.wait(Promise.resolve(this.#client.close())).catch(() => this.#client.destroy());
    }
    this.#client.off('error', ignore);
  }

  #prepare(client: RedisClient): RedisCommands {
    client.on('error', ignore);
    return client.withCommandOptions({ timeout: this.#bound.timeout, typeMapping: {} }) as RedisCommands;
  }

  async #open(): Promise<void> {
    const client = this.#client;
    if (!client.isOpen) await client.connect();
    const findings = await this.#findings();
    if (client !== this.#client) throw new Error('The connection was given up.');
    report(findings, this.#checks);
    this.#isOpen = true;
  }

  /**
   * Waits as long as the store may. A connection that has brought nothing for twice that time is replaced: where a
   * firewall or a proxy has lost it, it stays open for ever, and what the client waits for, even its greeting, has no end.
   */
  async #wait<T>(work: Promise<T>, onLate?: (value: T) => void): Promise<T> {
    this.#silentSince ??= performance.now();
    try {
      return await this.#bound.wait(work, onLate);
    } catch (error) {
      const silence = performance.now() - (this.#silentSince ?? Number.POSITIVE_INFINITY);
      if (this.#owned && !this.#isClosed && silence >= 2 * this.#bound.timeout) this.#replace();
      throw error;
    }
  }

  #replace(): void {
    const dead = this.#client;
    this.#client = dead.duplicate() as RedisClient;
    this.#commands = this.#prepare(this.#client);
    this.#opening = undefined;
    this.#isOpen = false;
    this.#silentSince = undefined;
    dead.destroy();
  }

  async #findings(): Promise<string[]> {
    const info = async (section: string) =>
      String(await this.#evaluate(SCRIPTS.info, { keys: [this.#key('disabled')], arguments: ['', section] }));
    const [memory, persistence] = [await info('memory'), await info('persistence')];
    const found: string[] = [];
    if (!/^maxmemory:0\r?$/m.test(memory) && !/^maxmemory_policy:noeviction\r?$/m.test(memory)) {
      found.push('Redis may evict disabled marks when memory runs out: set maxmemory-policy noeviction.');
    }
    if (!/^aof_enabled:1\r?$/m.test(persistence)) {
      found.push('Redis forgets disabled marks when it restarts: set appendonly yes.');
    }
    const fsync = await this.#client.configGet?.('appendfsync').catch(() => undefined);
    if ((fsync as Record<string, unknown> | undefined)?.['appendfsync'] !== 'always') {
      found.push('Redis may lose the last disabled marks in a power cut: set appendfsync always.');
    }
    return found;
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
    return name === undefined ? `${this.#tag}:${kind}` : `${this.#tag}:${kind}:${name}`;
  }

  async #ask<T>(script: Script, keys: string[], args: string[], onLate?: (answer: T) => void): Promise<T> {
    const late = onLate && ((reply: unknown) => onLate(JSON.parse(String(reply)) as T));
    return JSON.parse(String(await this.#run(script, keys, args, late))) as T;
  }

  async #run(
    script: Script,
    keys: string[],
    args: string[],
    onLate?: (reply: unknown) => void,
  ): Promise<unknown> {
    return this.#bound.run(async () => {
      if (!this.#isOpen || this.#isClosed) await this.init();
      return this.#wait(this.#evaluate(script, { keys, arguments: args }), onLate);
    });
  }

  async #evaluate({ sha1, text }: Script, options: EvalOptions): Promise<unknown> {
    const commands = this.#commands;
    const reply = await commands.evalSha(sha1, options).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return commands.eval(text, options);
    });
    this.#silentSince = undefined;
    return reply;
  }
}

/** A client without listener ends the process; what it reports shows in the operations that fail. */
function ignore(): void {}
