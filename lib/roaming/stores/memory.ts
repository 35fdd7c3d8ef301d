import { epochSeconds } from '../../base/clock.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { wholeNumber } from '../../base/options.ts';
import {
  FETCHES_KEPT,
  type FetchRequest,
  type FoundRecord,
  type PutRequest,
  type RecordFetch,
  type RecordStore,
  type StoredRecord,
} from './record-store.ts';

export interface MemoryRecordStoreOptions {
  /** The clock: whole seconds since the epoch. Default: this machine's. */
  readonly now?: () => number;
  /** How many records are kept. Default 100000. */
  readonly maxRecords?: number;
}

interface Entry {
  readonly owner: string;
  readonly key: string;
  readonly u: string;
  readonly kid: string;
  readonly record: string;
  readonly at: number;
}

/**
 * Keeps records in the memory of one process: the reference for {@link RecordStore}, for tests and for trying things
 * out. When it is full it rejects.
 *
 * @throws TypeError naming the option that is not a whole positive number
 */
export class MemoryRecordStore implements RecordStore {
  readonly #now: () => number;
  readonly #max: number;
  readonly #byOwner = new Map<string, Entry>();
  readonly #byKey = new Map<string, Entry>();
  /** By owner, newest first. */
  readonly #fetches = new Map<string, RecordFetch[]>();

  constructor({ now = epochSeconds, maxRecords = 100_000 }: MemoryRecordStoreOptions = {}) {
    this.#now = now;
    this.#max = wholeNumber('maxRecords', maxRecords, 1);
  }

  async init(): Promise<void> {}

  async put({ owner, key, u, kid, record, keepKey, replaces }: PutRequest) {
    const old = this.#byOwner.get(owner);
    if (replaces !== undefined && !old?.record.startsWith(replaces)) return 'absent';
    const keeps = keepKey === true && old !== undefined;
    const inForce = keeps ? old.key : key;
    const holder = this.#byKey.get(inForce);
    if (holder && holder.owner !== owner) return 'taken';
    if (!old && this.#byOwner.size >= this.#max)
      throw new RoamingKeyError('unavailable', 'The store is full.');
    if (old) this.#byKey.delete(old.key);
    const entry = { owner, key: inForce, u, kid, record, at: this.#now() };
    this.#byOwner.set(owner, entry);
    this.#byKey.set(inForce, entry);
    return keeps ? 'kept' : 'stored';
  }

  async fetch({ key, otherwise, stranger, address }: FetchRequest): Promise<FoundRecord | undefined> {
    const found = this.#byKey.get(this.#byKey.has(key) ? key : otherwise);
    if (!found) return undefined;
    const owner = found.key === key ? found.owner : stranger;
    const fetches = this.#fetches.get(owner) ?? [];
    fetches.unshift({ at: this.#now(), address });
    fetches.splice(FETCHES_KEPT);
    this.#fetches.set(owner, fetches);
    return { key: found.key, u: found.u, record: found.record };
  }

  async find(owner: string): Promise<StoredRecord | undefined> {
    const entry = this.#byOwner.get(owner);
    return entry && { u: entry.u, kid: entry.kid, at: entry.at, record: entry.record };
  }

  async fetches(owner: string): Promise<readonly RecordFetch[]> {
    return [...(this.#fetches.get(owner) ?? [])];
  }

  async delete(owner: string): Promise<boolean> {
    const entry = this.#byOwner.get(owner);
    if (!entry) return false;
    this.#byOwner.delete(owner);
    this.#fetches.delete(owner);
    this.#byKey.delete(entry.key);
    return true;
  }

  async deleteNamed(u: string): Promise<number> {
    const entries = [...this.#byOwner.values()].filter((entry) => entry.u === u);
    for (const { owner } of entries) await this.delete(owner);
    return entries.length;
  }

  async names({ after, limit }: { readonly after: string; readonly limit: number }) {
    const names = new Set([...this.#byOwner.values()].map(({ u }) => u));
    return [...names]
      .filter((u) => u > after)
      .sort()
      .slice(0, limit);
  }

  async health(): Promise<void> {}

  async close(): Promise<void> {}
}
