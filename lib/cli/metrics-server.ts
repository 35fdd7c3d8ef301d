/** Metrics on a listener of their own, which is never the assistant's: `roaming-key serve --metrics-port`. */
import { createServer } from 'node:http';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { isLoopback } from '../base/url.ts';
import { type Metrics, prometheusMetrics } from '../telemetry/metrics.ts';
import { listen, urlOf } from './listen.ts';

/** Metrics that are served. */
export interface MetricsServer extends Pick<Metrics, 'instrument' | 'onEvent'> {
  readonly url: string;
  readonly watch: Metrics['watchAssistant'];
  close(): Promise<void>;
}

const REQUEST_TIMEOUT = 30_000;
const MAX_CONNECTIONS = 32;

/** Starts to serve `GET /metrics`: the assistant's, and those of the process. */
export async function startMetricsServer({
  port,
  host,
}: {
  readonly port: number;
  readonly host: string;
}): Promise<MetricsServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = prometheusMetrics({ registry });
  const server = createServer((req, res) => {
    req.resume();
    // A page whose name is made to resolve to this machine (DNS rebinding) sends its own name.
    if ((isLoopback(host) || host === '::1') && !isLoopback(hostnameOf(req.headers.host))) {
      res.writeHead(403).end();
      return;
    }
    if (req.method !== 'GET' || req.url !== '/metrics') {
      res.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => res.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
      () => res.writeHead(500).end(),
    );
  });
  server.requestTimeout = REQUEST_TIMEOUT;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, port, host);
  return {
    url: urlOf(server, '/metrics'),
    instrument: metrics.instrument,
    onEvent: metrics.onEvent,
    watch: metrics.watchAssistant,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function hostnameOf(host = ''): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}
