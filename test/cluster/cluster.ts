import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KeySet } from '../../lib/assistant/keys.ts';
import type { AssistantJwk } from '../../lib/crypto/jwe/jwe.ts';
import type { GuessPolicy } from '../../lib/store/guess-policy.ts';
import { programOf } from '../support/builds.ts';
import type { Engine } from './engines.ts';
import type { ServerSettings } from './server-worker.ts';

export interface ClusterOptions {
  readonly engine: Engine;
  readonly processes: number;
  readonly policy: GuessPolicy;
  /** Where the processes find their store, if not where the engine says: a proxy's, or one on a small disk. */
  readonly url?: string;
  /** How long a store waits, in milliseconds. Default 5000. */
  readonly timeout?: number;
}

/** What a process wrote down. */
export interface AuditLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly type: string;
  readonly id?: string;
}

interface Process {
  readonly child: ChildProcess;
  readonly url: string;
}

let built: Promise<string> | undefined;

/** Processes that are killed all the time must start fast. */
function program(): Promise<string> {
  built ??= programOf(path.join(import.meta.dirname, 'server-worker.ts'));
  return built;
}

/** Assistants in processes of their own that share keys and a store, as behind a load balancer. */
export class Cluster {
  readonly jwk: AssistantJwk;
  readonly policy: GuessPolicy;
  /** Milliseconds within which every request must have an answer, whatever the store does. */
  readonly bound: number;
  readonly agent = new Agent({ keepAlive: true, maxSockets: 128 });
  readonly #folder: string;
  readonly #settings: ServerSettings;
  readonly #processes: (Process | undefined)[] = [];
  #offset = 0;
  #turn = 0;

  private constructor(folder: string, jwk: AssistantJwk, settings: ServerSettings, policy: GuessPolicy) {
    this.#folder = folder;
    this.jwk = jwk;
    this.#settings = settings;
    this.policy = policy;
    // At most three operations of the store, each given up after twice its own time, and the slack of a loaded machine.
    this.bound = 6 * settings.timeout + 20_000;
  }

  static async start({ engine, processes, policy, url = engine.url, timeout = 5000 }: ClusterOptions) {
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-cluster-'));
    const keys = path.join(folder, 'keys.json');
    const { active } = await KeySet.file(keys);
    const settings = { store: url, keys, audit: path.join(folder, 'audit'), policy, timeout };
    const cluster = new Cluster(folder, active.jwk, settings, policy);
    await Promise.all(Array.from({ length: processes }, (_, i) => cluster.startProcess(i)));
    return cluster;
  }

  async startProcess(i: number): Promise<void> {
    const args = [await program(), JSON.stringify(this.#settings)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`an assistant's process ended with ${code} before it listened`);
    });
    const [{ port }] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    ended.catch(() => {});
    this.#processes[i] = { child, url: `http://127.0.0.1:${port}/assistant` };
    if (this.#offset) await this.#setClock(child);
  }

  /** Ends a process as the kernel does when memory runs out: at once, whatever it is doing. */
  async kill(i: number): Promise<void> {
    const { child } = this.#processes[i] as Process;
    this.#processes[i] = undefined;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  get urls(): readonly string[] {
    return this.#processes.flatMap((one) => (one ? [one.url] : []));
  }

  /** The processes that live, one after the other; `undefined` while there is none. */
  nextUrl(): string | undefined {
    this.#turn += 1;
    return this.urls[this.#turn % this.urls.length];
  }

  /** Sets the clocks of all processes, of the assistant and of a store in a file, to `offset` seconds off. */
  async setClocks(offset: number): Promise<void> {
    this.#offset = offset;
    await Promise.all(this.#processes.flatMap((one) => (one ? [this.#setClock(one.child)] : [])));
  }

  now(): number {
    return Math.floor(Date.now() / 1000) + this.#offset;
  }

  /** What all processes have written down. */
  audit(): AuditLine[] {
    const text = readFileSync(this.#settings.audit, 'utf8');
    return text.split('\n').flatMap((line) => (line ? [JSON.parse(line) as AuditLine] : []));
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await Promise.all(this.#processes.flatMap((one, i) => (one ? [this.kill(i)] : [])));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #setClock(child: ChildProcess): Promise<void> {
    child.send({ offset: this.#offset });
    await once(child, 'message');
  }
}
