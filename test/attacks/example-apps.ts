/** The example apps in this process, and the routes that their routers have. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express, { type Express } from 'express';
import { browserAssets } from '../../lib/pages/browser-assets.ts';
import { browserBuild } from '../support/builds.ts';

/** An example that listens. */
export interface ExampleApp {
  readonly origin: string;
  readonly routes: readonly Route[];
  /** The assistant of its users. */
  readonly assistant: string;
  /** Where `/login` and `/register` are. */
  readonly base: string;
  /** Whom proofs are for. */
  readonly audience: string;
  close(): Promise<void>;
}

export interface Route {
  readonly method: string;
  readonly path: string;
}

const root = path.resolve(import.meta.dirname, '../..');

interface Layer {
  readonly handle: { readonly stack?: readonly Layer[] };
  readonly route?: { readonly path: string | string[]; readonly methods: Record<string, boolean> };
}

/** Where routers are mounted, which Express keeps as a pattern alone. */
const mounts = new WeakMap<object, string>();
const { prototype } = express.Router as unknown as { prototype: { use: (...args: unknown[]) => unknown } };
const { use } = prototype;
prototype.use = function (this: unknown, ...args: unknown[]) {
  const [first, ...rest] = args.flat(3);
  if (typeof first === 'string')
    for (const handle of rest) if (typeof handle === 'function') mounts.set(handle, first);
  return use.apply(this, args);
};

/** Every route of an app, those of mounted routers included. */
export function routesOf(app: Express): readonly Route[] {
  const walk = (stack: readonly Layer[], base: string): Route[] =>
    stack.flatMap(({ route, handle }) => {
      if (!route) {
        const mount = mounts.get(handle) ?? '';
        return handle.stack ? walk(handle.stack, mount === '/' ? base : `${base}${mount}`) : [];
      }
      const methods = route.methods['_all'] ? ['get', 'post', 'put', 'delete'] : Object.keys(route.methods);
      return [route.path].flat().flatMap((at) =>
        methods.map((method) => ({
          method: method.toUpperCase(),
          path: `${base}${at}`.replace(/:\w+/g, 'x'),
        })),
      );
    });
  return walk((app.router as unknown as { stack: readonly Layer[] }).stack, '');
}

/** Runs a program that listens, and finds the apps behind its ports. */
async function listening(load: () => Promise<unknown>) {
  const servers: net.Server[] = [];
  const prototype = net.Server.prototype as unknown as { listen: (...args: unknown[]) => unknown };
  const listen = Reflect.get(prototype, 'listen') as (typeof prototype)['listen'];
  prototype.listen = function (this: net.Server, ...args) {
    servers.push(this);
    return Reflect.apply(listen, this, args);
  };
  try {
    await load();
  } finally {
    prototype.listen = listen;
  }
  return {
    async apps() {
      for (const server of servers)
        if (!server.listening) await new Promise<void>((ready) => void server.once('listening', ready));
      return servers.map((server) => ({
        app: server.listeners('request')[0] as unknown as Express,
        origin: `http://localhost:${(server.address() as AddressInfo).port}`,
      }));
    },
    async close() {
      for (const server of servers) {
        server.close();
        (server as net.Server & { closeAllConnections?: () => void }).closeAllConnections?.();
      }
    },
  };
}

function folder(): string {
  return mkdtempSync(path.join(tmpdir(), 'example-'));
}

async function program(load: () => Promise<unknown>) {
  const found = await listening(load);
  const apps = await found.apps();
  const main = apps.find(
    ({ app }) => 'router' in app && routesOf(app).some(({ path: at }) => at.endsWith('/login')),
  );
  if (!main) throw new Error('no app with a login listens');
  return { ...main, routes: routesOf(main.app), audience: main.origin, close: () => found.close() };
}

export const EXAMPLES: Readonly<Record<string, () => Promise<ExampleApp>>> = {
  async 'examples/quickstart.ts'() {
    process.env['PORT'] = '0';
    process.env['DATA'] = folder();
    const app = await program(() => import('../../examples/quickstart.ts'));
    return { ...app, assistant: `${app.origin}/assistant`, base: '' };
  },
  async 'README.md'() {
    const [, code] = /<!-- run: server -->\n```js\n([\s\S]*?)```/.exec(
      readFileSync(path.join(root, 'README.md'), 'utf8'),
    ) as unknown as [string, string];
    const data = folder();
    const file = path.join(import.meta.dirname, `.readme-${process.pid}.ts`);
    process.env['SECRET'] = 'a secret of thirty-two bytes or more';
    writeFileSync(
      file,
      `// @ts-nocheck\n${code.replaceAll("'data/", `'${data}/`).replace('listen(3000', 'listen(0')}`,
    );
    try {
      const app = await program(() => import(file));
      return { ...app, assistant: `${app.origin}/assistant`, base: '', audience: 'http://localhost:3000' };
    } finally {
      rmSync(file);
    }
  },
  async 'examples/pages.ts'() {
    await browserBuild();
    process.env['PORT'] = '0';
    process.env['DEMO_KDF'] = 'test';
    const app = await program(() => import('../../examples/pages.ts'));
    const page = await (await fetch(`${app.origin}/account/login`)).text();
    const [assistant] = /http:[^&"]+\/assistant/.exec(page) as RegExpExecArray;
    return { ...app, assistant, base: '/account/api' };
  },
  async 'examples/web/app.ts'() {
    const { startApp } = await import('../../examples/web/app.ts');
    const { startAssistant } = await import('../../examples/web/assistant.ts');
    const data = folder();
    const names = ['ui.css', 'pages.css', 'core.js', 'ui.js', 'device.js'];
    const packageAssets = browserAssets({ files: new Map(names.map((name) => [name, new Uint8Array()])) });
    const assets = new Map();
    const pending = express();
    const side = express();
    const found = await listening(async () => {
      pending.listen(0);
      side.listen(0);
    });
    const [app, helper] = (await found.apps()) as unknown as [{ origin: string }, { origin: string }];
    const started = await startAssistant({
      folder: path.join(data, 'assistant'),
      origin: helper.origin,
      appOrigin: app.origin,
      assets,
      packageAssets,
    });
    side.use(started.handler as express.RequestHandler);
    const assistant = `${helper.origin}/assistant`;
    const kdf = { t: 2, m: 19_456, p: 1 };
    const own = await startApp({
      folder: path.join(data, 'app'),
      origin: app.origin,
      assistantUrl: assistant,
      kdf,
      assets,
      packageAssets,
    });
    pending.use(own.handler as express.RequestHandler);
    return {
      origin: app.origin,
      routes: routesOf(own.handler as Express),
      assistant,
      base: '/api',
      audience: app.origin,
      async close() {
        await found.close();
        await own.close();
        await started.close();
      },
    };
  },
};
