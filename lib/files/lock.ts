/** A lock that the processes of one machine share: a file that only one of them can make. */
import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RoamingKeyError } from '../base/errors.ts';

/** Milliseconds after which a holder counts as dead: what is done under a lock takes a few. */
const STALE = 10_000;
/** Longer, so that the lock of a dead holder is outlived. */
const MAX_WAIT = 15_000;

/**
 * Runs `act` while no other process, and no other call, holds the lock of that file name.
 *
 * @param act gets a function that rejects with `busy` where the lock was lost meanwhile, as to a process that took this one for
 *   dead: call it before the step that counts
 * @param options.maxWait how long to wait for it, in milliseconds. Default 15000
 * @param options.stale milliseconds after which one and the same lock counts as that of a dead process. Default 10000
 * @throws RoamingKeyError `busy` after that
 * @throws Error of the file system, `ENOENT` where the folder is missing
 */
export async function withFileLock<T>(
  file: string,
  act: (requireHeld: () => Promise<void>) => Promise<T>,
  { maxWait = MAX_WAIT, stale = STALE }: { readonly maxWait?: number; readonly stale?: number } = {},
): Promise<T> {
  const mine = await take(file, performance.now() + maxWait, stale);
  try {
    return await act(async () => {
      if (identityOf(await look(file)) !== mine) throw busy(file);
    });
  } finally {
    if (identityOf(await look(file)) === mine) await rm(file, { force: true });
  }
}

async function take(file: string, deadline: number, stale: number): Promise<string> {
  const breaking = `${file}-stale`;
  const isStale = watchAge(file, stale);
  const isBreakingStale = watchAge(breaking, stale);
  for (;;) {
    const made = await make(file);
    if (made !== undefined) return made;
    // The process that was about to remove a stale lock may have died, too.
    if (await isBreakingStale()) await rm(breaking, { force: true });
    if (await isStale()) await removeStale(file, breaking, isStale);
    if (performance.now() >= deadline) throw busy(file);
    await sleep(2 + Math.random() * 18);
  }
}

/** @returns the new file's identity; `undefined` where there is a file of that name */
async function make(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      return identityOf(await handle.stat({ bigint: true }));
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Windows says EPERM while a file of that name is being deleted.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || (code === 'EPERM' && process.platform === 'win32')) return undefined;
    throw error;
  }
}

/** Removes the lock of a dead process. One process does it at a time, or a slow one would remove the next holder's. */
async function removeStale(file: string, breaking: string, isStale: () => Promise<boolean>): Promise<void> {
  if ((await make(breaking)) === undefined) return;
  try {
    if (await isStale()) await rm(file, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
}

/** Tells whether one and the same file has been there for too long, by this process's clock: a file server's may be wrong. */
function watchAge(file: string, stale: number): () => Promise<boolean> {
  let seen = '';
  let since = 0;
  return async () => {
    const found = identityOf(await look(file));
    if (found !== seen) [seen, since] = [found, performance.now()];
    return found !== '' && performance.now() - since > stale;
  };
}

function look(file: string) {
  return stat(file, { bigint: true }).catch(() => undefined);
}

/** Inodes are used again at once; with the time of its making a file is told from the next. */
function identityOf(found: { dev: bigint; ino: bigint; mtimeNs: bigint } | undefined): string {
  return found ? `${found.dev} ${found.ino} ${found.mtimeNs}` : '';
}

function busy(file: string): RoamingKeyError {
  return new RoamingKeyError(
    'busy',
    `another process is writing here: try again. If there is none, delete ${file} and ${file}-stale`,
  );
}
