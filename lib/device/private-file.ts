/** Small JSON files that belong to one user, mode 0600. Node only. */
import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';

const MAX_FILE = 65_536;
const MODE = 0o600;
const IS_WINDOWS = process.platform === 'win32';

/**
 * Reads a JSON file.
 *
 * @returns the value, or `undefined` where it is longer than 64 KiB, no regular file, or not JSON in UTF-8
 * @throws Error of the file system, `ENOENT` among them
 */
export async function readJsonFile(file: string): Promise<unknown> {
  // Without O_NONBLOCK, opening a FIFO that somebody put there would wait for ever.
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
 * Replaces a file at one stroke: whoever reads sees the old one or the new one, also after a loss of power.
 *
 * @throws Error of the file system; the old file is untouched then
 */
export async function replaceJsonFile(file: string, value: unknown): Promise<void> {
  const folder = path.dirname(file);
  const draft = path.join(folder, `.${randomBytes(12).toString('hex')}.tmp`);
  try {
    await write(await open(draft, 'wx', MODE), value);
    await rename(draft, file);
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Makes a new file and never replaces one. No draft is renamed here: USB sticks cannot rename without replacing, so
 * that a loss of power can leave an incomplete file, which reads as damaged.
 *
 * @throws Error of the file system, `EEXIST` if there is a file of that name
 */
export async function createJsonFile(file: string, value: unknown): Promise<void> {
  const handle = await open(file, 'wx', MODE);
  try {
    await write(handle, value);
  } catch (error) {
    await unlink(file).catch(() => {});
    throw error;
  }
  await syncFolder(path.dirname(file));
}

async function write(handle: FileHandle, value: unknown): Promise<void> {
  try {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a change of names durable. Windows has no handle on folders and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (IS_WINDOWS) return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
