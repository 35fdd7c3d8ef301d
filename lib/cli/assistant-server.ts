/** A whole HTTP server around the assistant's router: what `roaming-key serve` runs. */

import { createServer } from 'node:http';
import express from 'express';
import type { ServedSchemes } from '../assistant/operations.ts';
import { type AssistantRouter, type AssistantRouterOptions, assistant } from '../assistant/router.ts';
import { epochSeconds } from '../base/clock.ts';
import { combineListeners } from '../observe/listeners.ts';
import type { Store } from '../store/store.ts';
import { type AuditLevel, type AuditLogger, auditLog, errorLog } from '../telemetry/audit-log.ts';
import { missingPeer } from './failure.ts';
import { loadKeys } from './key-file.ts';
import { listen, urlOf } from './listen.ts';
import type { MetricsServer } from './metrics-server.ts';

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
  readonly log?: 'json';
  /** Where metrics are served, apart from the assistant; nowhere without. */
  readonly metricsPort?: number;
  readonly metricsHost: string;
}

/** An assistant that listens. */
export interface AssistantServer {
  /** The address that devices use. */
  readonly url: string;
  /** Where metrics are served. */
  readonly metrics: string | undefined;
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
  const metrics = await startMetrics(options);
  let current = await startRouter(options, metrics).catch(async (error: unknown) => {
    await metrics?.close();
    throw error;
  });
  metrics?.watch({
    health: () => current.assistant.health(),
    get workers() {
      return current.assistant.workers;
    },
  });
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
    await Promise.all([current.assistant.close(), metrics?.close()]);
    throw error;
  }

  return {
    url: urlOf(server, mount),
    metrics: metrics?.url,
    async reload() {
      const before = current;
      current = await startRouter(options, metrics);
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
      await Promise.all([current.assistant.close(), metrics?.close()]);
    },
  };
}

async function startMetrics({
  metricsPort: port,
  metricsHost: host,
}: ServeOptions): Promise<MetricsServer | undefined> {
  if (port === undefined) return undefined;
  const { startMetricsServer } = await import('./metrics-server.ts').catch(
    missingPeer('prom-client', 'metrics need'),
  );
  return startMetricsServer({ port, host });
}

async function startRouter(
  { keys, store, cors, rsa, elgamal, log }: ServeOptions,
  metrics: MetricsServer | undefined,
): Promise<AssistantRouter> {
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
    onEvent: combineListeners(...(log ? [auditLog(LOGGER)] : []), ...(metrics ? [metrics.onEvent] : [])),
    ...(metrics && { instrument: metrics.instrument }),
    // With a JSON log every line is JSON, and messages are left out.
    onError: log ? errorLog(LOGGER) : (error) => process.stderr.write(`roaming-key: ${summaryOf(error)}\n`),
  };
  const router = assistant(options);
  await router.assistant.init();
  return router;
}

/** Lines on stderr: when, how urgent, what. */
const LOGGER = Object.fromEntries(
  (['debug', 'info', 'warn', 'error'] as const).map((level): [AuditLevel, AuditLogger[AuditLevel]] => [
    level,
    (record, msg) => {
      process.stderr.write(`${JSON.stringify({ at: epochSeconds(), level, ...record, msg })}\n`);
    },
  ]),
) as AuditLogger;

/** What an operator needs to know of a failure, without stacks, queries and parameters. */
function summaryOf(error: unknown): string {
  const { name, message, cause, code } = error as NodeJS.ErrnoException;
  if (cause !== undefined) return summaryOf(cause);
  return [name, code, message].filter((part) => part !== undefined && part !== '').join(': ');
}

function readTrustProxy(text: string): number | string[] {
  return /^\d{1,2}$/.test(text) ? Number(text) : text.split(',').map((part) => part.trim());
}
