import { toBase64url } from '../../lib/base/bytes.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { storeFromUrl } from '../../lib/store/url.ts';
import { random } from '../attacks/support.ts';
import { disable, failuresIn, guess, type KnownTicket, makeTicket, pause, type Seen } from './asking.ts';
import type { Cluster } from './cluster.ts';
import type { Engine } from './engines.ts';
import type { Findings } from './finding.ts';

/** Wrong guesses at several tickets and disablings, without pause, while something befalls the cluster. */
export class Load {
  readonly guesses: (Seen & { readonly known: KnownTicket })[] = [];
  readonly disables: Seen[] = [];
  readonly #cluster: Cluster;
  readonly #tickets: KnownTicket[] = [];
  readonly #acknowledged: Uint8Array[] = [];
  #isOver = false;
  #workers: Promise<void>[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  /** @param gap milliseconds between what one worker does, that it is spread over the time */
  start(gap: number): void {
    this.#workers = [
      ...Array.from({ length: 3 }, () => this.#guess(gap)),
      ...Array.from({ length: 2 }, () => this.#disable(gap)),
    ];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }

  /**
   * What must be true afterwards, whatever happened: every acknowledged disabling is there and in the feed; every
   * password compared is a failure of its ticket, every reservation a dead process left open has become one, and none
   * has more than the policy allows.
   *
   * @returns the figures, in words
   */
  async check(findings: Findings, engine: Engine): Promise<string> {
    const cluster = this.#cluster;
    await pause((cluster.policy.reservationTimeout + 1) * 1000 + 100);
    const store = await storeFromUrl(engine.url, { onWarning: () => {} });
    try {
      const feed = new Set<string>();
      for (let after = ''; ; ) {
        const page = await store.feed({ after, limit: 1000 });
        for (const t of page.disabled) feed.add(t);
        if (page.next === after) break;
        after = page.next;
      }
      let lost = 0;
      for (const t of this.#acknowledged) {
        const isMarked = await store.isDisabled([toBase64url(disablingName(t))]);
        if (!isMarked || !feed.has(toBase64url(t))) lost += 1;
      }
      findings.equal('acknowledged disablings lost', lost, 0);

      const compared = new Map<string | undefined, number>();
      for (const { type, id } of cluster.audit())
        if (type === 'comparedWrong') compared.set(id, (compared.get(id) ?? 0) + 1);
      let forgotten = 0;
      let sum = 0;
      for (const known of this.#tickets) {
        const failures = await failuresIn(store, known, cluster);
        findings.within('failures of a ticket', failures, 0, cluster.policy.free);
        const told = this.guesses.filter((s) => s.known === known && s.code === 'wrong_password').length;
        const here = compared.get(known.id) ?? 0;
        findings.within('answers for passwords compared', told, 0, here);
        forgotten += Math.max(0, here - failures);
        sum += here;
      }
      findings.equal('guesses forgotten', forgotten, 0);
      findings.within('guesses compared', sum, 1, Number.POSITIVE_INFINITY);
      return `${this.acknowledged} disables acknowledged, ${lost} lost; ${sum} compared, ${forgotten} forgotten`;
    } finally {
      await store.close();
    }
  }

  async #guess(gap: number): Promise<void> {
    const cluster = this.#cluster;
    while (!this.#isOver) {
      const known = await makeTicket(cluster.jwk);
      this.#tickets.push(known);
      // As often as the policy allows, however many of them fail on their way.
      for (let isOpen = true; isOpen && !this.#isOver; ) {
        const seen = await guess(cluster, known);
        this.guesses.push({ ...seen, known });
        isOpen = seen.code !== 'locked';
        if (seen.code === 'unavailable' || seen.code === 'gone') await pause(20);
        if (seen.code === 'busy') break;
        if (gap > 0) await pause(gap);
      }
    }
  }

  async #disable(gap: number): Promise<void> {
    for (let t = random(16); !this.#isOver; ) {
      const { seen, isAcknowledged } = await disable(this.#cluster, t);
      this.disables.push(seen);
      if (isAcknowledged) {
        this.#acknowledged.push(t);
        t = random(16);
      } else await pause(20);
      if (gap > 0) await pause(gap);
    }
  }
}
