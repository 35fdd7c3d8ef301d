/** Files that are replaced at one stroke. */
import { randomBytes } from 'node:crypto';
import { fsync } from 'node:fs';
import { type FileHandle, link, lstat, open, readlink, rename, rm } from 'node:fs/promises';
import path from 'node:path';

export interface WriteOptions {
  /** The file's mode. Default 0600. */
  readonly mode?: number;
  /** Refuses, with code EEXIST, where there is a file or a link of that name. Default false. */
  readonly exclusive?: boolean;
}

/** As many links in a row as Linux follows. */
const MAX_LINKS = 40;

/**
 * Writes a file as one step that survives a crash right afterwards: a reader sees the old content or the new.
 * A link of that name stays, and what it points at is replaced.
 *
 * @throws Error of the file system, which names `file`; the old content is untouched then
 */
export async function writeAtomically(
  file: string,
  write: (handle: FileHandle) => Promise<void>,
  { mode = 0o600, exclusive = false }: WriteOptions = {},
): Promise<void> {
  const target = exclusive ? file : await followLinks(file);
  const folder = path.dirname(target);
  const draft = path.join(
    folder,
    `.${path.basename(target).slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
  try {
    const handle = await open(draft, 'wx', mode);
    try {
      await write(handle);
      await syncFile(handle);
    } finally {
      await handle.close();
    }
    if (exclusive) await claimName(draft, target);
    else await rename(draft, target);
    await syncFolder(folder);
  } catch (error) {
    // The caller named the file, not the draft.
    throw error instanceof Error && 'path' in error ? Object.assign(error, { path: file }) : error;
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

/** Writes a file through to the disk. Not by `handle.sync`, which Yarn's Plug'n'Play replaces by one that throws. */
export function syncFile({ fd }: FileHandle): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(fd, (error) => (error ? reject(error) : resolve()));
  });
}

/** Makes a change of names durable. Windows has no handle on folders and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await syncFile(handle);
  } finally {
    await handle.close();
  }
}

/** The file that a name leads to, whether it is there or not. */
async function followLinks(file: string): Promise<string> {
  let name = file;
  for (let links = 0; links < MAX_LINKS; links++) {
    const next = await readlink(name).catch(() => undefined);
    if (next === undefined) return name;
    name = path.resolve(path.dirname(name), next);
  }
  throw Object.assign(new Error(`ELOOP: too many symbolic links, ${file}`), { code: 'ELOOP', path: file });
}

/** Gives the draft its name, never another file's; sticks formatted with FAT know no second names. */
async function claimName(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    if (await lstat(file).catch(() => undefined))
      throw Object.assign(new Error(`EEXIST: file already exists, ${file}`), { code: 'EEXIST', path: file });
    await rename(draft, file);
  }
}
