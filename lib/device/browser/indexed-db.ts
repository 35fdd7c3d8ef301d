import { RoamingKeyError } from '../../base/errors.ts';

const STORE = 'records';
const VERSION = 1;
/** How long another tab may stand in the way, in milliseconds. */
const PATIENCE = 3000;

/**
 * Runs one transaction, durably, on a connection of its own: so no tab stands for long in the way of another that
 * clears or upgrades the database, and one that was cleared is simply made anew.
 *
 * @param use starts its requests at once and returns the one whose result is wanted
 * @throws RoamingKeyError `unsupported`, `unavailable`
 */
export async function inTransaction<T>(
  database: string,
  mode: 'readonly' | 'readwrite',
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  try {
    const db = await open(database);
    try {
      return await run(db, mode, use);
    } finally {
      db.close();
    }
  } catch (error) {
    throw translate(error);
  }
}

function open(database: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    // Reading `indexedDB` throws where storage is switched off, or is null in old private modes.
    const request = globalThis.indexedDB?.open(database, VERSION);
    if (!request) throw new DOMException('no IndexedDB', 'SecurityError');
    const timer = setTimeout(() => {
      reject(new RoamingKeyError('unavailable', 'another tab holds the saved keys: close it and try again'));
    }, PATIENCE);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
    request.addEventListener('error', () => {
      clearTimeout(timer);
      reject(request.error);
    });
    request.addEventListener('success', () => {
      clearTimeout(timer);
      const db = request.result;
      db.addEventListener('versionchange', () => db.close());
      resolve(db);
    });
  });
}

function run<T>(
  db: IDBDatabase,
  mode: 'readonly' | 'readwrite',
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(STORE, mode, { durability: 'strict' });
    const request = use(transaction.objectStore(STORE));
    transaction.addEventListener('complete', () => resolve(request.result));
    transaction.addEventListener('abort', () => reject(transaction.error));
  });
}

/** What a person can do about it; the browser's own words are kept as the cause. */
const REASONS: Record<string, readonly ['unsupported' | 'unavailable', string]> = {
  SecurityError: [
    'unsupported',
    'this browser lets the page keep nothing: allow it to store data, or leave private mode',
  ],
  InvalidStateError: ['unsupported', 'this browser keeps nothing in private mode: use an ordinary window'],
  VersionError: ['unsupported', 'a newer release of this app has changed the saved keys: reload the page'],
  QuotaExceededError: [
    'unavailable',
    'there is no room left to save the key: free some disk space and try again',
  ],
};

function translate(cause: unknown): unknown {
  if (cause instanceof RoamingKeyError || cause instanceof TypeError) return cause;
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : '';
  const [code, message] = REASONS[name] ?? ['unavailable', 'the browser failed to keep its data: try again'];
  return new RoamingKeyError(code, message, { cause });
}
