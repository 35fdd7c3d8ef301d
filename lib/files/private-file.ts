/** Files that hold secrets: readable by their owner alone, and either the old content or the new, never half. */
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from './atomic.ts';

/**
 * Reads a file that only this process's user may read. A file of another owner may be readable by its group: Kubernetes
 * mounts secrets so (`fsGroup`), for a user that cannot change their mode.
 *
 * @throws TypeError if others may read it, or its group may write it
 */
export async function readPrivateFile(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { mode, uid } = await handle.stat();
    const tooOpen = uid === process.getuid?.() ? 0o077 : 0o037;
    if (process.platform !== 'win32' && mode & tooOpen) {
      throw new TypeError(
        `${file} holds secrets and others may use it (mode ${(mode & 0o777).toString(8)}): chmod 600 it`,
      );
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
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await writeAtomically(file, (handle) => handle.writeFile(text), { exclusive });
}
