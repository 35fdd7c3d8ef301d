/** Which names of a file's keys are disabled: from a cache while it is fresh, else from the assistant's list. */
import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { epochSeconds } from '../../base/clock.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { readJsonFile, replaceJsonFile } from '../../device/private-file.ts';
import { disabledFeed } from '../../strategy/disabled-feed.ts';
import { homeFolder } from '../data-folder.ts';
import { note, toText } from '../output.ts';

export interface DisabledNamesOptions {
  /** The assistant's URL. */
  readonly feed: string;
  /** Where readings are kept between runs. */
  readonly cache: string;
  /** How old a reading may be that is used without asking, in seconds. */
  readonly fresh: number;
  /** How old a reading may be that is used where the assistant does not answer, in seconds. */
  readonly maxStale: number;
  readonly timeout: number;
  /** Keeps notes away from those who read JSON. */
  readonly json?: true | undefined;
}

const CACHE = v.strictObject({
  version: v.literal(1),
  feed: v.string(),
  cursor: v.optional(v.string()),
  readAt: v.pipe(v.number(), v.safeInteger()),
  /** Names that were looked for from the list's beginning. */
  names: v.array(v.string()),
  /** Those found, and when: in seconds since the epoch. */
  disabled: v.record(v.string(), v.number()),
});
type Cache = v.InferOutput<typeof CACHE>;

/**
 * Finds out which of the names are disabled, and since when this machine knows.
 *
 * @throws RoamingKeyError `unavailable` where no reading is good: take every key for disabled
 */
export async function disabledNames(
  names: readonly string[],
  options: DisabledNamesOptions,
): Promise<ReadonlyMap<string, number>> {
  const cached = await readCache(names, options);
  if (cached && isWithin(options.fresh, cached.readAt)) return new Map(Object.entries(cached.disabled));
  const read = await readOn(names, cached, options);
  if (read) {
    await keep(read, options);
    return new Map(Object.entries(read.disabled));
  }
  if (cached && isWithin(options.maxStale, cached.readAt)) return new Map(Object.entries(cached.disabled));
  throw new RoamingKeyError(
    'unavailable',
    `the list of disabled keys at ${options.feed} was not read for ${options.maxStale} seconds`,
  );
}

/** Goes on where the cache ends; `undefined` where the list cannot be read to its end. */
async function readOn(
  names: readonly string[],
  cached: Cache | undefined,
  { feed: url, timeout, maxStale, json }: DisabledNamesOptions,
): Promise<Cache | undefined> {
  const wanted = new Set(names);
  const disabled: Record<string, number> = { ...cached?.disabled };
  const feed = disabledFeed({
    url,
    timeout,
    maxStale,
    since: cached?.cursor,
    marks: {
      async disable({ u }) {
        const isNew = wanted.has(u) && !Object.hasOwn(disabled, u);
        if (isNew) disabled[u] = epochSeconds();
        return { isNew };
      },
      isDisabled: async (asked) => asked.some((u) => Object.hasOwn(disabled, u)),
    },
    onError: (error) => note(toText(error), { json }),
  });
  try {
    await feed.refresh();
  } catch {
    return undefined;
  }
  const { cursor, readAt } = feed.status;
  const all = [...new Set([...names, ...(cached?.names ?? [])])];
  return {
    version: 1,
    feed: url,
    ...(cursor !== undefined && { cursor }),
    readAt: readAt as number,
    names: all,
    disabled,
  };
}

/** A cache of this list for all of these names. Only the owner may write it: a changed cache revives disabled keys. */
async function readCache(
  names: readonly string[],
  { cache, feed, json }: DisabledNamesOptions,
): Promise<Cache | undefined> {
  const found = await lstat(cache).catch(() => undefined);
  if (!found) return undefined;
  if (!found.isFile() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    note(`${cache} can be changed by others and is not used`, { json });
    return undefined;
  }
  const read = v.safeParse(CACHE, await readJsonFile(cache).catch(() => undefined));
  if (!read.success || read.output.feed !== feed) return undefined;
  const known = new Set(read.output.names);
  return names.every((name) => known.has(name)) ? read.output : undefined;
}

async function keep(read: Cache, { cache: file, json }: DisabledNamesOptions): Promise<void> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await replaceJsonFile(file, read);
  } catch (error) {
    note(`the reading is not kept, so that each run reads the whole list: ${toText(error)}`, { json });
  }
}

/** A clock that was set back must not make an old reading look new. */
function isWithin(span: number, since: number): boolean {
  return Math.abs(epochSeconds() - since) <= span;
}

/** Where readings of this list for this file are kept, unless an option says. */
export function defaultCache(feed: string, file: string): string {
  const { XDG_CACHE_HOME = '' } = process.env;
  const folder = path.isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : path.join(homeFolder(), '.cache');
  const name = createHash('sha256')
    .update(`${feed}\n${path.resolve(file)}`)
    .digest('hex')
    .slice(0, 16);
  return path.join(folder, 'roaming-key', `feed-${name}.json`);
}
