import { randomBytes, toBase64url } from '../base/bytes.ts';
import type { Mark } from './store.ts';

/**
 * A fresh tag for one entry of the feed.
 *
 * A cursor is an entry's number with its tag. A store that was restored from a backup and has grown since has another
 * entry, with another tag, under the same number: its readers start over instead of missing what lies between.
 */
export function newTag(): string {
  return toBase64url(randomBytes(9));
}

const CURSOR = /^([1-9][0-9]{0,14})\.([A-Za-z0-9_-]{12})$/;

/** Spells a cursor. */
export function cursorOf(entry: { readonly seq: number; readonly tag: string }): string {
  return `${entry.seq}.${entry.tag}`;
}

/** Reads a cursor; `undefined` for any other text. */
export function readCursor(
  after: string | undefined,
): { readonly seq: number; readonly tag: string } | undefined {
  const match = CURSOR.exec(after ?? '');
  return match ? { seq: Number(match[1]), tag: match[2] as string } : undefined;
}

/** A disabled mark as the feed's entry number `seq`. */
export interface FeedEntry {
  readonly seq: number;
  readonly tag: string;
  readonly u: string;
  readonly t: string;
  readonly at: number;
}

/** A retired mark as entry number `seq` of its kind. */
export interface RetiredEntry {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
}

/** How many marks an export reads at a time. */
export const EXPORT_PAGE = 500;

async function* pages<E extends { readonly seq: number }>(
  read: (after: number) => Promise<readonly E[]>,
): AsyncGenerator<E, undefined> {
  let after = 0;
  for (;;) {
    const page = await read(after);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return undefined;
    after = last.seq;
  }
}

/** Merges both kinds of marks into one export, oldest first, a page of each in memory. */
export async function* mergeMarks(
  readDisabled: (after: number) => Promise<readonly FeedEntry[]>,
  readRetired: (after: number) => Promise<readonly RetiredEntry[]>,
): AsyncGenerator<Mark, void> {
  const disabled = pages(readDisabled);
  const retired = pages(readRetired);
  let d = (await disabled.next()).value;
  let r = (await retired.next()).value;
  while (d !== undefined || r !== undefined) {
    if (d !== undefined && (r === undefined || d.at <= r.at)) {
      yield { kind: 'disabled', u: d.u, t: d.t, at: d.at };
      d = (await disabled.next()).value;
    } else if (r !== undefined) {
      yield { kind: 'retired', id: r.id, at: r.at };
      r = (await retired.next()).value;
    }
  }
}

const isName = (value: unknown) => typeof value === 'string' && value !== '';

/**
 * Reads marks that come from outside, a backup say, in batches of one transaction each.
 *
 * @throws TypeError at the first one that is not a mark
 */
export async function* batches(marks: AsyncIterable<Mark> | Iterable<Mark>): AsyncGenerator<readonly Mark[]> {
  let batch: Mark[] = [];
  for await (const mark of marks) {
    const isMark =
      mark.kind === 'disabled'
        ? isName(mark.u) && isName(mark.t)
        : mark.kind === 'retired' && isName(mark.id);
    if (!isMark || !Number.isSafeInteger(mark.at))
      throw new TypeError('marks holds something that is no mark');
    batch.push(mark);
    if (batch.length < EXPORT_PAGE) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
