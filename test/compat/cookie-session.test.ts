/** cookie-session, whose sessions lie in the cookie: Passport 0.7 wants two methods that it has not. */
import cookieSession from 'cookie-session';
import express, { type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { listen } from '../support/world.ts';
import { Accounts, passportWith, SECRET, type Visitor, visitor } from './support.ts';

/** What docs/guide.md tells apps to do. */
const forPassport: RequestHandler = (req, _res, next) => {
  const session = req.session as unknown as Record<string, unknown>;
  Object.defineProperties(session, {
    regenerate: {
      value: (done: () => void) => {
        for (const name of Object.keys(session)) delete session[name];
        done();
      },
    },
    save: { value: (done: () => void) => done() },
  });
  next();
};

async function start({ store }: Visitor, shim: readonly RequestHandler[] = [forPassport]) {
  const app = express();
  const accounts = new Accounts();
  const origin = await listen(app);
  const options = accounts.options(origin, store);
  const passport = passportWith(options);
  app.use(cookieSession({ keys: [SECRET], sameSite: 'lax' }), ...shim, passport.session());
  accounts.mount(app, options);
  const errors: unknown[] = [];
  app.post(
    '/login',
    login(passport, { onError: (error) => errors.push(error) }),
    (req, res) => void res.json(req.user),
  );
  app.get('/visit', (req, res) => {
    Object.assign(req.session as object, { cart: 1 });
    res.json(req.session);
  });
  app.get('/me', requireLiveKey(options), (req, res) => {
    if (req.user) res.json({ user: req.user, session: req.session });
    else res.sendStatus(401);
  });
  app.post('/logout', (req, res, next) => req.logout((error) => (error ? next(error) : res.sendStatus(204))));
  return { origin, errors };
}

describe('with the two methods added', () => {
  it('a login lasts, starts from an empty session, and ends by logging out', async () => {
    const ada = await visitor();
    const { origin } = await start(ada);
    await ada.register(origin);
    await ada.fetch(`${origin}/visit`);
    expect(await ada.login(origin)).toEqual({ account: 'ada' });
    const { user, session } = (await (await ada.fetch(`${origin}/me`)).json()) as {
      user: object;
      session: object;
    };
    expect(user).toEqual({ account: 'ada' });
    expect(Object.keys(session).sort()).toEqual(['passport', 'roamingKey']);
    await ada.fetch(`${origin}/logout`, { method: 'POST' });
    expect((await ada.fetch(`${origin}/me`)).status).toBe(401);
  });

  it('a cookie that was copied outlives logging out, but not the key', async () => {
    const ada = await visitor();
    const { origin } = await start(ada);
    await ada.register(origin);
    await ada.login(origin);
    const copied = new Map(ada.cookies.get(origin));
    await ada.fetch(`${origin}/logout`, { method: 'POST' });
    const replay = async () => {
      ada.cookies.set(origin, new Map(copied));
      return (await ada.fetch(`${origin}/me`)).status;
    };
    expect(await replay()).toBe(200);
    await ada.disable();
    expect(await replay()).toBe(403);
    expect(await replay()).toBe(403);
  });
});

it('without them nobody is logged in, and the operator is told', async () => {
  const ada = await visitor();
  const { origin, errors } = await start(ada, []);
  await ada.register(origin);
  await expect(ada.login(origin)).rejects.toMatchObject({ code: 'unavailable', status: 503 });
  expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('regenerate') })]);
  expect((await ada.fetch(`${origin}/me`)).status).toBe(401);
});
