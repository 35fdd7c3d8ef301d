import { Agent } from 'node:http';
import { startApp } from '../../examples/support/start.ts';
import { readAssistantJwk } from '../../lib/crypto/jwe/jwe.ts';
import { DEFAULT_GUESS_POLICY, type GuessPolicy } from '../../lib/store/guess-policy.ts';
import { ask, count, type KnownTicket, makeGuess, makeTicket, pause, type Seen } from './asking.ts';
import { Cluster } from './cluster.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';

/**
 * Whether the wrong guesses at one ticket that were answered are those that the policy allows, to the unit, by the
 * answers alone: `early` came before the wait that the ones before it called for was over, and `refused` was turned
 * away though that wait was over and nobody else's guess was under way.
 *
 * Answers of several processes arrive in any order. The store's is that of `retryAt`, of which the last has none.
 */
export function judge(seen: readonly Seen[], { free }: GuessPolicy) {
  const wrong = seen
    .filter(({ code }) => code === 'wrong_password')
    .sort((a, b) => (a.retryAt ?? Number.MAX_VALUE) - (b.retryAt ?? Number.MAX_VALUE));
  const turnedAway = seen.filter(({ code }) => code === 'locked' || code === 'busy');
  let early = 0;
  let refused = 0;
  let latest = 0;
  let due = 0;
  for (const [i, { answeredAt, retryAt = Number.POSITIVE_INFINITY }] of wrong.entries()) {
    if (answeredAt < due * 1000) early += 1;
    latest = Math.max(latest, retryAt);
    due = i < free - 1 ? 0 : latest;
    const next = wrong[i + 1]?.sentAt ?? Number.POSITIVE_INFINITY;
    // Below `free` guesses in flight may use up what is allowed; seconds are whole, so that either is right at the edge.
    refused += turnedAway.filter(
      (one) => due > 0 && one.sentAt >= (due + 1) * 1000 && one.answeredAt < next,
    ).length;
  }
  return { compared: wrong.length, early, refused };
}

interface Burst {
  readonly total: number;
  readonly size: number;
  /** Whether to wait between bursts until another guess is allowed. */
  readonly isPatient: boolean;
}

/** Sends requests in bursts, all of a burst at once. */
async function inBursts(
  { total, size, isPatient }: Burst,
  make: () => Promise<{ readonly body: object }>,
  send: (body: object) => Promise<Seen>,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  while (seen.length < total) {
    const length = Math.min(size, total - seen.length);
    const made = await Promise.all(Array.from({ length }, make));
    const answers = await Promise.all(made.map(({ body }) => send(body)));
    seen.push(...answers);
    const due = Math.max(...answers.map(({ retryAt = 0 }) => retryAt)) * 1000 - Date.now();
    if (isPatient && due > 0 && seen.length < total) await pause(Math.min(due, 10_000));
  }
  return seen;
}

function onlyKnown(findings: Findings, seen: readonly Seen[]): void {
  const others = seen.filter(({ code }) => !['wrong_password', 'locked', 'busy'].includes(code));
  findings.equal('other answers', others.map(({ code }) => code).join(), '');
}

/** How many wrong guesses, and how they come. */
export interface HammerOptions {
  readonly engine: Engine;
  readonly processes: number;
  readonly guesses: number;
  readonly burst: number;
  readonly policy: GuessPolicy;
}

/**
 * Wrong guesses at one ticket, through several processes, until it is stopped for good: `limit` of them are compared,
 * and not one more, as the processes' own count says, and their events, and the answers.
 */
export async function hammer({ engine, processes, guesses, burst, policy }: HammerOptions): Promise<Finding> {
  const findings = new Findings();
  const cluster = await Cluster.start({ engine, processes, policy, timeout: 20_000 });
  try {
    const known = await makeTicket(cluster.jwk);
    let turn = 0;
    const seen = await inBursts(
      { total: guesses, size: burst, isPatient: true },
      () => makeGuess(known),
      (body) => ask(cluster, `${cluster.urls[turn++ % processes]}/assist`, body),
    );
    const { compared, early, refused } = judge(seen, policy);
    findings.equal('passwords compared, as answered', compared, policy.limit);
    findings.equal('answered before its time', early, 0);
    findings.equal('refused though due', refused, 0);
    onlyKnown(findings, seen);
    const audit = cluster.audit();
    for (const type of ['comparedWrong', 'wrongPassword']) {
      findings.equal(`audited as ${type}`, audit.filter((line) => line.type === type).length, policy.limit);
    }
    findings.equal('audited as assisted', audit.filter(({ type }) => type === 'assisted').length, 0);
    const figures = `${guesses} guesses, ${processes} processes: ${compared} compared of ${policy.limit} allowed`;
    return findings.close(engine.name, 'wrong guesses until stopped', figures);
  } finally {
    await cluster.stop();
  }
}

/** Wrong guesses at one ticket of the quickstart app as it is, in `processes` workers on one port. */
export async function hammerQuickstart({
  engine,
  processes,
  guesses,
  burst,
}: Omit<HammerOptions, 'policy'>): Promise<Finding> {
  const findings = new Findings();
  const policy = DEFAULT_GUESS_POLICY;
  // The app ends idle connections after a while: a request that loses that race has no answer.
  const agent = new Agent({ keepAlive: false, maxSockets: 256 });
  const app = await startApp('quickstart.ts', { STORE_URL: engine.url, WORKERS: `${processes}` });
  try {
    const list = (await (await fetch(`${app.origin}/assistant/keys`)).json()) as { keys: unknown[] };
    const jwk = await readAssistantJwk(list.keys[0]);
    if (!jwk) throw new Error('the quickstart lists no key');
    const known: KnownTicket = await makeTicket(jwk);
    const seen = await inBursts(
      { total: guesses, size: burst, isPatient: false },
      () => makeGuess(known),
      (body) => ask({ agent }, `${app.origin}/assistant/assist`, body),
    );
    const { compared, early, refused } = judge(seen, policy);
    findings.equal('answered before its time', early, 0);
    findings.equal('refused though due', refused, 0);
    const seconds =
      (Math.max(...seen.map((s) => s.answeredAt)) - Math.min(...seen.map((s) => s.sentAt))) / 1000;
    const windows = Math.floor(Math.log2(seconds / policy.firstWait + 1));
    findings.within('passwords compared', compared, policy.free, policy.free + windows);
    onlyKnown(findings, seen);
    const refusals = count(seen, 'locked') + count(seen, 'busy');
    const figures = `${guesses} guesses, ${processes} workers: ${compared} compared, ${refusals} refused`;
    return findings.close(engine.name, 'quickstart as it is', figures);
  } finally {
    await app.stop();
  }
}
