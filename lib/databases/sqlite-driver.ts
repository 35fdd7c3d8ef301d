import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

type Value = string | number | null;

/** A prepared statement of node:sqlite or of libsql. */
export interface SqliteStatement {
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown[];
  run(...values: Value[]): { readonly changes: number | bigint };
}

/** An open database of node:sqlite (`DatabaseSync`) or of libsql (`Database`). */
export interface SqliteHandle {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

type Open = (file: string) => SqliteHandle;

/** node:sqlite where this runtime has it, without the warning that it is young: libsql would stand in for it anyway. */
function nodeSqlite(): Open | undefined {
  const emitWarning = Reflect.get(process, 'emitWarning') as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, args);
  };
  try {
    const load = (process as { getBuiltinModule?: (name: string) => unknown }).getBuiltinModule;
    const sqlite = load?.('node:sqlite') as { DatabaseSync: new (file: string) => SqliteHandle } | undefined;
    return sqlite && ((file) => new sqlite.DatabaseSync(file));
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function libsql(): Promise<Open> {
  const { default: Database } = await import('libsql').catch((cause: unknown) => {
    throw new Error('SQLite needs Node 22.13 or later, or the package libsql: npm install libsql', { cause });
  });
  return (file) => new Database(file) as unknown as SqliteHandle;
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Opens a database file with node:sqlite or else libsql; a new file is for its owner alone (0600, its folder 0700),
 * and its name is on the disk before this resolves.
 */
export async function openSqlite(file: string): Promise<SqliteHandle> {
  const open = nodeSqlite() ?? (await libsql());
  if (file === ':memory:') return open(file);
  // An absolute name is that of a file to both libraries, never a URI or a remote database.
  const name = path.resolve(file);
  const folder = path.dirname(name);
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(name)) {
    closeSync(openSync(name, 'a', 0o600));
    const top = made === undefined ? folder : path.dirname(made);
    for (let at = folder; at.startsWith(top); at = path.dirname(at)) {
      syncFolder(at);
      if (at === top) break;
    }
  }
  return open(name);
}

/** Whether an error says that another connection holds the lock just now. */
function isBusy(error: unknown): boolean {
  const { code, errcode, rawCode } = error as { code?: unknown; errcode?: unknown; rawCode?: unknown };
  const number = typeof errcode === 'number' ? errcode : typeof rawCode === 'number' ? rawCode : 0;
  const primary = number & 0xff;
  return primary === 5 || primary === 6 || (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code));
}

/**
 * Retries what another connection's lock turns away, without holding up this thread.
 *
 * @param busyTimeout for how many milliseconds
 */
export async function patiently<T>(busyTimeout: number, act: () => T): Promise<T> {
  const deadline = performance.now() + busyTimeout;
  for (;;) {
    try {
      return act();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    }
    await sleep(1 + Math.random() * 9);
  }
}
