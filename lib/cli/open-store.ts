import { access } from 'node:fs/promises';
import { Option } from 'commander';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { parseUrl } from '../base/url.ts';
import type { Store } from '../store/store.ts';
import { defaultInData } from './data-folder.ts';
import { CommandLineError } from './failure.ts';

/** The option that names an assistant's store. */
export function storeOption(): Option {
  const option = new Option(
    '--store <url>',
    'sqlite:FILE, postgres://…, redis://… or memory: (a URL with a password: in the environment alone)',
  ).env('ROAMING_KEY_STORE');
  return defaultInData(option, 'assistant/store.db', 'sqlite:');
}

/**
 * Opens a store that need not exist yet. The caller closes it.
 *
 * @throws CommandLineError `usage` for a URL that names no store, or that shows a password to all users of the machine
 */
export async function openStore(url: string): Promise<Store> {
  if (isArgument(url) && hasPassword(url)) {
    throw new CommandLineError(
      'usage',
      'arguments are seen by everybody on this machine: give a store URL with a password by ROAMING_KEY_STORE',
    );
  }
  const { storeFromUrl } = await import('../store/url.ts');
  let store: Store | undefined;
  try {
    store = await storeFromUrl(url);
    await store.init();
    return store;
  } catch (error) {
    await store?.close().catch(() => {});
    throw storeFailure(error);
  }
}

/**
 * Opens a store that must exist: a backup of a mistyped name would be empty, without an error.
 *
 * @throws CommandLineError `not_found`; `usage` for memory, which no other process sees
 */
export async function openExistingStore(url: string): Promise<Store> {
  if (url.startsWith('memory:'))
    throw new CommandLineError('usage', 'a store in memory is seen by its own process alone');
  if (url.startsWith('sqlite:')) {
    const file = url.slice('sqlite:'.length).replace(/^\/\//, '');
    await access(file).catch(() => {
      throw new CommandLineError('not_found', `${file}: there is no such store`);
    });
  }
  return openStore(url);
}

/** Runs with a store that is closed afterwards. */
export async function withStore<T>(store: Promise<Store>, use: (store: Store) => Promise<T>): Promise<T> {
  const opened = await store;
  try {
    return await use(opened);
  } catch (error) {
    throw storeFailure(error);
  } finally {
    await opened.close();
  }
}

/** Drivers have errors of their own kinds; what else may go wrong beside a store stays as it is. */
function storeFailure(error: unknown): unknown {
  const { syscall, message, code, cause } = error as NodeJS.ErrnoException;
  if (error instanceof CommandLineError || isRoamingKeyError(error) || syscall !== undefined) return error;
  if (error instanceof TypeError && code === undefined) return error;
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_MODULE_NOT_FOUND') {
    return new CommandLineError('not_found', message, error);
  }
  return new RoamingKeyError('unavailable', `the store cannot be used: ${message}`, { cause: error });
}

function isArgument(url: string): boolean {
  return process.argv.some((argument) => argument === url || argument === `--store=${url}`);
}

function hasPassword(url: string): boolean {
  const parsed = parseUrl(url);
  return parsed !== undefined && (parsed.password !== '' || parsed.searchParams.has('password'));
}
