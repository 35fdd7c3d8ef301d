/** Files and streams as commands use them: bounded to read, whole or not at all to write. */
import { createReadStream } from 'node:fs';
import { lstat, writeFile } from 'node:fs/promises';
import { writeAtomically } from '../files/atomic.ts';
import { CommandLineError } from './failure.ts';

/** The longest message that is signed, encrypted or decrypted: it is held in memory whole. */
export const MAX_MESSAGE = 64 * 1024 * 1024;

/**
 * Reads a file, a pipe, or stdin for `-` and for none, whole.
 *
 * @throws CommandLineError `bad_input` if it is longer than `max` bytes
 */
export async function readInput(
  file: string | undefined,
  { max }: { readonly max: number },
): Promise<Uint8Array> {
  const isStdin = file === undefined || file === '-';
  const stream = isStdin ? process.stdin : createReadStream(file);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > max) {
        throw new CommandLineError('bad_input', `${isStdin ? 'stdin' : file} is longer than ${max} bytes`);
      }
      chunks.push(chunk);
    }
    return Uint8Array.from(Buffer.concat(chunks));
  } finally {
    for (const chunk of chunks) chunk.fill(0);
    if (!isStdin) stream.destroy();
  }
}

/** Reads text in UTF-8 as {@link readInput} does. */
export async function readTextInput(
  file: string | undefined,
  { max }: { readonly max: number },
): Promise<string> {
  const bytes = await readInput(file, { max });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CommandLineError('bad_input', 'the input is not text in UTF-8');
  } finally {
    bytes.fill(0);
  }
}

/** JSON without what V8 adds to its errors, which quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface WriteFileOptions {
  /** Put it in the place of a file that is there. */
  readonly force?: boolean | undefined;
  /** Readable by its owner alone (0600) unless it is public. */
  readonly isPublic?: boolean;
}

/**
 * Writes a file in one step: readers see no file, the old file or the whole new one.
 *
 * @throws Error with code EEXIST if there is one and it is not to be replaced
 */
export async function writeOutput(
  file: string,
  data: string | Uint8Array | AsyncIterable<string>,
  { force = false, isPublic = false }: WriteFileOptions = {},
): Promise<void> {
  const options = { mode: isPublic ? 0o666 : 0o600, exclusive: !force };
  await writeAtomically(file, (handle) => writeFile(handle, data), options);
}

/**
 * Fails before any work is done if an output file already exists.
 *
 * @throws CommandLineError `exists`
 */
export async function assertAbsent(
  file: string | undefined,
  {
    force = false,
    advice = '; --force replaces it',
  }: { readonly force?: boolean | undefined; readonly advice?: string } = {},
): Promise<void> {
  if (file === undefined || file === '-' || force) return;
  const found = await lstat(file).catch(() => undefined);
  if (found) throw new CommandLineError('exists', `${file} exists already${advice}`);
}
