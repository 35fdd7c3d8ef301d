import { chmod, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { wrongOption } from '../base/options.ts';
import { syncFolder } from '../files/atomic.ts';
import { withFileLock } from '../files/lock.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import { readJsonFile, replaceJsonFile } from './private-file.ts';
import { isSameRecord, type Records, recordName, requireSameKey } from './records.ts';

/** Keeps clear of hidden files, and of what Windows takes for devices (CON, NUL). */
const PREFIX = 'key-';
const SUFFIX = '.json';
/** Held while a record is changed, by all processes that use the folder. */
const LOCK = '.lock';

/**
 * Device records as files for Node: one file a name, mode 0600, in a folder of their own, mode 0700.
 *
 * A damaged file is `bad_record`, and is left as it is until it is saved anew or removed. Errors of the file system
 * come through unchanged. Processes that change records in one folder take turns; one that waits for more than 15 seconds
 * gives up (`busy`).
 *
 * @param folder made at the first save; if others may enter it, saving takes that right from them
 * @throws TypeError if `folder` is empty or not a string
 *
 * @example
 * const records = fileRecords(path.join(os.homedir(), '.roaming-keys'));
 * await records.save('alice@example.org', record);
 */
export function fileRecords(folder: string): Records {
  if (typeof folder !== 'string' || folder === '') throw wrongOption('folder', 'a path', folder);
  const root = path.resolve(folder);
  const lock = path.join(root, LOCK);
  return {
    async load(name) {
      const value = await read(path.join(root, fileName(name)));
      return value === MISSING ? undefined : parseRecord(value);
    },
    async save(name, record) {
      const file = path.join(root, fileName(name));
      const checked = parseRecord(record);
      await mkdir(root, { recursive: true, mode: 0o700 });
      if (((await stat(root)).mode & 0o077) !== 0) await chmod(root, 0o700);
      await withFileLock(lock, async (requireHeld) => {
        requireSameKey(await read(file), checked);
        await requireHeld();
        await replaceJsonFile(file, checked);
      });
    },
    async replace(name, replaced, record) {
      const file = path.join(root, fileName(name));
      return replaceInFile({ file, lock, load: () => read(file) }, replaced, parseRecord(record));
    },
    async remove(name) {
      const file = path.join(root, fileName(name));
      try {
        await withFileLock(lock, async (requireHeld) => {
          await requireHeld();
          await unlink(file);
        });
      } catch (error) {
        if (isMissing(error)) return;
        throw error;
      }
      await syncFolder(root);
    },
    async list() {
      try {
        return (await readdir(root))
          .map(nameOfFile)
          .filter((name) => name !== undefined)
          .sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
  };
}

/** Where a record is kept, and the lock that its changes take. */
interface RecordFile {
  readonly file: string;
  readonly lock: string;
  /** Reads what is kept now. */
  readonly load: () => Promise<unknown>;
}

/**
 * Writes a record in the place of `replaced`, unless another process has changed what is kept.
 *
 * @returns whether it was still what is kept
 * @throws RoamingKeyError `busy` where the lock cannot be had
 */
export async function replaceInFile(
  { file, lock, load }: RecordFile,
  replaced: DeviceRecord,
  record: DeviceRecord,
): Promise<boolean> {
  if (!isSameRecord(await load(), replaced)) return false;
  return withFileLock(lock, async (requireHeld) => {
    if (!isSameRecord(await load(), replaced)) return false;
    await requireHeld();
    await replaceJsonFile(file, record);
    return true;
  });
}

const MISSING = Symbol('missing');

function read(file: string): Promise<unknown> {
  return readJsonFile(file).catch((error: unknown) => {
    if (isMissing(error)) return MISSING;
    throw error;
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * A file name for any record name: lower-case letters, digits and `-_@.` stand for themselves, every other byte as
 * `%` and two lower-case hex digits. So no name leaves the folder, and file systems that ignore case, or that
 * normalise Unicode, still tell all names apart.
 */
function fileName(name: string): string {
  const safe = Array.from(recordName(name), (byte) => {
    const character = String.fromCharCode(byte);
    return /[a-z0-9_@.-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  });
  return `${PREFIX}${safe.join('')}${SUFFIX}`;
}

/** The record name that a file stands for; `undefined` for files that are not ours. */
function nameOfFile(file: string): string | undefined {
  if (!file.startsWith(PREFIX) || !file.endsWith(SUFFIX)) return undefined;
  try {
    const name = decodeURIComponent(file.slice(PREFIX.length, -SUFFIX.length));
    return fileName(name) === file ? name : undefined;
  } catch {
    return undefined;
  }
}
