import { parseRecord } from '../../protocol/record.ts';
import { isSameRecord, type Records, recordName, requireSameKey } from '../records.ts';
import { inTransaction } from './indexed-db.ts';

export interface IndexedDbRecordsOptions {
  /** Name of the database, so that several apps of one origin can keep apart. Default `roaming-key`. */
  readonly name?: string;
}

/** Records of a page's origin, shared by its tabs. */
export interface BrowserRecords extends Required<Records> {
  /**
   * Calls back when a record was saved, replaced or removed by any tab, this one included.
   *
   * @param onChange gets the record's name
   * @returns ends the calls
   */
  watch(onChange: (name: string) => void): () => void;
}

/**
 * Device records in IndexedDB, for pages and workers.
 *
 * Every method throws `RoamingKeyError` with `unsupported` where the browser lets this page keep nothing (storage
 * switched off, some private modes, a newer release in another tab) and `unavailable` where keeping fails (no room,
 * a broken disk, a tab that holds the database). What is kept lasts until the user clears it, or the browser does:
 * ask `navigator.storage.persist()`, and keep another copy of the record elsewhere.
 *
 * @throws TypeError if `name` is empty
 *
 * @example
 * const records = indexedDbRecords();
 * await records.save('ada', record);
 * const device = await Device.open(records, 'ada', { assistant });
 */
export function indexedDbRecords({
  name: database = 'roaming-key',
}: IndexedDbRecordsOptions = {}): BrowserRecords {
  if (typeof database !== 'string' || database === '')
    throw new TypeError('name must be a name for a database');
  const channel = `passport-roaming-key ${database}`;
  const tell = (name: string) => {
    if (typeof BroadcastChannel === 'undefined') return;
    const sender = new BroadcastChannel(channel);
    sender.postMessage(name);
    sender.close();
  };
  return {
    async load(name) {
      recordName(name);
      const value = await inTransaction(database, 'readonly', (store) => store.get(name));
      return value === undefined ? undefined : parseRecord(value);
    },
    async save(name, record) {
      recordName(name);
      const checked = parseRecord(record);
      let refusal: unknown;
      await inTransaction(database, 'readwrite', (store) => {
        const kept = store.get(name);
        kept.addEventListener('success', () => {
          try {
            requireSameKey(kept.result, checked);
            store.put(checked, name);
          } catch (error) {
            refusal = error;
          }
        });
        return kept;
      });
      if (refusal) throw refusal;
      tell(name);
    },
    async replace(name, replaced, record) {
      recordName(name);
      const checked = parseRecord(record);
      let isThere = false;
      await inTransaction(database, 'readwrite', (store) => {
        const kept = store.get(name);
        // In the same transaction, so that no tab comes between.
        kept.addEventListener('success', () => {
          isThere = isSameRecord(kept.result, replaced);
          if (isThere) store.put(checked, name);
        });
        return kept;
      });
      if (isThere) tell(name);
      return isThere;
    },
    async remove(name) {
      recordName(name);
      await inTransaction(database, 'readwrite', (store) => store.delete(name));
      tell(name);
    },
    async list() {
      return (await inTransaction(database, 'readonly', (store) => store.getAllKeys())) as string[];
    },
    watch(onChange) {
      if (typeof BroadcastChannel === 'undefined') return () => {};
      const receiver = new BroadcastChannel(channel);
      receiver.addEventListener('message', ({ data }: MessageEvent<string>) => onChange(data));
      return () => receiver.close();
    },
  };
}
