/**
 * A thief keeps the session that he opened before the owner used her kit, and tries every route of every example with
 * it. Routes are read from the source, so that a new one cannot be forgotten here.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp } from '../../examples/support/start.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

interface Route {
  readonly method: string;
  readonly path: string;
}

/** The routes that a file adds to its app and, below `/api`, to a router called `api`. */
function routesOf(file: string): Route[] {
  const added = read(file).matchAll(/\b(app|api)\.(get|post|put|delete)\(\s*(\[[^\]]*\]|'[^']*')/g);
  return [...added].flatMap(([, on, method, paths]) =>
    [...(paths as string).matchAll(/'([^']+)'/g)].map(([, route]) => ({
      method: (method as string).toUpperCase(),
      path: `${on === 'api' ? '/api' : ''}${route}`.replace(/:\w+/g, 'ada'),
    })),
  );
}

const EXAMPLES = [{ file: 'quickstart.ts', more: [] as readonly Route[] }];

describe.each(EXAMPLES)('examples/$file with a dead session', ({ file, more }) => {
  const routes = [...routesOf(`examples/${file.replace('server', 'app')}`), ...more];
  let app: Awaited<ReturnType<typeof startApp>>;
  const cookies: string[] = [];

  beforeAll(async () => {
    app = await startApp(file, { DEMO_KDF: 'test' });
    const page = await (await fetch(`${app.origin}/`)).text();
    const assistant = /http:[^"']+\/assistant\b/.exec(page)?.[0] ?? `${app.origin}/assistant`;
    const { record, kit } = await enroll({
      assistant,
      password: PASSWORD,
      kdf: CHEAP_KDF,
      scheme: 'retrieve',
    });
    const device = new Device(record, { assistant });
    const account = 'ada';
    await device.register({ url: `${app.origin}/register`, account, password: PASSWORD });
    await device.unlock(PASSWORD);
    for (const _ of routes) {
      const { headers } = await device.login({ url: `${app.origin}/login`, account });
      cookies.push(
        headers
          .getSetCookie()
          .map((line) => line.split(';')[0])
          .join('; '),
      );
    }
    const live = await request({ method: 'GET', path: '/me' }, 0);
    expect(live.status).toBe(200);
    await disable(kit);
    // An app reads the list now and then.
    for (let tries = 0; tries < 50; tries++) {
      const answer = await device.login({ url: `${app.origin}/login`, account }).catch(({ code }) => code);
      if (answer === 'disabled') break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }, 120_000);
  afterAll(() => app?.stop());

  function request(route: Route, at: number) {
    return fetch(`${app.origin}${route.path}`, {
      method: route.method,
      headers: { cookie: cookies[at] as string, origin: app.origin, 'content-type': 'application/json' },
      ...(route.method === 'GET' ? {} : { body: '{}' }),
    });
  }

  it('has routes to try', () => {
    expect(routes.length).toBeGreaterThan(4);
  });

  it.each(routes.map((route, at) => [route.method, route.path, at] as const))(
    'does nothing at %s %s',
    async (method, where, at) => {
      const answer = await request({ method, path: where }, at);
      expect([answer.status, (await answer.json()).code]).toEqual([403, 'disabled']);
    },
  );
});

describe('what is there to be copied', () => {
  it.each(['README.md', 'examples/quickstart.ts', 'examples/roaming.ts', 'examples/web/app.ts'])(
    'has the check of the key right behind the session: %s',
    (file) => {
      const behind = [...read(file).matchAll(/\b\w+\.session\(\)(?:,\s*|\);\n)(\S*)/g)].map(
        ([, next]) => next,
      );
      expect(behind.length).toBeGreaterThan(0);
      for (const next of behind) expect(next).toMatch(/^requireLiveKey\(/);
    },
  );
});
