/** A whole HTTP server around the assistant's router: what `roaming-key serve` runs. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import express from 'express';
import type { AssistantEvent } from '../assistant/events.ts';
import type { ServedSchemes } from '../assistant/operations.ts';
import { type AssistantRouter, type AssistantRouterOptions, assistant } from '../assistant/router.ts';
import type { Store } from '../store/store.ts';
import { loadKeys } from './key-file.ts';

export interface ServeOptions {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** The key file. */
  readonly keys: string;
  /** Prepared already; stays the caller's to close. */
  readonly store: Store;
  readonly cors?: readonly string[];
  readonly trustProxy?: string;
  readonly rsa?: readonly string[];
  readonly elgamal?: readonly string[];
  readonly log?: true;
}

/** An assistant that listens. */
export interface AssistantServer {
  /** What devices are told. */
  readonly url: string;
  /** Reads the key file anew; requests in flight are finished with the keys they came for. */
  reload(): Promise<void>;
  /** Takes no more requests and finishes those in flight. */
  close(): Promise<void>;
}

/** For how long requests in flight may take when the server ends, and requests in general, in milliseconds. */
const GRACE = 10_000;
const SWEEP = 100;
const REQUEST_TIMEOUT = 30_000;

/**
 * Starts an assistant on a port of its own.
 *
 * @throws CommandLineError `not_found`, `bad_input` for the key file
 * @throws TypeError naming an option
 */
export async function startServer(options: ServeOptions): Promise<AssistantServer> {
  const { store, path: mount, host, port, trustProxy } = options;
  if (!/^\/[A-Za-z0-9/_.~-]*$/.test(mount))
    throw new TypeError('--path must begin with a slash and be plain');
  let current = await startRouter(options);
  const app = express();
  app.disable('x-powered-by');
  if (trustProxy !== undefined) app.set('trust proxy', readTrustProxy(trustProxy));
  app.get('/health', (_req, res) => {
    store.health().then(
      () => res.json({ status: 'ok' }),
      () => res.status(503).json({ status: 'unavailable' }),
    );
  });
  app.use(mount, (req, res, next) => current(req, res, next));

  const server = createServer(app);
  server.requestTimeout = REQUEST_TIMEOUT;
  try {
    await listen(server, port, host);
  } catch (error) {
    await current.assistant.close();
    throw error;
  }

  return {
    url: urlOf(server, mount),
    async reload() {
      const before = current;
      current = await startRouter(options);
      await before.assistant.close();
    },
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      // Connections that a client keeps for later become idle one by one as their requests end.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP);
      const giveUp = setTimeout(() => server.closeAllConnections(), GRACE);
      await closed;
      clearInterval(sweep);
      clearTimeout(giveUp);
      await current.assistant.close();
    },
  };
}

async function startRouter({ keys, store, cors, rsa, elgamal, log }: ServeOptions): Promise<AssistantRouter> {
  const origins = cors?.includes('*') ? true : cors;
  const serve: ServedSchemes = {
    ...(rsa && { rsa: rsa.map(Number) as NonNullable<ServedSchemes['rsa']> }),
    ...(elgamal && { elgamal: elgamal as NonNullable<ServedSchemes['elgamal']> }),
  };
  const options: AssistantRouterOptions = {
    keys: await loadKeys(keys),
    store,
    serve,
    ...(origins && { cors: origins }),
    ...(log && { onEvent: writeEvent }),
    onError: (error) => process.stderr.write(`roaming-key: ${summaryOf(error)}\n`),
  };
  const router = assistant(options);
  await router.assistant.init();
  return router;
}

function writeEvent(event: AssistantEvent): void {
  const told = event.type === 'unavailable' ? { ...event, error: summaryOf(event.error) } : event;
  process.stderr.write(`${JSON.stringify({ at: Math.floor(Date.now() / 1000), ...told })}\n`);
}

/** What an operator needs to know of a failure, without stacks, queries and parameters. */
function summaryOf(error: unknown): string {
  const { name, message, cause, code } = error as NodeJS.ErrnoException;
  if (cause !== undefined) return summaryOf(cause);
  return [name, code, message].filter((part) => part !== undefined && part !== '').join(': ');
}

function readTrustProxy(text: string): number | string[] {
  return /^\d{1,2}$/.test(text) ? Number(text) : text.split(',').map((part) => part.trim());
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((ready, fail) => {
    server.once('error', fail);
    server.listen(port, host, ready);
  });
}

function urlOf(server: Server, mount: string): string {
  const { address, port } = server.address() as AddressInfo;
  const isAny = address === '0.0.0.0' || address === '::';
  const host = isAny ? 'localhost' : isIPv6(address) ? `[${address}]` : address;
  return `http://${host}:${port}${mount.replace(/\/+$/, '')}`;
}
