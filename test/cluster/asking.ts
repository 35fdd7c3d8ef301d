import type { Agent } from 'node:http';
import { request } from 'node:http';
import type { Store } from '../../lib/store/store.ts';
import {
  type KnownRequest,
  type KnownTicket,
  makeDisabling,
  makeRequest,
  makeTicket,
  openAnswer,
  random,
  unixNow,
} from '../attacks/support.ts';
import type { Cluster } from './cluster.ts';

export { type KnownRequest, type KnownTicket, makeTicket };

/** What somebody outside saw of one request; times in milliseconds since the epoch. */
export interface Seen {
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The HTTP status, 0 where the connection ended without an answer. */
  readonly status: number;
  /** `ok`, the error's code, or `gone`. */
  readonly code: string;
  readonly retryAt?: number | undefined;
  readonly response?: unknown;
}

interface Wire {
  readonly agent?: Agent;
}

/** Sends one request, and waits for its answer however long that takes. */
export function ask({ agent }: Wire, url: string, body?: object): Promise<Seen> {
  const sentAt = Date.now();
  return new Promise((resolve) => {
    const done = (seen: Omit<Seen, 'sentAt' | 'answeredAt'>) =>
      resolve({ sentAt, answeredAt: Date.now(), ...seen });
    const gone = () => done({ status: 0, code: 'gone' });
    const text = body && JSON.stringify(body);
    const headers = text ? { 'content-type': 'application/json', 'content-length': text.length } : {};
    const sent = request(url, { agent, method: text ? 'POST' : 'GET', headers }, (answer) => {
      let read = '';
      answer.on('data', (data) => {
        read += data;
      });
      answer.on('error', gone);
      answer.on('end', () => {
        const status = answer.statusCode ?? 0;
        const { code, retryAt, response } = JSON.parse(read) as Partial<Seen>;
        done({ status, code: status === 200 ? 'ok' : String(code), retryAt, response });
      });
    });
    sent.on('error', gone);
    sent.end(text);
  });
}

/** Asks whichever process is next; waits where none lives. */
export async function askAny(cluster: Cluster, path: string, body?: object): Promise<Seen> {
  for (;;) {
    const url = cluster.nextUrl();
    if (url) return ask(cluster, `${url}${path}`, body);
    await pause(20);
  }
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A guess at the ticket's password: wrong, but for `right`; by the cluster's clock. */
export function makeGuess(known: KnownTicket, cluster?: Cluster, right = false): Promise<KnownRequest> {
  return makeRequest(known, { iat: cluster?.now() ?? unixNow(), ...(!right && { beta: random(32) }) });
}

export async function guess(cluster: Cluster, known: KnownTicket): Promise<Seen> {
  return askAny(cluster, '/assist', (await makeGuess(known, cluster)).body);
}

/** Asks for a disabling; true only where the answer, opened, acknowledges it. */
export async function disable(
  cluster: Cluster,
  t: Uint8Array,
): Promise<{ readonly seen: Seen; readonly isAcknowledged: boolean }> {
  const { body, rho } = await makeDisabling(cluster.jwk, { t });
  const seen = await askAny(cluster, '/disable', body);
  const opened = seen.status === 200 ? await openAnswer(seen.response, rho) : undefined;
  return { seen, isAcknowledged: opened?.['disabled'] === true };
}

/** Failures since the last success, as the store has them, closed reservations or not. */
export async function failuresIn(store: Store, known: KnownTicket, cluster: Cluster): Promise<number> {
  // A success that nobody reserved tells the count; another u, so that a disabled mark does not keep it to itself.
  const answer = await store.settle({ id: known.id, u: 'none', jti: 'none', policy: cluster.policy });
  return answer.answer === 'settled' ? answer.failedSince.count : -1;
}

export const count = (seen: readonly Seen[], code: string): number =>
  seen.filter((one) => one.code === code).length;

/** Lets `width` workers take the items one after the other. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  const work = async () => {
    for (const [i, item] of entries) results[i] = await act(item);
  };
  await Promise.all(Array.from({ length: width }, work));
  return results;
}
