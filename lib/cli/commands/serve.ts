import { Option } from 'commander';
import type { ServeOptions } from '../assistant-server.ts';
import { command } from '../command.ts';
import { missingPeer } from '../failure.ts';
import { openStore, storeOption, withStore } from '../open-store.ts';
import { gather, gatherOf, wholeNumber } from '../options.ts';
import { note, print } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { keysOption } from './keys.ts';

interface Options extends Omit<ServeOptions, 'store'> {
  readonly store: string;
}

export const serve = command<Options>({
  name: 'serve',
  summary: 'run an assistant',
  description: `Runs an assistant that serves every ticket for its keys; it has no accounts. Records take https
addresses alone (or this machine's own), so put a proxy with TLS in front and name it with --trust-proxy, or all
the world is one address to the limits. Ends cleanly on SIGTERM and SIGINT; reads its keys anew on SIGHUP. GET
/health answers 200 while the store does. Processes that hold the same keys must share one store.`,
  options: [
    new Option('--port <port>', 'where to listen; 0 takes a free one')
      .default(3000)
      .argParser(wholeNumber(0, 65_535)),
    new Option('--host <address>', 'the address to listen at').default('127.0.0.1'),
    new Option('--path <path>', "the assistant's path").default('/'),
    keysOption(),
    storeOption(),
    new Option(
      '--cors <origin>',
      'a web origin whose pages may use the assistant, or * for all; may be repeated',
    ).argParser(gather),
    new Option(
      '--trust-proxy <hops>',
      'how many proxies stand in front, or their addresses, comma-separated',
    ),
    new Option(
      '--rsa <bits>',
      'a size of shared RSA keys to serve; may be repeated (default: 2048, 3072)',
    ).argParser(gatherOf(['2048', '3072', '4096'])),
    new Option(
      '--elgamal <group>',
      'a group to serve; may be repeated (default: P-256, ffdhe2048, ffdhe3072)',
    ).argParser(gatherOf(['P-256', 'ffdhe2048', 'ffdhe3072', 'ffdhe4096'])),
    new Option('--log [format]', 'write audit events to stderr, one JSON object a line')
      .choices(['json'])
      .preset('json'),
    new Option(
      '--metrics-port <port>',
      'serve Prometheus metrics at /metrics on a port of its own; 0 takes a free one; needs prom-client',
    ).argParser(wholeNumber(0, 65_535)),
    new Option('--metrics-host <address>', 'the address that metrics are served at').default('127.0.0.1'),
  ],
  json: '{ "listening": url, "metrics"?: url } once it listens; with --log the events on stderr',
  examples: [
    {
      does: 'an assistant for this machine',
      line: 'roaming-key serve --port 3001 --keys assistant-keys.json --store sqlite:assistant.db',
    },
    {
      does: 'behind one proxy, for the pages of one app, in a container',
      line: 'roaming-key serve --host 0.0.0.0 --port 3002 --keys assistant-keys.json --store sqlite:assistant.db --trust-proxy 1 --cors https://app.example --log json',
    },
    {
      does: 'with metrics for a Prometheus on this machine',
      line: 'roaming-key serve --port 3003 --keys assistant-keys.json --store sqlite:assistant.db --log json --metrics-port 9464',
    },
  ],
  async run({ store: url, ...options }) {
    const { startServer } = await import('../assistant-server.ts').catch(
      missingPeer('express', 'an assistant needs'),
    );
    if (url.startsWith('memory:'))
      note('this store forgets everything with the process, disabled keys too', options);
    const stopped = stopSignal();
    await withStore(openStore(url), async (store) => {
      const server = await startServer({ ...options, store });
      const reload = () =>
        void server
          .reload()
          .catch((error: Error) => note(`the keys stay as they were: ${error.message}`, {}));
      process.on('SIGHUP', reload);
      const { url: listening, metrics } = server;
      const lines = [`listening on ${listening}\n`, ...(metrics ? [`metrics at ${metrics}\n`] : [])];
      await print(
        options.json ? `${JSON.stringify({ listening, ...(metrics && { metrics }) })}\n` : lines.join(''),
      );
      await stopped;
      process.off('SIGHUP', reload);
      await server.close();
    });
    return undefined;
  },
});
