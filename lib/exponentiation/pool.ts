import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { wipe } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { findGroup, safePrimeOf } from '../math/groups.ts';
import { i2osp } from '../math/integer.ts';
import type { Exponentiator, GroupPowers, GroupPowersJob, PowerJob } from '../protocol/exponentiator.ts';
import { FairQueue } from './fair-queue.ts';
import { findWorker, NO_WORKER } from './worker-file.ts';

/** How large a pool is and how long its work may take. */
export interface ExponentiationPoolOptions {
  /** Worker threads. Default: one less than the processors, at least one. */
  readonly size?: number;
  /**
   * Requests that may wait for a worker, besides one for each worker; further ones are answered `busy`. One address gets at
   * most half of them, and the less the more addresses there are. Default 64 for each worker.
   */
  readonly queue?: number;
  /**
   * Milliseconds a job may wait, and again may run, before it is given up. Default 10000, and never as much as half of what
   * a reservation lives.
   */
  readonly timeLimit?: number;
  /** The clock, in whole seconds since the epoch. Default the system's. */
  readonly now?: () => number;
}

/** What a pool is doing. */
export interface ExponentiationPoolStatus {
  /** Workers that passed their self-test and are alive. */
  readonly workers: number;
  /** Jobs that a worker is doing. */
  readonly running: number;
  /** Jobs that wait. */
  readonly waiting: number;
  /** Whether OpenSSL exponentiates in constant time; else BigInt does, with exponents split at random. */
  readonly constantTime: boolean;
}

type Work =
  | {
      readonly kind: 'power';
      readonly modulus: Uint8Array;
      readonly base: Uint8Array;
      readonly exponent: Uint8Array;
    }
  | {
      readonly kind: 'groupPowers';
      readonly modulus?: Uint8Array;
      readonly generator: Uint8Array;
      readonly base: Uint8Array;
      readonly exponents: readonly Uint8Array[];
    };

type Message =
  | { readonly ready: true; readonly openssl: boolean }
  | { readonly ready?: undefined; readonly id: number; readonly results: Uint8Array[] | undefined };

/**
 * What one request may do in a pool. It takes a place before its password is looked at, so that a pool without room costs no
 * reservation; jobs are accepted while it has one.
 */
export interface Visit extends Exponentiator {
  /** @throws RoamingKeyError `busy` where the address has no further place; `unavailable` where the pool is closed */
  enter(): void;
  /** Gives the place back; idempotent. */
  leave(): void;
}

interface Job {
  readonly id: number;
  readonly address: string;
  readonly work: Work;
  /** Copies of the exponents, which go to the worker and are wiped there, or here if they never go. */
  readonly secrets: readonly Uint8Array<ArrayBuffer>[];
  readonly resolve: (results: readonly Uint8Array[]) => void;
  readonly reject: (error: RoamingKeyError) => void;
  timer: NodeJS.Timeout | undefined;
}

interface Thread {
  readonly worker: Worker;
  ready: boolean;
  job: Job | undefined;
}

const WORKER_DATA = 'roaming-key exponentiation';
const FIRST_RESTART_DELAY = 100;
const LONGEST_RESTART_DELAY = 30_000;
const MIN_MODULUS_LENGTH = 128;
const MAX_MODULUS_LENGTH = 512;

/**
 * Threads that exponentiate for an assistant, so that no other request waits and no time tells an exponent
 * (docs/protocol.md section 5).
 *
 * Everything is bounded: threads, waiting jobs, each job's time. Addresses are served in turn, so that one of them cannot keep
 * the others waiting. A worker that dies or hangs is replaced and its job rejected with `unavailable`. An idle pool does not
 * keep the process alive.
 *
 * @example
 * const pool = new ExponentiationPool({ size: 2 });
 * const nu = await pool.power({ modulus, base, exponent });
 */
export class ExponentiationPool implements Exponentiator {
  readonly #size: number;
  readonly #places: number;
  readonly #timeLimit: number;
  readonly #now: () => number;
  readonly #threads = new Set<Thread>();
  readonly #waiting = new FairQueue<Job>();
  /** Places taken, by address. */
  readonly #taken = new Map<string, number>();
  #takenInAll = 0;
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #script = findWorker();
  #nextId = 1;
  #failedStarts = 0;
  #constantTime = true;
  #closing = false;
  #started: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  /** @throws RangeError naming the option that is out of its range */
  constructor(options: ExponentiationPoolOptions = {}) {
    const size = options.size ?? Math.max(1, availableParallelism() - 1);
    this.#size = within('size', size, 1, 256);
    this.#places = size + within('queue', options.queue ?? 64 * size, 0, 1_000_000);
    this.#timeLimit = within('timeLimit', options.timeLimit ?? 10_000, 1, 600_000);
    this.#now = options.now ?? epochSeconds;
  }

  /**
   * Starts the workers and waits until each has compared its ways of computing with each other. The first job does it
   * too; an app that wants to know before it listens calls it itself.
   *
   * @throws RoamingKeyError `unavailable` where a worker does not start
   */
  start(): Promise<void> {
    if (this.#closing) return Promise.reject(this.#unavailable('the worker pool is closed'));
    if (!this.#script) return Promise.reject(this.#unavailable(NO_WORKER));
    this.#started ??= Promise.all(Array.from({ length: this.#size }, () => this.#spawn())).then(() => {});
    return this.#started;
  }

  /** Lets a request's jobs in, under the address whose turn they take. */
  visit(address = ''): Visit {
    let isIn = false;
    return {
      enter: () => {
        if (!isIn) this.#enter(address);
        isIn = true;
      },
      leave: () => {
        if (isIn) this.#leave(address);
        isIn = false;
      },
      power: (job) => this.power(job, address),
      groupPowers: (job) => this.groupPowers(job, address),
    };
  }

  /** An address may take as many places as it leaves free for others. */
  #enter(address: string): void {
    if (this.#closing) throw this.#unavailable('the worker pool is closed');
    if (!this.#script) throw this.#unavailable(NO_WORKER);
    const taken = this.#taken.get(address) ?? 0;
    if (taken >= this.#places - this.#takenInAll) throw this.#busy();
    this.#taken.set(address, taken + 1);
    this.#takenInAll += 1;
  }

  #leave(address: string): void {
    const taken = this.#taken.get(address) ?? 0;
    this.#takenInAll -= 1;
    if (taken > 1) this.#taken.set(address, taken - 1);
    else this.#taken.delete(address);
  }

  /**
   * @param address whose turn the job takes; places are not asked about here, see {@link ExponentiationPool.visit}
   * @throws RangeError for numbers of sizes or forms that a validated ticket cannot have
   * @throws RoamingKeyError `busy` where no worker was free in time, `unavailable` where one died or the pool is closed
   */
  async power({ modulus, base, exponent }: PowerJob, address = ''): Promise<Uint8Array> {
    const { length } = modulus;
    if (length < MIN_MODULUS_LENGTH || length > MAX_MODULUS_LENGTH) {
      throw new RangeError(`modulus must have ${MIN_MODULUS_LENGTH} to ${MAX_MODULUS_LENGTH} bytes`);
    }
    if (modulus[0] === 0 || (modulus[length - 1] as number) % 2 === 0) {
      throw new RangeError('modulus must be odd and without leading zeros');
    }
    if (base.length !== length || !isBelow(base, modulus)) throw new RangeError('base must be below modulus');
    if (exponent.length !== length || isZero(exponent)) {
      throw new RangeError('exponent must be as long as modulus, and not 0');
    }
    const secret = new Uint8Array(exponent);
    // Copies, since sending a view sends all of the memory behind it.
    const work = { modulus: new Uint8Array(modulus), base: new Uint8Array(base), exponent: secret };
    const [result] = await this.#run({ kind: 'power', ...work }, [secret], address);
    return result as Uint8Array;
  }

  /**
   * @param address as for {@link ExponentiationPool.power}
   * @throws RangeError for an unknown group, or numbers of wrong lengths
   * @throws RoamingKeyError as {@link ExponentiationPool.power}
   */
  async groupPowers(
    { group: name, base, exponents }: GroupPowersJob,
    address = '',
  ): Promise<readonly GroupPowers[]> {
    const group = findGroup(name);
    if (group === undefined) throw new RangeError('group is not known');
    if (base.length !== group.elementLength) throw new RangeError('base is no element of the group');
    if (exponents.length < 1 || exponents.length > 2) throw new RangeError('exponents must be one or two');
    if (exponents.some((exponent) => exponent.length !== group.scalarLength || isZero(exponent))) {
      throw new RangeError('exponents must have len(q) bytes and not be 0');
    }
    const p = safePrimeOf(group);
    const secrets = exponents.map((exponent) => new Uint8Array(exponent));
    const results = await this.#run(
      {
        kind: 'groupPowers',
        ...(p === undefined ? {} : { modulus: i2osp(p, group.elementLength) }),
        generator: group.encode(group.generator),
        base: new Uint8Array(base),
        exponents: secrets,
      },
      secrets,
      address,
    );
    return exponents.map((_, i) => ({
      generator: results[2 * i] as Uint8Array,
      base: results[2 * i + 1] as Uint8Array,
    }));
  }

  /** What the pool is doing, for health checks and metrics. */
  get status(): ExponentiationPoolStatus {
    const threads = [...this.#threads];
    return {
      workers: threads.filter((thread) => thread.ready).length,
      running: threads.filter((thread) => thread.job !== undefined).length,
      waiting: this.#waiting.size,
      constantTime: this.#constantTime,
    };
  }

  /** Takes no further jobs, finishes those it has, and ends the workers. */
  async close(): Promise<void> {
    this.#closing = true;
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        const earlier = this.#drained;
        this.#drained = () => {
          earlier?.();
          resolve();
        };
        this.#dispatch();
      });
    }
    for (const timer of this.#restarts) clearTimeout(timer);
    this.#restarts.clear();
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #run(
    work: Work,
    secrets: readonly Uint8Array<ArrayBuffer>[],
    address: string,
  ): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      if (this.#closing || !this.#script) {
        wipe(...secrets);
        reject(this.#unavailable(this.#script ? 'the worker pool is closed' : NO_WORKER));
        return;
      }
      const job: Job = { id: this.#nextId++, address, work, secrets, resolve, reject, timer: undefined };
      job.timer = setTimeout(() => this.#giveUpWaiting(job), this.#timeLimit);
      this.#waiting.push(address, job);
      // A worker that fails to start is started again; its jobs wait, and are given up in time.
      this.start().catch(() => {});
      this.#dispatch();
    });
  }

  #isIdle(): boolean {
    return this.#waiting.size === 0 && [...this.#threads].every((thread) => thread.job === undefined);
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (!thread.ready || thread.job !== undefined) continue;
      const job = this.#waiting.shift();
      if (job === undefined) break;
      clearTimeout(job.timer);
      thread.job = job;
      thread.worker.ref();
      job.timer = setTimeout(() => void thread.worker.terminate(), this.#timeLimit);
      // Moved, not copied: the worker's buffers are the only ones left, and it wipes them.
      const moved = job.secrets.map((secret) => secret.buffer);
      thread.worker.postMessage({ id: job.id, job: job.work }, moved);
    }
    if (this.#isIdle()) this.#drained?.();
  }

  #giveUpWaiting(job: Job): void {
    if (!this.#waiting.remove(job.address, job)) return;
    wipe(...job.secrets);
    job.reject(this.#busy());
    this.#dispatch();
  }

  /** Resolves once the worker is ready; rejects where it ends before that. Restarting goes on by itself. */
  #spawn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#script as URL, {
        workerData: WORKER_DATA,
        name: 'exponentiation',
        execArgv: [],
      });
      const thread: Thread = { worker, ready: false, job: undefined };
      this.#threads.add(thread);
      let cause: unknown;
      worker.on('message', (message: Message) => {
        if (message.ready === true) {
          thread.ready = true;
          this.#failedStarts = 0;
          this.#constantTime = message.openssl;
          worker.unref();
          resolve();
        } else {
          this.#finish(thread, message.results);
        }
        this.#dispatch();
      });
      worker.on('error', (error) => {
        cause = error;
      });
      worker.on('exit', () => {
        this.#threads.delete(thread);
        if (!thread.ready) this.#failedStarts += 1;
        reject(this.#unavailable('a worker does not start', cause));
        this.#finish(thread, undefined);
        if (this.#closing && this.#isIdle()) this.#drained?.();
        else this.#replace();
      });
    });
  }

  #finish(thread: Thread, results: readonly Uint8Array[] | undefined): void {
    const { job } = thread;
    if (job === undefined) return;
    thread.job = undefined;
    clearTimeout(job.timer);
    thread.worker.unref();
    if (results === undefined) job.reject(this.#unavailable('a worker gave up'));
    else job.resolve(results);
  }

  #replace(): void {
    const delay =
      this.#failedStarts === 0
        ? 0
        : Math.min(LONGEST_RESTART_DELAY, FIRST_RESTART_DELAY * 2 ** Math.min(20, this.#failedStarts - 1));
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#spawn().catch(() => {});
    }, delay);
    timer.unref();
    this.#restarts.add(timer);
  }

  #busy(): RoamingKeyError {
    return new RoamingKeyError('busy', 'all workers are busy', { retryAt: this.#now() + 1 });
  }

  #unavailable(message: string, cause?: unknown): RoamingKeyError {
    return new RoamingKeyError('unavailable', message, { retryAt: this.#now() + 1, cause });
  }
}

function within(option: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${option} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.reduce((bits, byte) => bits | byte, 0) === 0;
}

/** Compares public numbers of one length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at >= 0 && (a[at] as number) < (b[at] as number);
}
