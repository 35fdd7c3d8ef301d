/**
 * The assistant's public list of disabling secrets, as a relying party reads it (docs/protocol.md section 6).
 *
 * A key is disabled when one of its names u is the hash of a secret t on the list. So the list can be taken from anybody:
 * who lies on it must know a t, and only owners do; what a liar can do is leave something out, or not answer.
 * Against the latter stands a limit on how long the last complete reading is good for.
 */

import * as v from 'valibot';
import { toBase64url } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { checkNames } from '../base/options.ts';
import { readSecureUrl } from '../base/url.ts';
import { quiet } from '../observe/listeners.ts';
import { disablingName, FEED_PAGE } from '../protocol/disabling.ts';
import type { Store } from '../store/store.ts';
import type { FeedListener } from './events.ts';

/** How the list is read and what happens while it cannot be. Durations are seconds. */
export interface DisabledFeedOptions {
  /** The assistant's URL, as devices have it; https, or http on loopback. */
  readonly url: string;
  /** How often the list is read. Default 30. */
  readonly every?: number;
  /** For how long the last complete reading is good. Default 300. */
  readonly maxStale?: number;
  /**
   * What holds when it is not good any more. `closed`: nobody logs in, `unavailable`. `open`: keys that are not known
   * to be disabled are accepted. Disabled ones never are. Default `closed`.
   */
  readonly whenStale?: 'closed' | 'open';
  /**
   * Where marks are kept, the relying party's own store, say, so that they outlive the process. Default: in memory, and
   * the whole list is read at every start.
   */
  readonly marks?: Pick<Store, 'disable' | 'isDisabled'>;
  /** New marks that are taken from the list at most while this process lives; with more it counts as unreadable. Default 1 000 000. */
  readonly maxEntries?: number;
  /** Where to go on: the cursor of an earlier feed whose marks are in `marks`. Default: at the beginning. */
  readonly since?: string | undefined;
  /** For how long one page may take. Default 10. */
  readonly timeout?: number;
  /** Told of every reading that failed. Default: nobody. */
  readonly onError?: (error: unknown) => void;
  /** Hears of every reading, and of those that failed. Default: nobody. */
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
  /** Reads up to the list's end; calls at the same time share one reading. Rejects with `unavailable`. */
  refresh(): Promise<void>;
  /**
   * Whether any of the names is disabled. Reads first if no reading is good and none was tried lately.
   * Rejects with `unavailable` where that cannot be told (`closed`).
   */
  isDisabled(names: readonly string[]): Promise<boolean>;
  /** How good what is known is; for monitoring. */
  readonly status: FeedStatus;
}

/** What an operator's monitor may know of a list that is being read. */
export interface FeedStatus {
  /** When the last complete reading began, in seconds since the epoch; absent where there was none. */
  readonly readAt?: number | undefined;
  /** Whether that is longer ago than `maxStale`. */
  readonly isStale: boolean;
  /** How far the list was read; for `since`. */
  readonly cursor?: string | undefined;
}

const MAX_PAGE_BYTES = 1024 * 1024;
const MAX_PAGES = 10_000;

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
  if (url === undefined) throw new TypeError('url must be https, or http on loopback, without query');
  if (whenStale !== 'closed' && whenStale !== 'open')
    throw new TypeError("whenStale must be 'closed' or 'open'");
  const every = positive('every', options.every ?? 30);
  const maxStale = positive('maxStale', options.maxStale ?? 300);
  const timeout = positive('timeout', options.timeout ?? 10);
  const maxEntries = positive('maxEntries', options.maxEntries ?? 1_000_000);
  const marks = options.marks ?? marksInMemory();
  if (options.onEvent !== undefined && typeof options.onEvent !== 'function')
    throw new TypeError('onEvent must be a function');
  const tell = options.onEvent && quiet(options.onEvent);

  let cursor = options.since;
  let entries = 0;
  let readAt: number | undefined;
  let triedAt: number | undefined;
  let reading: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  async function readAll(): Promise<void> {
    const startedAt = now();
    triedAt = startedAt;
    const before = entries;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const { disabled, next } = await readPage(fetch, pageUrl(url as string, cursor), timeout);
      for (const t of disabled) {
        const { isNew } = await marks.disable({ u: toBase64url(disablingName(t)), t: toBase64url(t) });
        if (isNew && ++entries > maxEntries) throw new Error('the list is too long');
      }
      const isEnd = disabled.length === 0 || next === cursor;
      cursor = next;
      if (isEnd) {
        // What was disabled before the first page was asked for is known now; of later ones nothing is promised.
        readAt = startedAt;
        tell?.({ type: 'feedRead', entries: entries - before });
        return;
      }
    }
    throw new Error('the list does not end');
  }

  function refresh(): Promise<void> {
    reading ??= readAll()
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

  // A clock that was set back must not make an old reading look new, hence the distance and not the difference.
  const isWithin = (span: number, since: number | undefined) =>
    since !== undefined && Math.abs(now() - since) <= span;

  function loop(): void {
    refresh()
      .catch(() => {})
      .finally(() => {
        if (!running) return;
        timer = setTimeout(loop, every * 1000);
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
        await refresh().catch(() => {});
      if (await marks.isDisabled(names)) return true;
      if (whenStale === 'closed' && !isWithin(maxStale, readAt))
        throw new RoamingKeyError('unavailable', 'the list of disabled keys was not read for too long');
      return false;
    },
  };
}

function marksInMemory(): Pick<Store, 'disable' | 'isDisabled'> {
  const marked = new Set<string>();
  return {
    async disable({ u }) {
      const isNew = !marked.has(u);
      marked.add(u);
      return { isNew };
    },
    async isDisabled(names) {
      return names.some((u) => marked.has(u));
    },
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
  if (!result.success) throw new Error('a page of the list is malformed');
  return result.output;
}

function positive(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${name} must be a whole number from 1`);
  return value;
}
