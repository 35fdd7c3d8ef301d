/** What the client has for Node alone: records and disabling kits as files. */
import { type DisablingKit, parseKit } from '../protocol/disabling.ts';
import { createJsonFile, readJsonFile } from './private-file.ts';

export { sshPublicKey } from '../crypto/ssh/encoding.ts';
export { type SignBytes, sshSignature } from '../crypto/ssh/sshsig.ts';
export { fileRecords } from './file-records.ts';

/**
 * Writes a disabling kit to a new file, mode 0600. It belongs on another device than the key.
 *
 * A file that exists is never replaced: it may be the only kit of another key.
 *
 * @throws RoamingKeyError `bad_kit` if it is not a kit
 * @throws Error of the file system, `EEXIST` if there is such a file
 */
export async function writeKitFile(file: string, kit: DisablingKit): Promise<void> {
  await createJsonFile(file, parseKit(kit));
}

/**
 * Reads a disabling kit from a file.
 *
 * @throws RoamingKeyError `bad_kit` if the file is damaged or something else
 * @throws Error of the file system, `ENOENT` if it is missing
 */
export async function readKitFile(file: string): Promise<DisablingKit> {
  return parseKit(await readJsonFile(file));
}
