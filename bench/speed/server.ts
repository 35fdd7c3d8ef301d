/**
 * A server of its own process, so that its processor time is its own. Tells its parent where it listens, and on request
 * what it has used so far.
 *
 * Run by `measured-server.ts`: node server.js <app> <JSON of the app's options>
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { apps } from './apps/index.ts';

/** Microseconds of processor time, and bytes of memory, of this process so far. */
export interface Usage {
  /** All threads, user and system. */
  readonly all: number;
  /** The thread that answers requests; `undefined` where the system does not say. */
  readonly main: number | undefined;
  readonly heap: number;
  readonly resident: number;
}

/** What a server says to its parent. */
export type Said = { readonly listening: number } | { readonly usage: Usage };

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss } = process.memoryUsage();
  return { all: user + system, main: mainThread(), heap: heapUsed, resident: rss };
}

/** Linux counts nanoseconds for each thread; that of the main one bears the process's number. */
function mainThread(): number | undefined {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
    return Number(text.split(' ')[0]) / 1000;
  } catch {
    return undefined;
  }
}

const [name = '', options = '{}'] = process.argv.slice(2);
const app = apps[name as keyof typeof apps];
if (!app) throw new Error(`there is no app ${name}`);
const server = createServer(await app(JSON.parse(options)));
// Connections of one round are there in the next.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => say({ listening: (server.address() as AddressInfo).port }));

process.on('message', (asked) => {
  if (asked === 'collect') globalThis.gc?.();
  say({ usage: usage() });
});
process.on('disconnect', () => process.exit(0));

function say(said: Said): void {
  process.send?.(said);
}
