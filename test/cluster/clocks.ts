import { ask, askAny, guess, makeGuess, makeTicket, type Seen } from './asking.ts';
import { Cluster } from './cluster.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';

const POLICY = {
  free: 3,
  firstWait: 1000,
  maxWait: 1000,
  limit: 100,
  window: 86_400,
  reservationTimeout: 60,
  knownFor: 5_000,
};

/**
 * Seconds off, one step after the other, and how many guesses each allows where the store goes by the same clock. None
 * goes back from further ahead than what was seen is remembered.
 */
const STEPS = [
  [-600, 0],
  [-5000, 0],
  [0, 0],
  [500, 0],
  [0, 0],
  [1100, 1],
  [800, 0],
  [2300, 1],
] as const;

const HARMLESS = new Set(['locked', 'busy', 'stale_request', 'unavailable']);
const REFUSED = new Set(['replayed', 'stale_request', 'unavailable']);

/**
 * The clocks of all processes are set back and forth in mid-load. A store on a server goes by that server's clock, and
 * allows nothing for it; a store in a file goes by the machine's, and allows what that clock says is due. A request that
 * was made before is never served again.
 */
export async function clocks(options: {
  readonly engine: Engine;
  readonly processes: number;
  readonly burst: number;
}): Promise<Finding> {
  const { engine, processes, burst } = options;
  const findings = new Findings();
  const cluster = await Cluster.start({ engine, processes, policy: POLICY });
  try {
    const known = await makeTicket(cluster.jwk);
    const right = await makeTicket(cluster.jwk);
    const taken = [await makeGuess(known), await makeGuess(right, cluster, true)];
    const first = await Promise.all(taken.map(({ body }) => askAny(cluster, '/assist', body)));
    findings.equal('before', first.map(({ code }) => code).join(), 'wrong_password,ok');

    const guesses = (many: number): Promise<Seen[]> =>
      Promise.all(Array.from({ length: many }, () => guess(cluster, known)));
    const before = await guesses(burst);
    const all = [...before];
    const compared = (seen: readonly Seen[]) => seen.filter(({ code }) => code === 'wrong_password').length;
    findings.equal('compared at first', compared(before), POLICY.free - 1);
    for (const [offset, allowed] of STEPS) {
      const [meanwhile] = await Promise.all([guesses(burst), cluster.setClocks(offset)]);
      const seen = [...meanwhile, ...(await guesses(burst))];
      const due = engine.name === 'sqlite' ? allowed : 0;
      findings.equal(`compared at ${offset} s`, compared(seen), due);
      all.push(...seen);
      const again = taken.flatMap(({ body }) =>
        cluster.urls.map((url) => ask(cluster, `${url}/assist`, body)),
      );
      for (const { code } of await Promise.all(again))
        findings.equal(`again at ${offset} s`, REFUSED.has(code) ? '' : code, '');
    }
    const others = all.filter(({ code }) => code !== 'wrong_password' && !HARMLESS.has(code));
    findings.equal('other answers', others.map(({ code }) => code).join(), '');
    const after = await guess(cluster, await makeTicket(cluster.jwk));
    findings.equal('afterwards', after.code, 'wrong_password');
    const figures = `${STEPS.length} steps from −5000 to 2300 s: ${compared(all) + 1} compared, no replay served`;
    return findings.close(engine.name, 'clocks set back and forth', figures);
  } finally {
    await cluster.stop();
  }
}
