import { Pool } from 'undici';
import { rsaQuestion } from '../cases/assistant.ts';
import { many, prepared } from '../cases/case.ts';
import { assistBody, type BenchDevice, enrolDevice, RETRIEVAL } from '../cases/device.ts';
import { MeasuredServer, type Prepared } from '../measured-server.ts';
import { quantile, type Spread, spread } from '../statistics.ts';

export interface FloodOptions {
  readonly rounds: number;
  /** Milliseconds of each round, idle and again under the flood. */
  readonly milliseconds: number;
  readonly say: (what: string) => void;
}

/** Milliseconds of an owner's unlock. */
export interface Flood {
  readonly idle: Spread;
  readonly flooded: Spread;
  /** Requests of the stranger that were answered with help, in a second. */
  readonly helped: Spread;
  /** Median under the flood ÷ idle, round by round; infinite where an unlock failed. */
  readonly flood_owner: Spread;
}

const CONNECTIONS = 32;
const STRANGER = '127.0.0.2';
/** Milliseconds between two unlocks of the owner. */
const PACE = 20;
/** JSON has no infinity. */
const INFINITE = Number.MAX_SAFE_INTEGER;

/** What an owner notices of a stranger at another address who sends as many right RSA requests as he can. */
export async function measureFlood({ rounds, milliseconds, say }: FloodOptions): Promise<Flood> {
  const server = await MeasuredServer.start('assistant', { app: { store: 'memory:', workers: {} } });
  const url = `${server.origin}/assistant`;
  const owner = await enrolDevice(url, { scheme: 'retrieve' });
  const strangers = await many(8, () => enrolDevice(url, { scheme: 'rsa', key: 'RSA-2048' }));
  const rows: { idle: number; flooded: number; ratio: number; helped: number }[] = [];
  await unlocks(server, owner, milliseconds / 2);
  for (let round = 0; round < rounds; round++) {
    say(`a flood, round ${round + 1} of ${rounds}`);
    const idle = await unlocks(server, owner, milliseconds);
    // Made beforehand: what the client computes meanwhile would slow the owner down.
    const requests = await many(Math.ceil(milliseconds), async (i) => {
      const body = await assistBody(strangers[i % 8] as BenchDevice, rsaQuestion());
      return prepared('/assistant/assist', body);
    });
    const flood = new Stranger(server.origin, requests);
    const flooded = await unlocks(server, owner, milliseconds);
    const helped = (1000 * (await flood.stop())) / milliseconds;
    const [calm, busy] = [quantile(idle.took, 0.5), quantile(flooded.took, 0.5)];
    rows.push({ idle: calm, flooded: busy, ratio: flooded.failed > 0 ? INFINITE : busy / calm, helped });
  }
  await server.stop();
  return {
    idle: spread(rows.map((row) => row.idle)),
    flooded: spread(rows.map((row) => row.flooded)),
    helped: spread(rows.map((row) => row.helped)),
    flood_owner: spread(rows.map((row) => row.ratio)),
  };
}

/** Unlocks at a steady pace: how long each took, and how many were refused. */
async function unlocks(server: MeasuredServer, owner: BenchDevice, milliseconds: number) {
  const requests = await many(Math.ceil(milliseconds / PACE), async () =>
    prepared('/assistant/assist', await assistBody(owner, RETRIEVAL)),
  );
  const took: number[] = [];
  let failed = 0;
  const until = performance.now() + milliseconds;
  for (const request of requests) {
    if (performance.now() > until) break;
    const next = new Promise((resolve) => setTimeout(resolve, PACE));
    const sent = performance.now();
    await server.time(request).catch(() => (failed += 1));
    took.push(performance.now() - sent);
    await next;
  }
  return { took, failed };
}

/** Sends prepared requests from an address of his own, whatever he is answered, until he is stopped. */
class Stranger {
  #helped = 0;
  #stopped = false;
  readonly #pool: Pool;
  readonly #ended: Promise<unknown>;

  constructor(origin: string, requests: readonly Prepared[]) {
    this.#pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1, localAddress: STRANGER });
    let next = 0;
    const headers = { 'content-type': 'application/json' };
    const one = async () => {
      while (!this.#stopped && next < requests.length) {
        const { path, body } = requests[next++] as Prepared;
        const { statusCode, body: answer } = await this.#pool.request({
          path,
          method: 'POST',
          headers,
          body,
        });
        await answer.dump();
        if (statusCode === 200) this.#helped += 1;
      }
    };
    this.#ended = Promise.all(Array.from({ length: CONNECTIONS }, one));
  }

  /** How many were answered with help. */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#ended;
    await this.#pool.close();
    return this.#helped;
  }
}
