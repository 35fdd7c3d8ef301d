/**
 * Inkwell, a demo that people can use: an app for signed messages and private notes, and the assistant that keeps its
 * users' keys safe. Two programs in one process, on two origins, that share nothing: not a key, a secret or a file.
 *
 *     PORT=3000 npx tsx examples/web/server.ts
 *
 * The app listens on PORT, the assistant on the port after it, at /assistant. PORT=0 picks both. What they remember is
 * in two SQLite files under DATA (default data/web). DEMO_KDF=test makes passwords cheap to guess: for tests alone.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startApp } from './app.ts';
import { buildAssets, buildPackage } from './assets.ts';
import { startAssistant } from './assistant.ts';

const folder = process.env['DATA'] ?? 'data/web';
const port = Number(process.env['PORT'] ?? 3000);

const [appSide, assistantSide] = await Promise.all([listen(port), listen(port === 0 ? 0 : port + 1)]).catch(
  (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    console.error(
      `a port is taken (${error.message}): choose two others, such as PORT=4000 for 4000 and 4001`,
    );
    process.exit(1);
  },
);
const origin = process.env['ORIGIN'] ?? appSide.origin;
const packageAssets = await buildPackage();
const assets = await buildAssets(packageAssets);
const helper = await startAssistant({
  folder: `${folder}/assistant`,
  origin: assistantSide.origin,
  appOrigin: origin,
  assets,
  packageAssets,
});
assistantSide.serve(helper.handler);
const app = await startApp({
  folder: `${folder}/app`,
  origin,
  assistantUrl: `${assistantSide.origin}/assistant`,
  kdf: process.env['DEMO_KDF'] === 'test' ? { t: 2, m: 19_456, p: 1 } : {},
  assets,
  packageAssets,
});
appSide.serve(app.handler);

console.log(`assistant on ${assistantSide.origin}/assistant`);
console.log(`its operator's page: ${assistantSide.origin}/operator#${helper.token}`);
console.log(`listening on ${origin}`);

async function stop(): Promise<void> {
  for (const { server } of [appSide, assistantSide]) {
    server.close();
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  }
  await app.close();
  await helper.close();
}
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

/** Takes a port first, since each side must know the other's origin; requests wait until there is somebody to answer. */
async function listen(
  wanted: number,
): Promise<{ server: Server; origin: string; serve: (handler: RequestListener) => void }> {
  let serve: (handler: RequestListener) => void = () => {};
  const ready = new Promise<RequestListener>((resolve) => {
    serve = resolve;
  });
  const server = createServer((req, res) => void ready.then((handler) => handler(req, res)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, resolve);
  });
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}`, serve };
}
