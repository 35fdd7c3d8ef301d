import { storeFromUrl } from '../../lib/store/url.ts';
import { openAnswer } from '../attacks/support.ts';
import {
  ask,
  disable,
  failuresIn,
  inParallel,
  type KnownTicket,
  makeGuess,
  makeTicket,
  pause,
  type Seen,
} from './asking.ts';
import { Cluster } from './cluster.ts';
import type { Engine } from './engines.ts';
import { type Finding, Findings } from './finding.ts';

interface Sent {
  readonly known: KnownTicket;
  /** Which request; several of one number are copies. */
  readonly request: number;
  readonly seen: Seen;
  /** Failures that a right guess was told of. */
  readonly told: number;
}

const POLICY = {
  free: 5,
  firstWait: 1,
  maxWait: 1,
  limit: 10_000,
  window: 86_400,
  reservationTimeout: 60,
  knownFor: 5_000,
};
const ROUND = 40;
const KNOWN = new Set(['ok', 'wrong_password', 'replayed', 'locked', 'busy', 'disabled']);

/** Whether a request's number, in an order that everybody knows, stands for a right guess, and how often it is sent. */
const isRight = (request: number) => request % 4 === 1;
const copies = (request: number) => (request % 3 === 0 ? 2 : 1);

/**
 * Right and wrong guesses and copies of them at several tickets, all at once, while every other ticket is disabled.
 * Every failure is counted once and told once; of all copies of a request one is served; nothing is after a disabling.
 */
export async function mixture(options: {
  readonly engine: Engine;
  readonly processes: number;
  readonly requests: number;
}): Promise<Finding> {
  const { engine, processes, requests } = options;
  const findings = new Findings();
  const cluster = await Cluster.start({ engine, processes, policy: POLICY, timeout: 20_000 });
  try {
    const tickets = await Promise.all(Array.from({ length: 4 }, () => makeTicket(cluster.jwk)));
    const disabledAt = new Map<KnownTicket, number>();
    const disabling: Promise<void>[] = [];
    const sent: Sent[] = [];
    let numbered = 0;

    const send = async (known: KnownTicket, request: number): Promise<void> => {
      const { body, rho } = await makeGuess(known, cluster, isRight(request));
      const urls = Array.from({ length: copies(request) }, () => cluster.nextUrl());
      await Promise.all(
        urls.map(async (url) => {
          const seen = await ask(cluster, `${url}/assist`, body);
          const opened = seen.code === 'ok' ? await openAnswer(seen.response, rho) : undefined;
          const since = opened?.['failedSince'] as { count: number } | undefined;
          sent.push({ known, request, seen, told: since?.count ?? 0 });
        }),
      );
    };
    while (sent.length < requests) {
      const round = Array.from({ length: ROUND }, (_, i) => ({
        known: tickets[i % 4],
        request: numbered + i,
      }));
      numbered += ROUND;
      await Promise.all(round.map(({ known, request }) => send(known as KnownTicket, request)));
      const next = tickets[2 * disabling.length];
      if (next && sent.length > (requests * (disabling.length + 1)) / 4) {
        // While the next round is under way.
        const done = disable(cluster, next.t).then(({ isAcknowledged }) => {
          if (isAcknowledged) disabledAt.set(next, Date.now());
        });
        disabling.push(done);
      }
      await pause(100);
    }
    await Promise.all(disabling);

    findings.equal('disabled', disabledAt.size, 2);
    const others = sent.filter(({ seen }) => !KNOWN.has(seen.code)).map(({ seen }) => seen.code);
    findings.equal('other answers', others.join(), '');
    const served = sent.filter(({ seen }) => seen.code === 'ok' || seen.code === 'wrong_password');
    const late = served.filter(({ known, seen }) => seen.sentAt > (disabledAt.get(known) ?? Infinity));
    findings.equal('served after disabling', late.length, 0);
    const wrongly = served.filter(({ request, seen }) => isRight(request) !== (seen.code === 'ok'));
    findings.equal('guesses judged wrongly', wrongly.length, 0);
    const twice = served.length - new Set(served.map(({ request }) => request)).size;
    findings.equal('requests served twice', twice, 0);
    const replayed = sent.filter(({ seen }) => seen.code === 'replayed');
    const expected = sent.filter(({ known }) => !disabledAt.has(known)).map(({ request }) => request);
    findings.equal(
      'copies refused as such, of tickets that live',
      replayed.filter(({ known }) => !disabledAt.has(known)).length,
      expected.length - new Set(expected).size,
    );
    const wrong = served.filter(({ seen }) => seen.code === 'wrong_password').length;
    const told = sent.reduce((sum, one) => sum + one.told, 0);
    const store = await storeFromUrl(engine.url);
    const left = await inParallel(tickets, 1, (known) => failuresIn(store, known, cluster));
    await store.close();
    findings.equal(
      'failures told, or still to be told',
      told + left.reduce((sum, one) => sum + one, 0),
      wrong,
    );
    const audit = cluster.audit();
    const audited = (type: string) => audit.filter((line) => line.type === type).length;
    findings.equal('audited as wrongPassword', audited('wrongPassword'), wrong);
    findings.equal('audited as assisted', audited('assisted'), served.length - wrong);
    findings.within('served', served.length, requests / 20, requests);
    const figures = `${sent.length} requests: ${wrong} wrong, ${served.length - wrong} right, ${replayed.length} replays`;
    return findings.close(engine.name, 'right, wrong, replayed, disabled', figures);
  } finally {
    await cluster.stop();
  }
}
