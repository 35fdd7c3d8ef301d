/** Files that hold secrets: readable by their owner alone, and either the old content or the new, never half. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * Reads a file that nobody else may read.
 *
 * @throws TypeError if group or others may
 */
export async function readPrivateFile(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { mode } = await handle.stat();
    if (process.platform !== 'win32' && mode & 0o077) {
      throw new TypeError(`${file} holds secrets and others may read it: chmod 600 it`);
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file with mode 0600 as one atomic step that survives a crash right afterwards; makes its folder (0700).
 *
 * @param options.exclusive refuse, with code EEXIST, if there is such a file already
 */
export async function writePrivateFile(
  file: string,
  text: string,
  { exclusive = false }: { readonly exclusive?: boolean } = {},
): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (exclusive) await link(draft, file);
    else await rename(draft, file);
    await syncFolder(folder);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Makes a renaming durable, where the platform lets a folder be opened. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
