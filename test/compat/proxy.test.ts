/** An app on a sub-path, behind a proxy that ends TLS: what it believes of whom. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import session from 'express-session';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addressLimit } from '../../lib/limits/address-limit.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { listen, PASSWORD } from '../support/world.ts';
import { Accounts, passportWith, SECRET, type Visitor, visitor } from './support.ts';

const PUBLIC = 'https://app.example';

/** A reverse proxy as it should be: says who asked and how, whatever the client says. */
async function proxyTo(target: string): Promise<string> {
  const { port } = new URL(target);
  const server = createServer((req, res) => {
    const forwarded = {
      ...req.headers,
      host: `127.0.0.1:${port}`,
      'x-forwarded-for': [req.headers['x-forwarded-for'], req.socket.remoteAddress]
        .filter(Boolean)
        .join(', '),
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'app.example',
    };
    const upstream = httpRequest(
      { host: '127.0.0.1', port, method: req.method, path: req.url, headers: forwarded },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      },
    );
    req.pipe(upstream);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Shape {
  readonly trustProxy: number | boolean;
  readonly secureCookie?: boolean;
}

/** The app at `/team`, in an outer app, as a company puts several under one name. */
async function start({ store }: Visitor, { trustProxy, secureCookie = true }: Shape) {
  const outer: Express = express();
  outer.set('trust proxy', trustProxy);
  const app = express();
  app.set('trust proxy', trustProxy);
  outer.use('/team', app);
  const accounts = new Accounts();
  const options = accounts.options(PUBLIC, store);
  const passport = passportWith(options);
  const cookie = { secure: secureCookie, path: '/team' };
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false, cookie }));
  app.use(passport.session());
  accounts.mount(app, options);
  app.post('/login', login(passport), (req, res) => void res.json(req.user));
  app.get(
    '/me',
    requireLiveKey(options),
    (req, res) => void res.json({ user: req.user ?? null, host: req.hostname }),
  );
  app.post(
    '/limited',
    addressLimit({ limit: 60, windowSeconds: 60, purpose: 'test', store }),
    (_req, res) => void res.end(),
  );
  const direct = await listen(outer);
  return { direct, proxied: await proxyTo(direct) };
}

describe('behind a proxy, on a sub-path', () => {
  it('one logs in at the public address, and the session cookie is for that path and for TLS alone', async () => {
    let proxied = '';
    const ada = await visitor((url) => url.replace(PUBLIC, proxied));
    proxied = (await start(ada, { trustProxy: 1 })).proxied;
    await ada.register(PUBLIC, '/team/register');
    expect(await ada.login(PUBLIC, '/team/login')).toEqual({ account: 'ada' });
    const me = await (await ada.fetch(`${PUBLIC}/team/me`)).json();
    expect(me).toEqual({ user: { account: 'ada' }, host: 'app.example' });
    await ada.disable();
    expect((await ada.fetch(`${PUBLIC}/team/me`)).status).toBe(403);
  });

  it('without trust proxy the app takes TLS for absent, and sends no session cookie', async () => {
    let proxied = '';
    const ada = await visitor((url) => url.replace(PUBLIC, proxied));
    proxied = (await start(ada, { trustProxy: false })).proxied;
    await ada.register(PUBLIC, '/team/register');
    await ada.login(PUBLIC, '/team/login');
    expect(ada.cookies.get(PUBLIC)?.size).toBe(0);
  });

  it.each([
    ['Host', { host: 'evil.example' }],
    ['X-Forwarded-Host', { 'x-forwarded-host': 'evil.example' }],
    ['Forwarded', { forwarded: 'host=evil.example;proto=https' }],
  ])('a proof for another origin is refused, whatever %s says', async (_name, headers) => {
    let direct = '';
    const route = (url: string) => url.replace(PUBLIC, direct).replace('https://evil.example', direct);
    const ada = await visitor(route);
    direct = (await start(ada, { trustProxy: true, secureCookie: false })).direct;
    await ada.register(PUBLIC, '/team/register');
    const party = { account: 'ada', password: PASSWORD, headers };
    const phished = { ...party, url: 'https://evil.example/team/login' };
    await expect(ada.device.login(phished)).rejects.toMatchObject({ code: 'refused', status: 403 });
    const genuine = { ...party, url: `${PUBLIC}/team/login` };
    expect((await ada.device.login(genuine)).body).toEqual({ account: 'ada' });
  });
});

describe('limits per address', () => {
  const ask = async (url: string, client: string) =>
    (await fetch(`${url}/team/limited`, { method: 'POST', headers: { 'x-forwarded-for': client } })).status;
  const askOften = async (url: string, client: string) => {
    let status = 200;
    for (let i = 0; i < 60 && status === 200; i++) status = await ask(url, client);
    return status;
  };

  it('count clients apart where the app trusts its proxy', async () => {
    const { direct } = await start(await visitor(), { trustProxy: 1 });
    expect(await askOften(direct, '192.0.2.1')).toBe(200);
    expect(await ask(direct, '192.0.2.1')).toBe(429);
    expect(await ask(direct, '192.0.2.2')).toBe(200);
    expect(await ask(direct, '2001:db8::1')).toBe(200);
  });

  it('are not escaped by a header of the client’s own, through the proxy or beside it', async () => {
    const trusting = await start(await visitor(), { trustProxy: 1 });
    expect(await askOften(trusting.proxied, '192.0.2.1')).toBe(200);
    expect(await ask(trusting.proxied, '192.0.2.99')).toBe(429);
    const wary = await start(await visitor(), { trustProxy: false });
    expect(await askOften(wary.direct, '192.0.2.1')).toBe(200);
    expect(await ask(wary.direct, '192.0.2.99')).toBe(429);
  });

  it('are one for two processes of an app, and one for all headers of a client’s own', async () => {
    const ada = await visitor();
    const wary = [await start(ada, { trustProxy: false }), await start(ada, { trustProxy: false })] as const;
    const answers = new Map<number, number>();
    for (let i = 0; i < 130; i++) {
      const { direct, proxied } = wary[i % 2] as (typeof wary)[0];
      const status = await ask(i % 3 ? direct : proxied, `192.0.2.${i}, 198.51.100.${i}`);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
    expect([...answers]).toEqual([
      [200, 60],
      [429, 70],
    ]);
  });

  it('are apart for two processes behind a trusted proxy, and follow a client from one to the other', async () => {
    const ada = await visitor();
    const [one, other] = [await start(ada, { trustProxy: 1 }), await start(ada, { trustProxy: 1 })];
    expect(await askOften(one.direct, '192.0.2.1')).toBe(200);
    expect(await ask(other.direct, '192.0.2.1')).toBe(429);
    expect(await ask(other.direct, '198.51.100.1, 192.0.2.1')).toBe(429);
    expect(await ask(other.direct, '192.0.2.2')).toBe(200);
    expect(await askOften(one.direct, '2001:db8:1:200::1')).toBe(200);
    expect(await ask(other.direct, '2001:db8:1:2ff::1')).toBe(429);
    expect(await ask(other.direct, '2001:db8:2::1')).toBe(200);
  });
});
