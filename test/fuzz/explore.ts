/**
 * Fuzzing that is guided by coverage. V8 tells which blocks of the bundled targets were run and how they were counted;
 * an input that reaches what none before it has reached is kept, and bent further.
 *
 * Telling costs V8 about a millisecond, so it is asked once for a batch, and for each of its inputs only where the
 * batch has something new.
 */
import { createHash } from 'node:crypto';
import { type Profiler, Session } from 'node:inspector';
import { MAX_INPUT, mutate, type Random, seeded } from './mutate.ts';
import { asText, type FuzzTarget } from './target.ts';

const BATCH = 48;
const MAX_CORPUS = 1500;
/** How long a finding is made shorter, in milliseconds. */
const SHORTENING = 5000;

/** Places in the memory that is shared with who watches: see {@link sharedWith}. */
const EXECUTIONS = 0;
const LENGTH = 1;
const HEADER = 8;

/** Where the input that is being tried can be seen from another thread, which outlives a hang. */
export function sharedMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER + MAX_INPUT);
}

/** How many inputs were tried so far, and the one that is tried now. */
export function watched(memory: SharedArrayBuffer): { executions: number; input: Uint8Array } {
  const [executions = 0, length = 0] = new Int32Array(memory, 0, 2);
  return { executions, input: new Uint8Array(memory, HEADER, length).slice() };
}

export interface ExploreOptions {
  readonly target: FuzzTarget;
  /** Ends of the URL of the script whose blocks count. */
  readonly script: string;
  readonly milliseconds: number;
  /** How many inputs end it if that is sooner. */
  readonly inputs: number;
  readonly seed: number;
  /** What earlier runs have found worth keeping. */
  readonly corpus: readonly Uint8Array[];
  readonly memory: SharedArrayBuffer;
}

export interface Explored {
  readonly executions: number;
  /** Different shapes of coverage that were seen. */
  readonly shapes: number;
  readonly corpus: readonly Uint8Array[];
  /** The longest that one input took, in milliseconds. */
  readonly slowest: number;
  /** What broke a promise, as short as it could be made, and what it broke. */
  readonly finding?: { readonly input: Uint8Array; readonly what: string };
}

/** Bends inputs until enough were tried or the time is over, or until one breaks a promise. */
export async function explore(options: ExploreOptions): Promise<Explored> {
  const { target, script, seed, memory } = options;
  const end = performance.now() + options.milliseconds;
  const random = seeded(seed);
  const counters = new Int32Array(memory, 0, 2);
  const isOver = () => performance.now() > end || Atomics.load(counters, EXECUTIONS) >= options.inputs;
  const shown = new Uint8Array(memory, HEADER);
  const coverage = new Coverage(script);
  const seen = new Set<string>();
  const seenInBatches = new Set<string>();
  const corpus: Uint8Array[] = [];
  let slowest = 0;
  let leftOver: string | undefined;
  const onRejection = (error: unknown) => {
    leftOver = `left over: ${String(error)}`;
  };
  process.on('unhandledRejection', onRejection);

  const attempt = async (input: Uint8Array): Promise<string | undefined> => {
    shown.set(input);
    Atomics.store(counters, LENGTH, input.length);
    const start = performance.now();
    // A copy: what a target wipes must not be lost.
    const what = await failure(target, input.slice());
    slowest = Math.max(slowest, performance.now() - start);
    Atomics.add(counters, EXECUTIONS, 1);
    return what;
  };
  /** Whether an input reaches what none has reached; it is kept then. */
  const judge = async (input: Uint8Array): Promise<string | undefined> => {
    coverage.take();
    const what = await attempt(input);
    if (isNews(coverage.take(), seen) && corpus.length < MAX_CORPUS) corpus.push(input);
    await turn();
    return what ?? leftOver;
  };
  const result = async (input?: Uint8Array, what?: string): Promise<Explored> => {
    coverage.end();
    process.off('unhandledRejection', onRejection);
    const finding = input && what ? { input: await shorten(input, what, attempt, random), what } : undefined;
    const { executions } = watched(memory);
    return { executions, shapes: seen.size, corpus, slowest, ...(finding && { finding }) };
  };

  const seeds = (await target.seeds()).map((one) =>
    typeof one === 'string' ? new TextEncoder().encode(one) : one,
  );
  for (const input of [new Uint8Array(0), ...seeds, ...options.corpus]) {
    if (isOver()) break;
    const what = await judge(input);
    if (what !== undefined) return result(input, what);
  }
  const first = [...seeds];
  while (!isOver()) {
    const from = corpus.length > 0 && random(4) > 0 ? corpus : first;
    const batch = Array.from({ length: BATCH }, () =>
      mutate(pick(from, random), pick(corpus, random), random),
    );
    coverage.take();
    for (const input of batch) {
      const what = await attempt(input);
      if (what !== undefined) return result(input, what);
    }
    await turn();
    if (!isNews(coverage.take(), seenInBatches) && leftOver === undefined) continue;
    leftOver = undefined;
    for (const input of batch) {
      const what = await judge(input);
      if (what !== undefined) return result(input, what);
    }
  }
  return result();
}

/** Lets the platform tell of promises that were rejected and that nobody waits for. */
function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/** What a target did wrong with an input; `undefined` for nothing. */
export async function failure(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  try {
    await target.run(input);
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${String(error)}`;
  }
}

/** Leaves out what can be left out of an input that still breaks the same promise. */
async function shorten(
  input: Uint8Array,
  what: string,
  attempt: (input: Uint8Array) => Promise<string | undefined>,
  random: Random,
): Promise<Uint8Array> {
  let shortest = input;
  let step = Math.ceil(input.length / 2);
  const end = performance.now() + SHORTENING;
  while (performance.now() < end && step > 0 && shortest.length > 0) {
    const at = random(Math.max(1, shortest.length - step + 1));
    const shorter = new Uint8Array(Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + step)]));
    if (kindOf(await attempt(shorter)) === kindOf(what)) shortest = shorter;
    else if (random(20) === 0) step = Math.floor(step / 2);
  }
  return shortest;
}

/** A message without what it quotes. */
function kindOf(what: string | undefined): string | undefined {
  return what?.replace(/['"`].*/s, '');
}

function isNews(shape: readonly string[], seen: Set<string>): boolean {
  const before = seen.size;
  for (const part of shape) seen.add(part);
  return seen.size > before;
}

function pick(list: readonly Uint8Array[], random: Random): Uint8Array {
  return list[random(list.length)] ?? new Uint8Array(0);
}

/** V8's own counters of one script's blocks, on this thread. */
class Coverage {
  readonly #session = new Session();
  readonly #script: string;

  constructor(script: string) {
    this.#script = script;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /**
   * The blocks of functions that were run since the last time, each with the order of magnitude of how often. Those that
   * were not run count as well: V8 leaves a block out whose count is that of the one around it.
   */
  take(): readonly string[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw new Error(error.message);
      scripts = taken.result;
    });
    return scripts
      .filter(({ url }) => url.endsWith(this.#script))
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
      .map(({ startOffset, endOffset, count }) => `${startOffset}-${endOffset}:${magnitude(count)}`);
  }

  end(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }
}

/** 1, 2, 3 to 7, 8 to 31, more. */
function magnitude(count: number): number {
  return count < 3 ? count : count < 8 ? 3 : count < 32 ? 8 : 32;
}

/** A file's name for an input. */
export function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}

/** An input as a person may want to see it. */
export function shownAs(input: Uint8Array): string {
  const text = asText(input);
  const isText = Buffer.from(text).equals(input);
  return JSON.stringify(isText ? text : Buffer.from(input).toString('hex')).slice(0, 600);
}
