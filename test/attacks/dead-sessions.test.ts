/**
 * A thief keeps the session that he opened before the owner used her kit, and tries every route of every example with it.
 * The routes are those of the routers themselves, so that a new one cannot be forgotten here.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { eventually } from '../support/eventually.ts';
import { CHEAP_KDF, PASSWORD } from '../support/world.ts';
import { EXAMPLES, type ExampleApp, type Route } from './example-apps.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
/** A name that stands in an answer only where the session was believed. */
const ACCOUNT = 'ada-of-the-dead-session';

describe.each(Object.entries(EXAMPLES))('%s with a dead session', { timeout: 120_000 }, (_file, start) => {
  let app: ExampleApp;
  const cookies: string[] = [];

  beforeAll(async () => {
    app = await start();
    const { assistant, audience, base, origin } = app;
    const { record, kit } = await enroll({
      assistant,
      password: PASSWORD,
      kdf: CHEAP_KDF,
      scheme: 'retrieve',
    });
    const device = new Device(record, { assistant });
    const at = (route: string) => ({ url: `${origin}${base}/${route}`, account: ACCOUNT, audience });
    await device.register({ ...at('register'), password: PASSWORD });
    await device.unlock(PASSWORD);
    const open = async () => {
      const { headers } = await device.login(at('login'));
      return headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; ');
    };
    // Each request ends its session, so each has one of its own.
    for (const _ of app.routes) cookies.push(await open());
    const lives = await Promise.all(app.routes.filter(isRead).map((route) => ask(route, cookies[0])));
    expect(
      lives.some(({ text }) => text.includes(ACCOUNT)),
      'a live session is believed',
    ).toBe(true);
    await disable(kit);
    // An app reads the list now and then.
    const code = () => device.login(at('login')).catch((error: { code: string }) => error.code);
    await eventually(async () => expect(await code()).toBe('disabled'));
  }, 180_000);
  afterAll(() => app?.close());

  const isRead = ({ method }: Route) => method === 'GET';

  async function ask({ method, path: route }: Route, cookie?: string) {
    const answer = await fetch(`${app.origin}${route}`, {
      method,
      headers: { ...(cookie && { cookie }), origin: app.origin, 'content-type': 'application/json' },
      redirect: 'manual',
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }),
    });
    const text = await answer.text();
    return { status: answer.status, text, code: /"code":"(\w+)"/.exec(text)?.[1] };
  }

  it('is refused, or nobody to every route that there is', async () => {
    expect(app.routes.length).toBeGreaterThan(8);
    let refused = 0;
    for (const [i, route] of app.routes.entries()) {
      const name = `${route.method} ${route.path}`;
      const [dead, nobody] = [await ask(route, cookies[i]), await ask(route)];
      expect(dead.text, name).not.toContain(ACCOUNT);
      if (dead.status === 403 && dead.code === 'disabled') refused += 1;
      // What stands before the session, or where HTML is asked for, answers as to anybody.
      else expect([dead.status, dead.code], name).toEqual([nobody.status, nobody.code]);
    }
    expect(refused).toBeGreaterThan(4);
  });
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
