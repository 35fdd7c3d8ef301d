import { ask, count, pause, type Seen } from './asking.ts';
import { Cluster } from './cluster.ts';
import { smallDisk } from './disk.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';
import { Line } from './line.ts';
import { Load } from './load.ts';

const POLICY = {
  free: 25,
  firstWait: 3600,
  maxWait: 3600,
  limit: 100,
  window: 86_400,
  reservationTimeout: 2,
  knownFor: 5_000,
};
const TIMEOUT = 1000;
const PATIENCE = 60_000;

interface OutageOptions {
  readonly engine: Engine;
  readonly processes: number;
  /** How long the store is away, in milliseconds. */
  readonly lasts: number;
  /** How often. */
  readonly times: number;
  /** Milliseconds between what one worker does. */
  readonly gap: number;
}

interface Trouble {
  readonly scenario: string;
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
}

/** Each process's health, in the order of the processes. */
async function health(cluster: Cluster): Promise<Seen[]> {
  return Promise.all(cluster.urls.map((url) => ask(cluster, `${url}/health`)));
}

/** Waits until every process says that it is well. */
async function isWell(cluster: Cluster): Promise<boolean> {
  for (const since = Date.now(); Date.now() < since + PATIENCE; await pause(50)) {
    if ((await health(cluster)).every(({ status }) => status === 200)) return true;
  }
  return false;
}

/** What must be true while a store is away, and after it has come back. */
async function endure(cluster: Cluster, engine: Engine, trouble: Trouble, options: OutageOptions) {
  const findings = new Findings();
  const load = new Load(cluster);
  load.start(options.gap);
  const all = () => [...load.guesses, ...load.disables];
  const healths: Seen[] = [];
  let slowest = 0;
  for (let i = 0; i < options.times; i++) {
    await pause(700);
    findings.equal('well before', await isWell(cluster), true);
    await trouble.begin();
    const begun = Date.now() + 50;
    await pause(options.lasts / 2);
    const ill = await health(cluster);
    healths.push(...ill);
    for (const seen of ill) findings.equal('health meanwhile', seen.status, 503);
    await pause(begun + options.lasts - Date.now());
    const since = () => all().filter(({ sentAt }) => sentAt > begun);
    while (since().length === 0 && Date.now() < begun + PATIENCE) await pause(20);
    const meanwhile = since();
    findings.within('requests meanwhile', meanwhile.length, 1, Number.POSITIVE_INFINITY);
    findings.equal('served meanwhile', meanwhile.length - count(meanwhile, 'unavailable'), 0);
    await trouble.end();
    const ended = Date.now();
    findings.equal('well after', await isWell(cluster), true);
    const served = () =>
      [load.guesses, load.disables].every((kind) =>
        kind.some((one) => one.sentAt > ended && ['ok', 'wrong_password', 'locked'].includes(one.code)),
      );
    while (!served() && Date.now() < ended + PATIENCE) await pause(20);
    findings.equal('serving again', served(), true);
    slowest = Math.max(slowest, Date.now() - ended);
  }
  await pause(300);
  await load.stop();
  const longest = Math.max(...[...all(), ...healths].map((one) => one.answeredAt - one.sentAt));
  findings.within('milliseconds for an answer', longest, 0, cluster.bound);
  findings.equal('connections lost', count(all(), 'gone'), 0);
  const away = count(all(), 'unavailable');
  const figures = `${options.times}×: ${away} × 503, longest ${longest} ms, well after ${slowest} ms; `;
  return findings.close(engine.name, trouble.scenario, figures + (await load.check(findings, engine)));
}

/** The database server is ended at once in mid-load, and started again on its data. */
export async function restarts(options: OutageOptions): Promise<Finding> {
  const { engine, processes } = options;
  const cluster = await Cluster.start({ engine, processes, policy: POLICY, timeout: TIMEOUT });
  try {
    const trouble = {
      scenario: 'database crashes and restarts',
      begin: () => engine.crash(),
      end: () => engine.restart(),
    };
    return await endure(cluster, engine, trouble, options);
  } finally {
    await cluster.stop();
  }
}

/** Connections to the database stay open, and nothing comes through. */
export async function hangs(options: OutageOptions): Promise<Finding> {
  const { engine, processes } = options;
  const line = await Line.to(engine.port as number);
  const url = engine.url.replace(`:${engine.port}`, `:${line.port}`);
  const cluster = await Cluster.start({ engine, processes, policy: POLICY, timeout: TIMEOUT, url });
  try {
    const trouble = {
      scenario: 'connections hang',
      begin: () => line.swallow(),
      end: () => line.mend(),
    };
    return await endure(cluster, engine, trouble, options);
  } finally {
    await cluster.stop();
    await line.stop();
  }
}

/** The disk under a SQLite file is full; `undefined` where this process may not mount a small one. */
export async function fullDisk(options: Omit<OutageOptions, 'engine'>): Promise<Finding | undefined> {
  const disk = smallDisk(16);
  if (!disk) return undefined;
  const { engine } = disk;
  try {
    const cluster = await Cluster.start({ ...options, engine, policy: POLICY, timeout: TIMEOUT });
    try {
      const trouble = { scenario: 'disk full', begin: () => disk.fill(), end: () => disk.free() };
      return await endure(cluster, engine, trouble, { ...options, engine });
    } finally {
      await cluster.stop();
    }
  } finally {
    await engine.stop();
  }
}
