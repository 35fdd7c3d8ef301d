/** Bundles targets and explores them, each in a thread that is bounded in time and memory. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { type Explored, nameOf, sharedMemory, watched } from './explore.ts';
import type { ExploreWork } from './explore-worker.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const HOME = path.join(ROOT, '.fuzz');
const SCRIPT = 'targets.js';
/** How long one input may take before it counts as a hang, in milliseconds. */
const MAX_WAIT = 20_000;
/** How long a target may take to make its seeds, in milliseconds. */
const MAX_START = 180_000;
const MAX_MEGABYTES = 512;

export interface CampaignOptions {
  /** A module that exports `targets`. */
  readonly module: string;
  readonly seconds: number;
  /** After how many inputs a target is done, if that is sooner. Default: none. */
  readonly inputs?: number | undefined;
  readonly seed: number;
  /** Where what was worth keeping stays for the next run, and what broke a promise. Default: nowhere. */
  readonly keep?: boolean;
  readonly maxWait?: number;
}

/** What was found out about one target. */
export interface Report extends Explored {
  readonly name: string;
  /** Where the input lies that broke a promise. */
  readonly file?: string;
}

/** Explores targets one after the other. */
export async function* campaign(
  names: readonly string[],
  options: CampaignOptions,
): AsyncGenerator<Report, void> {
  mkdirSync(HOME, { recursive: true });
  // Inside the package, so that what is not bundled is found.
  const folder = mkdtempSync(path.join(HOME, 'build-'));
  try {
    await build({
      absWorkingDir: ROOT,
      entryPoints: { targets: options.module, worker: path.join(import.meta.dirname, 'explore-worker.ts') },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      tsconfigRaw: {},
      outdir: folder,
      logLevel: 'error',
      // One file each, so that it is told by its name whose blocks are counted.
      splitting: false,
    });
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }\n');
    for (const name of names) yield await exploreApart(name, folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function exploreApart(name: string, folder: string, options: CampaignOptions): Promise<Report> {
  const { seconds, inputs, seed, keep = false, maxWait = MAX_WAIT } = options;
  const corpusFolder = path.join(HOME, name);
  const work: ExploreWork = {
    name,
    bundle: pathToFileURL(path.join(folder, SCRIPT)).href,
    script: `${path.basename(folder)}/${SCRIPT}`,
    milliseconds: seconds * 1000,
    inputs: inputs ?? Number.POSITIVE_INFINITY,
    seed,
    corpus: keep ? readCorpus(corpusFolder) : [],
    memory: sharedMemory(),
  };
  const explored = await inThread(work, pathToFileURL(path.join(folder, 'worker.js')), maxWait);
  const { finding } = explored;
  if (!keep) return { name, ...explored };
  mkdirSync(corpusFolder, { recursive: true });
  for (const input of explored.corpus) writeFileSync(path.join(corpusFolder, nameOf(input)), input);
  if (!finding) return { name, ...explored };
  const file = path.join(HOME, `broken-${name}-${nameOf(finding.input)}`);
  writeFileSync(file, finding.input);
  return { name, ...explored, file };
}

async function inThread(work: ExploreWork, url: URL, maxWait: number): Promise<Explored> {
  const worker = new Worker(url, {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: MAX_MEGABYTES },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      const ended = (what: string) => {
        const { executions, input } = watched(work.memory);
        resolve({ executions, shapes: 0, corpus: [], slowest: 0, finding: { input, what } });
      };
      let before = -1;
      let since = performance.now();
      timer = setInterval(() => {
        const { executions } = watched(work.memory);
        if (executions !== before) since = performance.now();
        before = executions;
        const limit = executions === 0 ? MAX_START : maxWait;
        if (performance.now() - since > limit) ended(`took longer than ${limit / 1000} s`);
      }, 250);
      worker.once('message', resolve);
      worker.once('error', (error) => ended(`ended the thread: ${String(error)}`));
      worker.once('exit', (code) => ended(`ended the thread with ${code}`));
    });
  } finally {
    clearInterval(timer);
    await worker.terminate();
  }
}

function readCorpus(folder: string): readonly Uint8Array[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder).map((file) => new Uint8Array(readFileSync(path.join(folder, file))));
}
