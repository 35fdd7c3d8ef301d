/** The assistant's published keys: those that records and decoys may be sealed to. */
import { RoamingKeyError } from '../base/errors.ts';
import type { AssistantJwk } from '../crypto/jwe/jwe.ts';
import { readKeyList } from '../protocol/key-list.ts';

const MAX_LIST_BYTES = 256 * 1024;
/** How old the list may be before it is read anew, in seconds. */
const FRESH_SECONDS = 300;
/** How soon it is read again after that failed, in seconds. */
const RETRY_SECONDS = 10;

export interface PublishedKeysOptions {
  /** The assistant's URL without a slash at its end. */
  readonly url: string;
  /** Where the keys come from instead: what `GET {assistant}/keys` would list, the active one first. */
  readonly read?: (() => readonly object[] | Promise<readonly object[]>) | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Called for every reading that failed. */
  readonly onError: (error: unknown) => void;
}

/** Follows an assistant's list of keys. After the first reading, calls never wait and never fail. */
export class PublishedKeys {
  readonly #options: PublishedKeysOptions;
  #list: readonly AssistantJwk[] | undefined;
  #readAt = 0;
  #triedAt: number | undefined;
  #reading: Promise<void> | undefined;

  constructor(options: PublishedKeysOptions) {
    this.#options = options;
  }

  /**
   * The keys, the active one first.
   *
   * @throws RoamingKeyError `unavailable` where they could never be read
   */
  async list(): Promise<readonly AssistantJwk[]> {
    if (!this.#list) await this.refresh();
    else if (this.#isOver(FRESH_SECONDS, this.#readAt) && this.#isOver(RETRY_SECONDS, this.#triedAt))
      this.refresh().catch(() => {});
    return this.#list as readonly AssistantJwk[];
  }

  /** The key of that kid; the list is read anew for one that it did not have. For authenticated users only. */
  async find(kid: string): Promise<AssistantJwk | undefined> {
    const find = async () => (await this.list()).find((key) => key.kid === kid);
    const known = await find();
    if (known) return known;
    await this.refresh().catch(() => {});
    return find();
  }

  /** Reads the list now; calls at the same time share one reading. Rejects with `unavailable`. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read()
      .catch((error: unknown) => {
        this.#options.onError(error);
        throw new RoamingKeyError('unavailable', "the assistant's keys cannot be read", { cause: error });
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { read, now } = this.#options;
    this.#triedAt = now();
    const keys = await readKeyList(read ? { keys: await read() } : await this.#fetch());
    if (keys.length === 0) throw new Error('the assistant has published no usable key');
    this.#list = keys;
    this.#readAt = now();
  }

  async #fetch(): Promise<unknown> {
    const { url, fetch = globalThis.fetch } = this.#options;
    const response = await fetch(`${url}/keys`, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel();
      throw new Error(`the list of keys was answered with status ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > MAX_LIST_BYTES) throw new Error('the list of keys is too large');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  }

  // By distance, because a clock that was set back must not make an old reading look new.
  #isOver(span: number, since: number | undefined): boolean {
    return since === undefined || Math.abs(this.#options.now() - since) > span;
  }
}
