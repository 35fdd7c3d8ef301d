import type { FeedPage, Store } from '../store/store.ts';

/** Entries of a page (docs/protocol.md section 6); only a page that ends the list has fewer. */
const PAGE = 1000;
/** How long a full page may be kept, here and elsewhere, in seconds: it never changes, but for a restored backup. */
export const PAGE_MAX_AGE = 60;
/** How many full pages are kept here. */
const MAX_PAGES = 256;

/** A page as it is sent. */
export interface ServedPage {
  readonly json: Buffer;
  /** Whether it has as many entries as a page may have. */
  readonly isFull: boolean;
  /** Whether it is full and answers a cursor that is known here, so that it may be kept for {@link PAGE_MAX_AGE}. */
  readonly isLasting: boolean;
}

interface Kept {
  readonly page: ServedPage;
  readonly until: number;
}

/**
 * Serves the list of disabled keys. Anybody may ask, and relying parties must never be refused, so an answer costs little: full
 * pages are kept as bytes, the end of the list is read once for all who ask meanwhile, and a cursor that is not known, which
 * starts over, costs no page of its own.
 */
export class DisabledPages {
  readonly #store: Pick<Store, 'feed'>;
  readonly #kept = new Map<string, Kept>();
  /** For each cursor the read that has not begun: a request that joins it gets every mark set before. */
  readonly #next = new Map<string, Promise<ServedPage>>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(store: Pick<Store, 'feed'>) {
    this.#store = store;
  }

  /** The page after a cursor; from the beginning where that is empty or not known. */
  async after(cursor: string): Promise<ServedPage> {
    const kept = this.#kept.get(cursor);
    if (kept && kept.until > performance.now()) return kept.page;
    return this.#joinNext(cursor);
  }

  #joinNext(cursor: string): Promise<ServedPage> {
    const waiting = this.#next.get(cursor);
    if (waiting) return waiting;
    const before = this.#running.get(cursor);
    const reading = (async () => {
      await before?.catch(() => {});
      this.#next.delete(cursor);
      const running = this.#read(cursor);
      this.#running.set(cursor, running);
      try {
        return await running;
      } finally {
        if (this.#running.get(cursor) === running) this.#running.delete(cursor);
      }
    })();
    if (before) this.#next.set(cursor, reading);
    return reading;
  }

  async #read(cursor: string): Promise<ServedPage> {
    if (cursor === '') return this.#page(cursor);
    // One entry tells whether there is anything new, and whether the cursor is known: one that is not starts over.
    const { disabled, next } = await this.#store.feed({ after: cursor, limit: 1 });
    if (disabled.length === 0) return serve({ disabled, next });
    const [first] = (await this.#store.feed({ limit: 1 })).disabled;
    if (disabled[0] !== first) return this.#page(cursor);
    return { ...(await this.after('')), isLasting: false };
  }

  async #page(cursor: string): Promise<ServedPage> {
    const page = serve(await this.#store.feed({ limit: PAGE, ...(cursor !== '' && { after: cursor }) }));
    if (page.isLasting) this.#keep(cursor, page);
    return page;
  }

  #keep(cursor: string, page: ServedPage): void {
    this.#kept.delete(cursor);
    this.#kept.set(cursor, { page, until: performance.now() + PAGE_MAX_AGE * 1000 });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_PAGES && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function serve({ disabled, next }: FeedPage): ServedPage {
  const isFull = disabled.length === PAGE;
  return { json: Buffer.from(JSON.stringify({ disabled, next })), isFull, isLasting: isFull };
}
