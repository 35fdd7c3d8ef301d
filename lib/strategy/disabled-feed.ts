/**
 * The assistant's public list of disabling secrets, as a relying party reads it (docs/protocol.md section 6).
 *
 * A key is disabled when one of its names u is the hash of a secret t on the list. So anyone may serve the list: who lies
 * on it must know a t, and only owners do. A liar can leave something out, or not answer; against that stands a limit on
 * how long the last complete reading is good for. Strangers can add entries at will, so neither their number nor their
 * pace may decide whether a key logs in.
 */
import * as v from 'valibot';
import { fromBase64url, toBase64url } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { checkFunctions, checkNames } from '../base/options.ts';
import { inTime } from '../base/time-limit.ts';
import { readSecureUrl } from '../base/url.ts';
import { safeListener } from '../observe/listeners.ts';
import { disablingName, FEED_PAGE } from '../protocol/disabling.ts';
import type { Mark, Store } from '../store/store.ts';
import type { FeedListener } from './events.ts';
import { PackedNames } from './packed-names.ts';

/** How the list is read and what happens while it cannot be. Durations are seconds. */
export interface DisabledFeedOptions {
  /** The assistant's URL, as devices have it; https, or http on loopback. */
  readonly url: string;
  /** How often the list is read. Default 30. */
  readonly every?: number;
  /** For how long the last complete reading is good. Default 300. */
  readonly maxStale?: number;
  /**
   * What holds when it is not good any more. `closed`: every login is `unavailable`. `open`: keys that are not known
   * to be disabled are accepted. Disabled ones never are. Default `closed`.
   */
  readonly whenStale?: 'closed' | 'open';
  /**
   * Where marks are kept, such as the relying party's own store, so that they outlive the process. Default: in memory,
   * and the whole list is read at every start. With `importMarks`, a page takes one step.
   */
  readonly marks?: Pick<Store, 'disable' | 'isDisabled'> & Partial<Pick<Store, 'importMarks'>>;
  /**
   * Entries that are kept in memory at most, 30 bytes each. Beyond, the app's own names go on: those of `names`, and those
   * that this process has been asked about. New ones are `unavailable`. Default 10 000 000.
   */
  readonly maxEntries?: number;
  /**
   * The disabling names of all keys that the app has. Called once, when the list is longer than `maxEntries`: from there on
   * entries of other names are dropped. Without it, and without `marks`, a process that starts then accepts no key.
   */
  readonly names?: () => Iterable<string> | AsyncIterable<string> | Promise<Iterable<string>>;
  /** Where to go on: the cursor of an earlier feed whose marks are in `marks`. Default: at the beginning. */
  readonly since?: string | undefined;
  /** How long one page may take, and how long a check waits for a reading. Default 10. */
  readonly timeout?: number;
  /** Called for every reading that failed, and once when there are more entries than `maxEntries`. */
  readonly onError?: (error: unknown) => void;
  /** Called for every reading, and for those that failed. */
  readonly onEvent?: FeedListener;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/** A list that is being read. */
export interface DisabledFeed extends Pick<Store, 'isDisabled'> {
  /** Reads now and from then on every so often, without keeping the process alive. */
  start(): void;
  /** Ends that. What is known stays known. */
  stop(): void;
  /**
   * Reads up to the list's end, beginning after the call; calls at the same time share one reading. Rejects with
   * `unavailable`.
   */
  refresh(): Promise<void>;
  /**
   * Whether any of the names is disabled. Where no reading is good, waits at most one `timeout` for one.
   * Rejects with `unavailable` where it is not known (`closed`).
   */
  isDisabled(names: readonly string[]): Promise<boolean>;
  /** How good what is known is; for monitoring. */
  readonly status: FeedStatus;
}

/** How good what is known is. */
export interface FeedStatus {
  /** When the last complete reading began, in seconds since the epoch. */
  readonly readAt: number | undefined;
  /** Whether that is too long ago. */
  readonly isStale: boolean;
  /** How far the list was read; for `since`. */
  readonly cursor?: string | undefined;
}

const PAGE_SIZE = 1000;
const MAX_PAGE_BYTES = 1024 * 1024;

/**
 * Follows an assistant's list of disabled keys; to be given to a relying party as `disabled`.
 *
 * @throws TypeError naming the option that is wrong
 * @example
 * const disabled = disabledFeed({ url: 'https://assistant.example' });
 * disabled.start();
 */
export function disabledFeed(options: DisabledFeedOptions): DisabledFeed {
  const { whenStale = 'closed', onError, now = epochSeconds, fetch = globalThis.fetch } = options;
  const url = typeof options.url === 'string' ? readSecureUrl(options.url) : undefined;
  if (url === undefined)
    throw new TypeError(`url must be https, or http on loopback, without query, got ${options.url}`);
  if (whenStale !== 'closed' && whenStale !== 'open')
    throw new TypeError(`whenStale must be 'closed' or 'open', got ${String(whenStale)}`);
  const every = positive('every', options.every ?? 30);
  const maxStale = positive('maxStale', options.maxStale ?? 300);
  const timeout = positive('timeout', options.timeout ?? 10);
  const maxEntries = positive('maxEntries', options.maxEntries ?? 10_000_000);
  checkFunctions(options, ['onEvent', 'names']);
  const tell = options.onEvent && safeListener(options.onEvent);
  const marks = options.marks
    ? marksIn(options.marks, now)
    : marksInMemory(maxEntries, options.names, () => {
        const advice = options.names ? '' : ', and all keys after a restart: give names, or marks';
        onError?.(
          new Error(
            `the list has more entries than maxEntries, ${maxEntries}: new keys are unavailable${advice}`,
          ),
        );
      });

  let cursor = options.since;
  let readAt: number | undefined;
  let triedAt: number | undefined;
  let reading: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let isUnfinished = false;

  /**
   * Reads from the cursor to the first page that is not full. Others may add entries faster than pages arrive, so a
   * reading ends when it could not be good any more; the next one goes on from there.
   */
  async function readOn(): Promise<void> {
    const startedAt = now();
    triedAt = startedAt;
    isUnfinished = false;
    const deadline = performance.now() + maxStale * 1000;
    let entries = 0;
    for (;;) {
      const { disabled, next } = await readPage(fetch, pageUrl(url as string, cursor), timeout);
      const isLast = disabled.length < PAGE_SIZE;
      if (!isLast && next === cursor) throw new Error('a full page of the list leads to itself');
      entries += await marks.add(disabled);
      cursor = next;
      if (isLast) {
        // All that was disabled before the first page was requested is known now.
        readAt = startedAt;
        tell?.({ type: 'feedRead', entries });
        return;
      }
      if (performance.now() > deadline) {
        isUnfinished = true;
        throw new Error(`the list did not end within ${maxStale} s: the next reading goes on from here`);
      }
    }
  }

  function read(): Promise<void> {
    reading ??= readOn()
      .catch((error: unknown) => {
        tell?.({ type: 'feedFailed', error });
        onError?.(error);
        throw new RoamingKeyError('unavailable', 'the list of disabled keys cannot be read', {
          cause: error,
        });
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  /** A reading in flight may be past the place where the caller's entry is: the next one is shared. */
  function refresh(): Promise<void> {
    following ??= (reading ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        following = undefined;
        return read();
      });
    return following;
  }

  // A clock that was set back must not make an old reading look new, hence the distance and not the difference.
  const isWithin = (span: number, since: number | undefined) =>
    since !== undefined && Math.abs(now() - since) <= span;

  function loop(): void {
    read()
      .catch(() => {})
      .finally(() => {
        if (!running) return;
        timer = setTimeout(loop, isUnfinished ? 0 : every * 1000);
        timer.unref();
      });
  }

  return {
    start() {
      if (running) return;
      running = true;
      loop();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
    refresh,
    get status() {
      return { readAt, isStale: !isWithin(maxStale, readAt), cursor };
    },
    async isDisabled(names) {
      checkNames(names);
      if (!isWithin(maxStale, readAt) && (reading || !isWithin(every, triedAt)))
        await inTime(read(), timeout).catch(() => {});
      if (await marks.has(names)) return true;
      if (whenStale === 'closed' && !isWithin(maxStale, readAt))
        throw new RoamingKeyError('unavailable', 'the list of disabled keys was not read for too long');
      if (!marks.knows(names))
        throw new RoamingKeyError('unavailable', 'the list is too long to know a new key: raise maxEntries');
      return false;
    },
  };
}

interface Marks {
  /** Adds a page of secrets; resolves with how many were new. */
  add(page: readonly Uint8Array[]): Promise<number>;
  has(names: readonly string[]): Promise<boolean>;
  /** Whether no entry under one of the names can have been dropped. */
  knows(names: readonly string[]): boolean;
}

function marksIn(store: NonNullable<DisabledFeedOptions['marks']>, now: () => number): Marks {
  return {
    async add(page) {
      const entries = page.map((t) => ({ u: toBase64url(disablingName(t)), t: toBase64url(t) }));
      if (store.importMarks) {
        const at = now();
        return store.importMarks(entries.map((entry): Mark => ({ kind: 'disabled', ...entry, at })));
      }
      let count = 0;
      for (const entry of entries) if ((await store.disable(entry)).isNew) count++;
      return count;
    },
    has: async (names) => store.isDisabled(names),
    knows: () => true,
  };
}

function marksInMemory(maxEntries: number, names: DisabledFeedOptions['names'], onFull: () => void): Marks {
  const marked = new PackedNames();
  // Names that were known before any entry was dropped: no entry of theirs ever is.
  const known = new PackedNames();
  let isFull = false;
  const bytesOf = (name: string) => {
    const bytes = fromBase64url(name);
    if (bytes?.length !== 32) throw new TypeError('a disabling name must be 32 bytes in base64url');
    return bytes;
  };
  const isKept = (name: Uint8Array) => marked.size < maxEntries || known.has(name);
  /** Before the first entry is dropped. Where the app's names cannot be read, the reading fails, and goes on here later. */
  async function fill() {
    let count = 0;
    for await (const name of (await names?.()) ?? []) {
      known.add(bytesOf(name));
      // Millions of names in one turn would stop the process for seconds.
      if (++count % PAGE_SIZE === 0) await new Promise(setImmediate);
    }
    isFull = true;
    onFull();
  }
  return {
    async add(page) {
      let count = 0;
      for (const t of page) {
        const name = disablingName(t);
        if (!isFull && !isKept(name) && !marked.has(name)) await fill();
        if (isKept(name) && marked.add(name)) count++;
      }
      return count;
    },
    async has(asked) {
      const all = asked.map(bytesOf);
      if (!isFull) {
        for (const name of all) if (known.size < maxEntries) known.add(name);
      }
      return all.some((name) => marked.has(name));
    },
    knows: (asked) => !isFull || asked.every((name) => known.has(bytesOf(name))),
  };
}

function pageUrl(url: string, cursor: string | undefined): string {
  return cursor === undefined ? `${url}/disabled` : `${url}/disabled?after=${encodeURIComponent(cursor)}`;
}

async function readPage(
  fetch: typeof globalThis.fetch,
  url: string,
  timeout: number,
): Promise<v.InferOutput<typeof FEED_PAGE>> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeout * 1000),
  });
  if (response.status !== 200 || !response.body) {
    await response.body?.cancel();
    throw new Error(`the list was answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_PAGE_BYTES) throw new Error('a page of the list is too large');
    chunks.push(chunk);
  }
  const result = v.safeParse(FEED_PAGE, JSON.parse(Buffer.concat(chunks).toString('utf8')), {
    abortEarly: true,
  });
  if (!result.success || result.output.disabled.length > PAGE_SIZE)
    throw new Error('a page of the list is malformed');
  return result.output;
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`${name} must be a whole number from 1, got ${value}`);
  return value;
}
