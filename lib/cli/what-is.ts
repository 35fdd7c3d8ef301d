/** Identifies a file that was given in place of another, so that it is not reported as damaged. */
import { stat } from 'node:fs/promises';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readJsonFile } from '../device/private-file.ts';

const KINDS: readonly (readonly [members: readonly string[], kind: string])[] = [
  [['ticket', 'salt'], 'a device record'],
  [['t', 'assistant'], 'a disabling kit'],
  [['keys', 'version'], "an assistant's key set"],
  [['keys'], 'a list of public keys'],
  [['kty', 'd'], 'a private key'],
  [['kty'], 'a public key'],
];

/** What lies there; `undefined` where that is not known. */
export async function whatIs(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) return 'a folder';
  if (found && !found.isFile()) return 'not a regular file';
  if (found?.size === 0) return 'empty';
  const value = await readJsonFile(file).catch(() => undefined);
  if (typeof value !== 'object' || value === null) return found ? 'not JSON, or not whole' : undefined;
  return KINDS.find(([members]) => members.every((member) => Object.hasOwn(value, member)))?.[1];
}

/**
 * Reads a file, and where it is refused says what else it is.
 *
 * @param wanted what it should be
 */
export async function readAs<T>(wanted: string, file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isFolder = (error as NodeJS.ErrnoException).code === 'EISDIR';
    if (!isFolder && !isRoamingKeyError(error, 'bad_record', 'bad_kit')) throw error;
    const kind = await whatIs(file);
    if (kind === undefined || kind === wanted) throw error;
    const code = isRoamingKeyError(error) ? error.code : 'bad_record';
    throw new RoamingKeyError(code, `${file} is ${kind}, and ${wanted} is wanted`, { cause: error });
  }
}
