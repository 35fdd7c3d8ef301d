import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { AppName } from './apps/index.ts';
import type { Said, Usage } from './server.ts';

/** One request, ready to be sent. */
export interface Prepared {
  readonly path: string;
  readonly body: string;
}

/** What many requests cost. */
export interface Cost {
  /** Microseconds of the server's processor time, all threads. */
  readonly cpu: number;
  /** The same of all threads but the one that answers. */
  readonly workerCpu: number;
  /** Milliseconds each request took, in the order in which they ended. */
  readonly latencies: readonly number[];
  /** Milliseconds from the first request to the last answer. */
  readonly wall: number;
  /** The answers' bodies, in the order of the requests. */
  readonly answers: readonly string[];
}

const SERVER_CORE = '0';
const CLIENT_CORE = '1';
/** Further options of the servers' node program, `--cpu-prof` for instance. */
const NODE_OPTIONS = process.env['BENCH_SERVER_OPTIONS']?.split(' ') ?? [];
const canPin = spawnSync('taskset', ['--version']).status === 0;

/** Keeps this process away from the servers' core; where that cannot be done, says so. */
export function pinClient(): boolean {
  return canPin && spawnSync('taskset', ['-a', '-c', '-p', CLIENT_CORE, String(process.pid)]).status === 0;
}

export interface ServerOptions {
  /** Whether it gets one core to itself. Default true. */
  readonly pinned?: boolean;
  /** Options of the app. */
  readonly app?: object;
}

/** A server in a process of its own, pinned to one core. */
export class MeasuredServer {
  readonly origin: string;
  readonly #child: ChildProcess;
  readonly #pools = new Map<number, Pool>();

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.origin = `http://127.0.0.1:${port}`;
  }

  static async start(
    name: AppName,
    { pinned = true, app = {} }: ServerOptions = {},
  ): Promise<MeasuredServer> {
    const node = [
      process.execPath,
      '--expose-gc',
      ...NODE_OPTIONS,
      `${import.meta.dirname}/server.js`,
      name,
      JSON.stringify(app),
    ];
    const [command, ...args] = pinned && canPin ? ['taskset', '-c', SERVER_CORE, ...node] : node;
    const child = spawn(command as string, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const said = await heard(child);
    if (!('listening' in said)) throw new Error(`the server ${name} does not listen`);
    return new MeasuredServer(child, said.listening);
  }

  /** Sends requests over so many connections and tells what they cost the server. */
  async send(requests: readonly Prepared[], connections: number): Promise<Cost> {
    const before = await this.usage();
    const latencies: number[] = [];
    const answers: string[] = [];
    let next = 0;
    const one = async () => {
      while (next < requests.length) {
        const at = next++;
        const sent = performance.now();
        answers[at] = await this.#ask(requests[at] as Prepared, connections);
        latencies.push(performance.now() - sent);
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: connections }, one));
    const wall = performance.now() - started;
    const after = await this.usage();
    const cpu = after.all - before.all;
    const main = (after.main ?? after.all) - (before.main ?? before.all);
    return { cpu, workerCpu: cpu - main, latencies, wall, answers };
  }

  /** Milliseconds that one request takes, over one of so many connections. */
  async time(request: Prepared, connections = 1): Promise<number> {
    const sent = performance.now();
    await this.#ask(request, connections);
    return performance.now() - sent;
  }

  /** @param collect whether garbage is to be collected first */
  async usage({ collect = false } = {}): Promise<Usage> {
    const answer = heard(this.#child);
    this.#child.send(collect ? 'collect' : 'usage');
    const said = await answer;
    if (!('usage' in said)) throw new Error('the server says something else');
    return said.usage;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#child.disconnect();
    while (this.#child.exitCode === null && this.#child.signalCode === null) await sleep(5);
  }

  async #ask({ path, body }: Prepared, connections: number): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#pool(connections).request({ path, method: 'POST', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${text}`);
    return text;
  }

  #pool(connections: number): Pool {
    const pool = this.#pools.get(connections) ?? new Pool(this.origin, { connections, pipelining: 1 });
    this.#pools.set(connections, pool);
    return pool;
  }
}

function heard(child: ChildProcess): Promise<Said> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('the server ended'));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as Said);
    });
  });
}
