/** Small JSON files that belong to one user, mode 0600. Node only. */
import { constants, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { syncFile, syncFolder, writeAtomically } from '../files/atomic.ts';

const MAX_FILE = 65_536;

/**
 * Reads a JSON file.
 *
 * @returns the value, or `undefined` where it is longer than 64 KiB, no regular file, or not JSON in UTF-8
 * @throws Error of the file system, `ENOENT` among them
 */
export async function readJsonFile(file: string): Promise<unknown> {
  // Without O_NONBLOCK, opening a FIFO at this path would block without end.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  const buffer = new Uint8Array(MAX_FILE + 1);
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = (await handle.read(buffer, length, buffer.length - length)).bytesRead;
    }
    if (length > MAX_FILE) return undefined;
    return parse(buffer.subarray(0, length));
  } finally {
    buffer.fill(0);
    await handle.close();
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * Replaces a file at one stroke, or what a link of that name points at: a reader sees the old one or the new one, also
 * after a loss of power.
 *
 * @throws Error of the file system; the old file is untouched then
 */
export function replaceJsonFile(file: string, value: unknown): Promise<void> {
  return writeAtomically(file, (handle) => handle.writeFile(spell(value)));
}

/**
 * Makes a new file and never replaces one. No draft is renamed here: USB sticks cannot rename without replacing, so
 * that a loss of power can leave an incomplete file, which reads as damaged.
 *
 * @throws Error of the file system, `EEXIST` if there is a file of that name
 */
export async function createJsonFile(file: string, value: unknown): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(spell(value));
    await syncFile(handle);
  } catch (error) {
    await unlink(file).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
  await syncFolder(path.dirname(file));
}

function spell(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
