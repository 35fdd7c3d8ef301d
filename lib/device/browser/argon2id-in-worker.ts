import { RoamingKeyError } from '../../base/errors.ts';
import { loaded } from '../../base/load.ts';
import type { Argon2id } from '../../protocol/password.ts';
import type { Answer, Task } from './argon2-worker.ts';

export interface Argon2idInWorkerOptions {
  /**
   * Where the worker's script is: for bundlers that do not find `new Worker(new URL(…, import.meta.url))`, and for
   * scripts that come from another origin than the page. Default: beside this module.
   */
  readonly url?: string | URL;
  /** Called with the reason why passwords take longer: no worker, or no WebAssembly in it. Default: `console.warn`, once. */
  readonly onFallback?: (reason: string) => void;
}

/**
 * Argon2id in a Web Worker, so that the page stays alive; the default where there is a page.
 *
 * Each password has a worker of its own, one at a time: its memory, 64 MiB and more, is gone with it. Where no worker
 * can be started, or WebAssembly is refused there, the page's own thread computes in slices, between which the page
 * draws and reacts: four times as long, and with `done` reported.
 *
 * @throws RoamingKeyError, when it is used: `unsupported` where memory does not suffice, `network` where the code
 *   for it cannot be loaded
 *
 * @example
 * const argon2id = argon2idInWorker({ url: '/assets/argon2-worker.js' });
 * const device = new Device(record, { assistant, argon2id });
 */
export function argon2idInWorker(options: Argon2idInWorkerOptions = {}): Argon2id {
  const { url, onFallback = warnOnce() } = options;
  let last: Promise<unknown> = Promise.resolve();
  return (password, salt, kdf, onProgress) => {
    // A copy, because the caller wipes his as soon as he gives up.
    const task: Task = { password: new Uint8Array(password), salt: new Uint8Array(salt), kdf };
    const run = async () => {
      try {
        return await compute(task, url, onFallback, onProgress);
      } finally {
        task.password.fill(0);
      }
    };
    const result = last.then(run);
    last = result.catch(() => {});
    return result;
  };
}

/** Why the page must do it itself. */
class NoWorker extends Error {}

async function compute(
  task: Task,
  url: string | URL | undefined,
  onFallback: (reason: string) => void,
  onProgress: ((done: number) => void) | undefined,
): Promise<Uint8Array> {
  try {
    return await inWorker(url, task);
  } catch (error) {
    if (!(error instanceof NoWorker)) throw error;
    onFallback(`passwords take longer, on the page's own thread: ${error.message}`);
  }
  const { argon2idInSlices } = await loaded(import('./argon2id-in-slices.ts'));
  return argon2idInSlices(task.password, task.salt, task.kdf, onProgress);
}

async function inWorker(url: string | URL | undefined, task: Task): Promise<Uint8Array> {
  const worker = startWorker(url);
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        reject(new NoWorker(event.message || 'no worker was loaded (a wrong URL, or CSP worker-src)'));
      });
      worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
        if ('isReady' in data) worker.postMessage(task);
        else if ('k' in data) resolve(data.k);
        else if (data.isMemory) reject(new RoamingKeyError('unsupported', data.failure));
        else reject(new NoWorker(data.failure));
      });
    });
  } finally {
    worker.terminate();
  }
}

/** Kept out of the bundlers' sight, which would take a URL by itself for a file to copy. */
const BESIDE = './argon2-worker.js';

function startWorker(url: string | URL | undefined): Worker {
  if (typeof Worker === 'undefined') throw new NoWorker('this browser has no workers');
  try {
    // Bundlers look for exactly this expression.
    if (url === undefined)
      return new Worker(new URL('./argon2-worker.js', import.meta.url), { type: 'module' });
    return new Worker(url, { type: 'module' });
  } catch {
    return importingWorker(new URL(url ?? BESIDE, url === undefined ? import.meta.url : location.href));
  }
}

/** A worker must be of the page's origin; what it imports may come from elsewhere, where the page's policy lets it. */
function importingWorker(url: URL): Worker {
  const source = new Blob([`import ${JSON.stringify(url.href)};`], { type: 'text/javascript' });
  const blob = URL.createObjectURL(source);
  try {
    return new Worker(blob, { type: 'module' });
  } catch (error) {
    throw new NoWorker(error instanceof Error ? error.message : 'no worker could be started');
  } finally {
    // Not at once: the worker is still being fetched.
    setTimeout(() => URL.revokeObjectURL(blob), 60_000);
  }
}

function warnOnce(): (reason: string) => void {
  let hasWarned = false;
  return (reason) => {
    if (!hasWarned) console.warn(`passport-roaming-key: ${reason}`);
    hasWarned = true;
  };
}
