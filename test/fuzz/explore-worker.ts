/** One target in a thread of its own, which its parent ends where it hangs. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ExploreOptions, explore } from './explore.ts';
import type { FuzzTarget } from './target.ts';

/** What the parent hands over. */
export interface ExploreWork extends Omit<ExploreOptions, 'target'> {
  /** URL of the bundle, which exports `targets`. */
  readonly bundle: string;
  readonly name: string;
}

const work = workerData as ExploreWork;
const { targets } = (await import(work.bundle)) as { targets: readonly FuzzTarget[] };
const target = targets.find(({ name }) => name === work.name);
if (!target) throw new Error(`no target ${work.name}`);
parentPort?.postMessage(await explore({ ...work, target }));
process.exit(0);
