/**
 * What a record service remembers (docs/protocol.md section 9), as a few atomic operations.
 *
 * Every operation is one indivisible step, also against other processes that share the store. Times are whole seconds
 * since the epoch by the store's own clock. An operation that cannot be carried out rejects; it never resolves with a
 * guess. All names are hashes under the service's secret, so a store does not know whose records it has.
 */
export interface RecordStore {
  /** Prepares files, tables, scripts. Idempotent; the first operation may also do it by itself. */
  init(): Promise<void>;

  /**
   * Puts a record in the place of its owner's earlier one, durably before it resolves; of the earlier one nothing
   * remains that the store could read. What was fetched before stays listed.
   *
   * Answers, tried in this order: `absent` (with `replaces`: the owner has no record that begins so), `taken` (another
   * owner's record has this key), `kept` (with `keepKey`: the owner's earlier key stays in force), `stored`.
   * Nothing has changed after the first two.
   */
  put(request: PutRequest): Promise<'absent' | 'taken' | 'kept' | 'stored'>;

  /**
   * Finds the record of a key, or else that of `otherwise`, and notes the fetch for its owner, or else for `stranger`. Both
   * ways do the same work, so that time does not tell them apart.
   *
   * @returns what was found; `undefined` where neither key has a record
   */
  fetch(request: FetchRequest): Promise<FoundRecord | undefined>;

  /** What is stored for an owner; `undefined` for nothing. */
  find(owner: string): Promise<StoredRecord | undefined>;

  /** The last fetches of an owner's records, newest first, at most {@link FETCHES_KEPT}. */
  fetches(owner: string): Promise<readonly RecordFetch[]>;

  /** Deletes an owner's record and the list of its fetches for good, durably. False where there was none. */
  delete(owner: string): Promise<boolean>;

  /** Deletes all records of a `u` likewise. Resolves with how many they were. */
  deleteNamed(u: string): Promise<number>;

  /** All `u` that come after `after` in the order of their bytes, each once, at most `limit`. */
  names(request: { readonly after: string; readonly limit: number }): Promise<readonly string[]>;

  /** Resolves if the store reads and writes; rejects otherwise, also where it is full or read-only. */
  health(): Promise<void>;

  /** Lets go of files and of connections that the store opened itself. */
  close(): Promise<void>;
}

/** How many fetches are kept for each owner. */
export const FETCHES_KEPT = 50;

export interface PutRequest {
  /** Names an account. */
  readonly owner: string;
  /** What the record is found under: made of account and pickup code. */
  readonly key: string;
  /** The record's name for disabling. */
  readonly u: string;
  /** The assistant's key that the record's ticket is sealed to. */
  readonly kid: string;
  /** The record as it is given out. */
  readonly record: string;
  /** Leaves the key as it is where the owner has a record. */
  readonly keepKey?: boolean;
  /** Replaces only a record that begins with this text. */
  readonly replaces?: string;
}

export interface FetchRequest {
  readonly key: string;
  readonly otherwise: string;
  /** Stands for an owner where the key has no record. */
  readonly stranger: string;
  /** Where the request came from. */
  readonly address: string;
}

/** What a fetch has found. */
export interface FoundRecord {
  readonly key: string;
  readonly u: string;
  readonly record: string;
}

/** What is stored for an owner. */
export interface StoredRecord {
  readonly u: string;
  readonly kid: string;
  readonly record: string;
  /** When it was stored, in seconds since the epoch. */
  readonly at: number;
}

/** One fetch. */
export interface RecordFetch {
  /** In seconds since the epoch. */
  readonly at: number;
  readonly address: string;
}
