import { setTimeout as sleep } from 'node:timers/promises';
import { ed25519Question, rsaQuestion } from '../cases/assistant.ts';
import { many, prepared } from '../cases/case.ts';
import { assistBody, enrolDevice } from '../cases/device.ts';
import { MeasuredServer, type Prepared } from '../measured-server.ts';
import { quantile, type Spread, spread } from '../statistics.ts';

export interface OtherRouteOptions {
  readonly rounds: number;
  /** Milliseconds of each round, idle and again under load. */
  readonly milliseconds: number;
  readonly scheme: 'rsa' | 'ed25519';
  readonly say: (what: string) => void;
}

/** Milliseconds of a route that has nothing to do with the assistant. */
export interface OtherRoute {
  readonly idle: { readonly median: Spread; readonly p99: Spread };
  readonly loaded: { readonly median: Spread; readonly p99: Spread };
  /** Signatures in a second meanwhile. */
  readonly signatures: Spread;
  /** 99th percentile under load ÷ idle, round by round. */
  readonly ratio: Spread;
}

const CONNECTIONS = 32;
/** Milliseconds between two requests to the other route. */
const PACE = 5;

/** How much another route of the app notices of an assistant that signs as fast as it can. */
export async function measureOtherRoute({
  rounds,
  milliseconds,
  scheme,
  say,
}: OtherRouteOptions): Promise<OtherRoute> {
  const server = await MeasuredServer.start('assistant', { app: { store: 'memory:' } });
  const url = `${server.origin}/assistant`;
  const devices = await many(8, () =>
    enrolDevice(url, scheme === 'rsa' ? { scheme, key: 'RSA-2048' } : { scheme }),
  );
  const signatures = (count: number) =>
    many(count, async (i) => {
      const question = scheme === 'rsa' ? rsaQuestion() : ed25519Question();
      return prepared('/assistant/assist', await assistBody(devices[i % 8] as (typeof devices)[0], question));
    });
  await server.send(await signatures(100), CONNECTIONS);
  await probe(server, milliseconds / 2);
  const rows: { idle: number[]; loaded: number[]; rate: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    say(`another route under ${scheme}, round ${round + 1} of ${rounds}`);
    const idle = await probe(server, milliseconds);
    // Made beforehand: while it makes requests, the client would not notice answers.
    const load = new Load(server, await signatures(2 * milliseconds));
    await sleep(200);
    const before = load.done;
    const loaded = await probe(server, milliseconds);
    const rate = (1000 * (load.done - before)) / milliseconds;
    await load.stop();
    rows.push({ idle, loaded, rate });
  }
  await server.stop();
  const of = (which: 'idle' | 'loaded', part: number) =>
    spread(rows.map((row) => quantile(row[which], part)));
  return {
    idle: { median: of('idle', 0.5), p99: of('idle', 0.99) },
    loaded: { median: of('loaded', 0.5), p99: of('loaded', 0.99) },
    signatures: spread(rows.map(({ rate }) => rate)),
    ratio: spread(rows.map(({ idle, loaded }) => quantile(loaded, 0.99) / quantile(idle, 0.99))),
  };
}

/** Latencies of the other route, asked at a steady pace. */
async function probe(server: MeasuredServer, milliseconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const until = performance.now() + milliseconds;
  const request = prepared('/other', { some: 'body of a kilobyte', text: 'x'.repeat(1000) });
  while (performance.now() < until) {
    const next = sleep(PACE);
    latencies.push(await server.time(request));
    await next;
  }
  return latencies;
}

/** Keeps so many requests in flight until it is stopped. */
class Load {
  done = 0;
  #stopped = false;
  readonly #ended: Promise<unknown>;

  constructor(server: MeasuredServer, requests: readonly Prepared[]) {
    let next = 0;
    const one = async () => {
      while (!this.#stopped) {
        const request = requests[next++];
        if (!request) throw new Error('the load ran out of requests');
        await server.time(request, CONNECTIONS);
        this.done += 1;
      }
    };
    this.#ended = Promise.all(Array.from({ length: CONNECTIONS }, one));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }
}
