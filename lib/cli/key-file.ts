/** An assistant's key file, as the commands that keep and serve it use it. */
import type { KeySet } from '../assistant/keys.ts';
import { CommandLineError } from './failure.ts';
import { parseJson } from './files.ts';

/** What may be shown of one key. */
export interface ListedKey {
  readonly kid: string;
  readonly type: string;
  readonly state: 'active' | 'retiring';
  /** Since when it is in this state, in seconds since the epoch. */
  readonly since: number;
}

/**
 * Reads a key set.
 *
 * @throws CommandLineError `not_found`; `bad_input` where the file holds none, or others may read it
 */
export async function loadKeys(file: string): Promise<KeySet> {
  const { KeySet } = await import('../assistant/keys.ts');
  try {
    return await (isInEnvironment(file) ? KeySet.from(await readKeys(file)) : KeySet.load(file));
  } catch (error) {
    if (error instanceof TypeError) throw new CommandLineError('bad_input', error.message);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CommandLineError(
      'not_found',
      `${file}: there is no key set; \`roaming-key keys generate\` makes one`,
    );
  }
}

const ENVIRONMENT = 'env:';

function isInEnvironment(file: string): boolean {
  return file.startsWith(ENVIRONMENT);
}

/** The text of a key set: of a file, or of the variable of `env:NAME`. */
async function readKeys(file: string): Promise<string> {
  if (!isInEnvironment(file)) return (await import('../files/private-file.ts')).readPrivateFile(file);
  const text = process.env[file.slice(ENVIRONMENT.length)];
  if (text) return text;
  throw new CommandLineError('not_found', `${file}: there is no such variable in the environment`);
}

/**
 * Requires a file that can be written.
 *
 * @throws CommandLineError `bad_input` for `env:NAME`
 */
export function assertKeyFile(file: string): void {
  if (isInEnvironment(file))
    throw new CommandLineError(
      'bad_input',
      `${file} cannot be changed: name a file, and put its text into the environment`,
    );
}

/** Shows a key set's keys, the active one first. */
export async function listKeys(file: string): Promise<readonly ListedKey[]> {
  const published = (await loadKeys(file)).jwks().keys as readonly {
    kid: string;
    kty: string;
    crv?: string;
  }[];
  // Loading has checked the form.
  const { keys } = parseJson(await readKeys(file)) as {
    keys: { state: ListedKey['state']; since: number }[];
  };
  const entries = [
    ...keys.filter(({ state }) => state === 'active'),
    ...keys.filter(({ state }) => state === 'retiring'),
  ];
  return published.map(({ kid, crv = 'RSA-OAEP-256' }, i) => {
    const { state, since } = entries[i] as (typeof entries)[number];
    return { kid, type: crv, state, since };
  });
}

/**
 * Changes a key file; two changes at once would lose one of the new keys, and every ticket sealed to it.
 *
 * @throws RoamingKeyError `busy` where another process is changing it
 */
export async function changeKeys<T>(file: string, change: (set: KeySet) => T | Promise<T>): Promise<T> {
  assertKeyFile(file);
  const { withFileLock } = await import('../files/lock.ts');
  return withFileLock(`${file}.lock`, async (requireHeld) => {
    const set = await loadKeys(file);
    const result = await change(set);
    await requireHeld();
    await set.save(file);
    return result;
  });
}
