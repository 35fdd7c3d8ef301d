import type { BoundOptions, CheckOptions } from '../databases/bounded.ts';
import { MemoryStore } from './memory.ts';
import { SqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

/** Options for stores on a server; the others have no use for them. */
export interface StoreUrlOptions extends BoundOptions, CheckOptions {}

/** Loads an optional peer, and says what to install where it is missing. */
async function peer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error;
    throw new Error(`this store needs the package ${name}: npm install ${name}`, { cause: error });
  }
}

/** Runs what parses the URL; its own error may hold the URL, in its message or in a member. */
function parsing<T>(parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new TypeError(
      'the store URL cannot be read: in it, special characters of a password are percent-encoded',
    );
  }
}

/**
 * Opens the store that a URL names; it connects at `init` or at its first operation, and closing it closes its connections.
 *
 * @param url `memory:`, `sqlite:FILE`, `redis://…`, `rediss://…`, `postgres://…` or `postgresql://…`
 * @throws TypeError where the URL names no store; never with the URL in it, as it may hold a password
 * @example
 * const store = await storeFromUrl(process.env.STORE_URL ?? 'sqlite:data/roaming-key.db')
 * await store.init()
 */
export async function storeFromUrl(url: string, options: StoreUrlOptions = {}): Promise<Store> {
  const scheme = /^([a-z]+):/.exec(url)?.[1];
  switch (scheme) {
    case 'memory':
      return new MemoryStore();
    case 'sqlite':
      return new SqliteStore(url.slice('sqlite:'.length).replace(/^\/\//, ''));
    case 'redis':
    case 'rediss': {
      const { createClient } = await peer('redis', () => import('redis'));
      const { RedisStore } = await import('./redis.ts');
      return new RedisStore({ ...options, client: parsing(() => createClient({ url })), owned: true });
    }
    case 'postgres':
    case 'postgresql': {
      const { Client, Pool } = await peer('pg', () => import('pg'));
      parsing(() => new Client({ connectionString: url }));
      const { PostgresStore } = await import('./postgres.ts');
      const connectionTimeoutMillis = options.timeout ?? 5000;
      return new PostgresStore({
        ...options,
        pool: new Pool({ connectionString: url, connectionTimeoutMillis }),
        owned: true,
      });
    }
    default:
      throw new TypeError('the store URL must begin with memory:, sqlite:, redis:, rediss: or postgres:');
  }
}
