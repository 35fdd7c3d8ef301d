import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';

/**
 * Runs the program that calls it in `WORKERS` processes that share one port (default 1: just this one). In the
 * first process it never resolves: that one starts the others, starts anew those that die, and ends them on SIGTERM.
 */
export async function inWorkers(count = Number(process.env['WORKERS'] ?? 1)): Promise<void> {
  if (cluster.isWorker) {
    // The channel to the first process keeps this one alive: it closes once the server has.
    process.once('SIGTERM', () => cluster.worker?.disconnect());
    return;
  }
  if (count <= 1) return;
  // What all of them must agree on.
  const env = { SECRET: process.env['SECRET'] ?? randomBytes(32).toString('hex') };
  let ending = false;
  for (let i = 0; i < count; i++) cluster.fork(env);
  cluster.on('exit', () => {
    if (!ending) cluster.fork(env);
    else if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0);
  });
  process.once('SIGTERM', () => {
    ending = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  });
  await new Promise(() => {});
}

/** Whether this process speaks for all of them. */
export const isSpokesman = (): boolean => !cluster.isWorker || cluster.worker?.id === 1;
