import { createHash } from 'node:crypto';
import { RoamingKeyError } from '../base/errors.ts';
import { wrongOption } from '../base/options.ts';
import { Bound, type BoundOptions, type CheckOptions, report } from './bounded.ts';

interface EvalOptions {
  readonly keys: string[];
  readonly arguments: string[];
}

interface RedisCommands {
  eval(script: string, options: EvalOptions): Promise<unknown>;
  evalSha(sha1: string, options: EvalOptions): Promise<unknown>;
}

/** What a store uses of a client of npm `redis` 4, 5 or 6: `createClient()` or `createCluster()`. */
export interface RedisClient extends RedisCommands {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  off(event: 'error', listener: (error: unknown) => void): unknown;
  duplicate(): unknown;
  /** From redis 5 on; before, `quit`. */
  readonly close?: () => unknown;
  readonly quit?: () => unknown;
  /** From redis 5 on; before, `disconnect`. */
  readonly destroy?: () => unknown;
  readonly disconnect?: () => unknown;
  /** From redis 5 on. */
  withCommandOptions?(options: { timeout: number; typeMapping: Record<never, never> }): unknown;
  configGet?(parameter: string): Promise<unknown>;
}

export interface RedisOptions extends BoundOptions {
  /** A client of npm `redis` 4, 5 or 6, connected or not. */
  readonly client: RedisClient;
  /** What all keys begin with, in braces. */
  readonly prefix?: string;
  /**
   * Whether the client is the store's own: closing the store closes it, and a connection that has gone dead without
   * being closed is replaced. Default false.
   */
  readonly owned?: boolean;
}

/** A script and the name under which the server caches it. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

export function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

/** What a store asks the server before its first operation; resolves with what the settings put at risk, in words. */
export type RedisCheck = (
  evaluate: (script: Script, keys: string[], args: string[]) => Promise<unknown>,
  tag: string,
  client: RedisClient,
) => Promise<readonly string[]>;

/** Scripts of one store on one Redis client, each in bounded time. */
export class RedisDatabase {
  /** What all keys begin with: the braces keep them in one slot of a cluster. */
  readonly tag: string;
  #client: RedisClient;
  #commands: RedisCommands;
  readonly #owned: boolean;
  readonly #bound: Bound;
  readonly #check: RedisCheck;
  readonly #checks: CheckOptions;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;
  /** Since when, by `performance.now()`, the connection owes an answer and brings none. */
  #silentSince: number | undefined;

  /** @throws TypeError naming the option that is wrong */
  constructor(options: RedisOptions & CheckOptions, defaultPrefix: string, check: RedisCheck) {
    const { client, prefix = defaultPrefix, owned = false } = options;
    const isClient =
      typeof client?.evalSha === 'function' &&
      typeof (client.close ?? client.quit) === 'function' &&
      typeof (client.destroy ?? client.disconnect) === 'function';
    if (!isClient) throw wrongOption('client', 'a client of npm redis 4, 5 or 6', client);
    if (!/^[\w.:-]{1,64}$/.test(prefix)) {
      throw new TypeError('prefix must be 1 to 64 letters, digits, dots, colons, dashes, underscores');
    }
    this.#client = client;
    this.tag = `{${prefix}}`;
    this.#owned = owned;
    this.#bound = new Bound(options);
    this.#check = check;
    this.#checks = options;
    this.#commands = this.#prepare(client);
  }

  async init(): Promise<void> {
    if (this.#isClosed) throw new Error('the store is closed');
    if (!this.#opening) {
      const opening = this.#open();
      this.#opening = opening;
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined;
      });
    }
    await this.#wait(this.#opening);
  }

  /** @param onLate gets a reply that arrives after the wait for it was given up */
  run(script: Script, keys: string[], args: string[], onLate?: (reply: unknown) => void): Promise<unknown> {
    return this.#bound.run(async () => {
      if (!this.#isOpen || this.#isClosed) await this.init();
      return this.#wait(this.#evaluate(script, keys, args), onLate);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    if (this.#owned && client.isOpen) {
      const closing = Promise.resolve(client.close ? client.close() : client.quit?.());
      await this.#bound.wait(closing).catch(() => destroy(client));
    }
    client.off('error', ignore);
  }

  #prepare(client: RedisClient): RedisCommands {
    client.on('error', ignore);
    const { timeout } = this.#bound;
    if (client.withCommandOptions)
      return client.withCommandOptions({ timeout, typeMapping: {} }) as RedisCommands;
    // redis 4 has no time limit for a command, and its abort signals act on commands that were sent already.
    return client;
  }

  async #open(): Promise<void> {
    const client = this.#client;
    if (!client.isOpen) await client.connect();
    const findings = await this.#check((...args) => this.#evaluate(...args), this.tag, client);
    if (client !== this.#client) throw new Error('the connection was given up');
    report(findings, this.#checks);
    this.#isOpen = true;
  }

  /**
   * Waits as long as the store may. A connection that has brought nothing for twice that time is replaced: where a
   * firewall or a proxy has lost it, it stays open without end, and so does every wait of the client, even for its greeting.
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
    destroy(dead);
  }

  async #evaluate({ sha1, text }: Script, keys: string[], args: string[]): Promise<unknown> {
    const commands = this.#commands;
    const options = { keys, arguments: args };
    const reply = await commands.evalSha(sha1, options).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return commands.eval(text, options);
    });
    this.#silentSince = undefined;
    return reply;
  }
}

/** Ends a connection at once; that of redis 4 reports by a promise. */
function destroy(client: RedisClient): void {
  const ended = client.destroy ? client.destroy() : client.disconnect?.();
  Promise.resolve(ended).catch(ignore);
}

/** A client without listener ends the process; what it reports shows in the operations that fail. */
function ignore(): void {}

/** Whether an error is a reply of the server, and not the connection's. */
export function isReply(error: unknown): error is Error {
  return (
    error instanceof Error && !(error instanceof RoamingKeyError) && /^(ERR|NOPERM) /.test(error.message)
  );
}
