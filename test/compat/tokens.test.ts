/** An API without sessions: a login gives a token, and the token is good for as long as its key is. */
import express, { type RequestHandler } from 'express';
import { jwtVerify, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import type { Store } from '../../lib/store/store.ts';
import { login } from '../../lib/strategy/login.ts';
import type { LoginInfo } from '../../lib/strategy/strategy.ts';
import { listen } from '../support/world.ts';
import { Accounts, passportWith, SECRET, type Visitor, visitor } from './support.ts';

const tokenKey = new TextEncoder().encode(SECRET);

/** A token that names the key it was given for, by all names under which that can be disabled. */
function tokenFor({ account, key }: LoginInfo): Promise<string> {
  return new SignJWT({ u: key.disablingNames })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(account)
    .setExpirationTime('5m')
    .sign(tokenKey);
}

const requireToken =
  (store: Pick<Store, 'isDisabled'>): RequestHandler =>
  async (req, res, next) => {
    const token = /^Bearer (.+)$/.exec(req.get('authorization') ?? '')?.[1] ?? '';
    const verified = await jwtVerify<{ u: string[] }>(token, tokenKey).catch(() => undefined);
    if (!verified) return void res.sendStatus(401);
    if (await store.isDisabled(verified.payload.u)) return void res.sendStatus(403);
    req.user = { account: verified.payload.sub } as Express.User;
    next();
  };

async function start({ store }: Visitor) {
  const app = express();
  const accounts = new Accounts();
  const origin = await listen(app);
  const options = accounts.options(origin, store);
  const passport = passportWith(options);
  accounts.mount(app, options);
  app.post('/login', login(passport, { session: false }), async (req, res) => {
    res.json({ token: await tokenFor(req.authInfo as LoginInfo) });
  });
  app.get('/me', requireToken(store), (req, res) => void res.json(req.user));
  return origin;
}

it('a login gives a token and no cookie, and the token ends with the key', async () => {
  const ada = await visitor();
  const origin = await start(ada);
  await ada.register(origin);
  const { token } = (await ada.login(origin)) as { token: string };
  expect(ada.cookies.get(origin)?.size).toBe(0);
  const me = (bearer: string) => fetch(`${origin}/me`, { headers: { authorization: `Bearer ${bearer}` } });
  expect(await (await me(token)).json()).toEqual({ account: 'ada' });
  expect((await me(`${token}x`)).status).toBe(401);
  await ada.disable();
  expect((await me(token)).status).toBe(403);
  await expect(ada.login(origin)).rejects.toMatchObject({ code: 'disabled' });
});
