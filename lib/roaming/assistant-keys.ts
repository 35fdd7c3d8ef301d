/** The assistant's published keys, as a record service needs them: which records it takes, and what decoys bear. */
import * as v from 'valibot';
import { RoamingKeyError } from '../base/errors.ts';
import { type AssistantJwk, readAssistantJwk } from '../crypto/jwe/jwe.ts';

const LIST = v.looseObject({ keys: v.pipe(v.array(v.looseObject({ kty: v.string() })), v.maxLength(100)) });
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
  /** Told of every reading that failed. */
  readonly onError: (error: unknown) => void;
}

/** Follows an assistant's list of keys. Once it was read, nobody waits for it any more, and no failure is felt. */
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
    const given = read ? await read() : await this.#fetch();
    const keys = (await Promise.all(given.map(readListed))).filter((key) => key !== undefined);
    if (keys.length === 0) throw new Error('the assistant has published no usable key');
    this.#list = keys;
    this.#readAt = now();
  }

  async #fetch(): Promise<readonly object[]> {
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
    return v.parse(LIST, JSON.parse(Buffer.concat(chunks).toString('utf8'))).keys;
  }

  // A clock that was set back must not make an old reading look new, hence the distance and not the difference.
  #isOver(span: number, since: number | undefined): boolean {
    return since === undefined || Math.abs(this.#options.now() - since) > span;
  }
}

/** Reads a listed key, whose entry may have members that matter to others; `undefined` for kinds that are not known. */
async function readListed(value: object): Promise<AssistantJwk | undefined> {
  const { kty, crv, x, y, n, e, kid } = value as Record<string, unknown>;
  const known = Object.entries({ kty, crv, x, y, n, e, kid }).filter(([, member]) => member !== undefined);
  return readAssistantJwk(Object.fromEntries(known));
}
