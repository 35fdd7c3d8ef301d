/** Passwords and keys at once: passport-local and this strategy on one table of accounts, until the passwords are gone. */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import express, { type RequestHandler } from 'express';
import session from 'express-session';
import { Strategy as LocalStrategy } from 'passport-local';
import { expect, it } from 'vitest';
import { challenge } from '../../lib/strategy/challenge.ts';
import { rememberKey, requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { mergeKey, type RegisteredKey } from '../../lib/strategy/registered-key.ts';
import { registration } from '../../lib/strategy/registration.ts';
import { listen, PASSWORD } from '../support/world.ts';
import { Accounts, passportWith, SECRET, type Visitor, visitor } from './support.ts';

interface Row {
  password: { readonly salt: Uint8Array; readonly hash: Uint8Array } | null;
  keys: readonly RegisteredKey[];
}

const hashed = (password: string, salt: Uint8Array = randomBytes(16)) => ({
  salt,
  hash: scryptSync(password, salt, 32),
});
const matches = (row: Row | undefined, password: string) =>
  row?.password != null && timingSafeEqual(hashed(password, row.password.salt).hash, row.password.hash);

async function start({ store }: Visitor) {
  const table = new Map<string, Row>([['ada', { password: hashed('a password of old'), keys: [] }]]);
  const app = express();
  const origin = await listen(app);
  const options = {
    ...new Accounts().options(origin, store),
    keysOf: (account: string) => table.get(account)?.keys,
    withoutKey: 'allow' as const,
  };
  const passport = passportWith(options);
  passport.use(
    new LocalStrategy((username, password, done) =>
      done(null, matches(table.get(username), password) ? { account: username } : false),
    ),
  );
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false }), passport.session());
  app.use(requireLiveKey(options));
  app.post(['/login/challenge', '/keys/challenge'], challenge(options));
  app.post('/login', login(passport), (req, res) => void res.json(req.user));
  app.post(
    '/password',
    express.json(),
    passport.authenticate('local') as RequestHandler,
    (req, res) => void res.json(req.user),
  );
  // One route for both, as an app has it that did not want a second one.
  app.post(
    '/either',
    express.json(),
    passport.authenticate(['roaming-key', 'local']) as RequestHandler,
    rememberKey(),
    (req, res) => void res.json(req.user),
  );
  const accountOf = (req: express.Request) => (req.user as { account: string } | undefined)?.account;
  app.post(
    '/keys',
    registration({
      ...options,
      account: accountOf,
      save: (_req, key) => {
        const row = table.get(key.account) as Row;
        row.keys = mergeKey(row.keys, key);
      },
    }),
  );
  app.delete('/password', (req, res) => {
    const row = table.get(accountOf(req) ?? '');
    if (!row || row.keys.length === 0) return void res.sendStatus(409);
    row.password = null;
    res.sendStatus(204);
  });
  app.get('/me', (req, res) => void res.json(req.user ?? null));
  return { origin, table };
}

const json = (method: string, body: object) => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

it('an account moves from a password to a key, and both work in between', async () => {
  const ada = await visitor();
  const { origin, table } = await start(ada);
  const old = { username: 'ada', password: 'a password of old' };

  await expect(ada.register(origin, '/keys')).rejects.toMatchObject({ code: 'refused' });
  expect((await ada.fetch(`${origin}/password`, json('POST', { ...old, password: 'wrong' }))).status).toBe(
    401,
  );
  expect((await ada.fetch(`${origin}/password`, json('POST', old))).status).toBe(200);
  expect((await ada.fetch(`${origin}/password`, { method: 'DELETE' })).status).toBe(409);
  await ada.register(origin, '/keys');

  expect(await ada.login(origin)).toEqual({ account: 'ada' });
  expect((await ada.fetch(`${origin}/password`, json('POST', old))).status).toBe(200);
  const either = { url: `${origin}/either`, challengeUrl: `${origin}/login/challenge` };
  expect((await ada.device.login({ ...either, account: 'ada', password: PASSWORD })).body).toEqual({
    account: 'ada',
  });
  expect((await ada.fetch(either.url, json('POST', old))).status).toBe(200);
  expect((await ada.fetch(either.url, json('POST', { ...old, password: 'wrong' }))).status).not.toBe(200);

  expect((await ada.fetch(`${origin}/password`, { method: 'DELETE' })).status).toBe(204);
  expect(table.get('ada')?.password).toBeNull();
  expect((await ada.fetch(`${origin}/password`, json('POST', old))).status).toBe(401);
  expect(await ada.login(origin)).toEqual({ account: 'ada' });
  expect(await (await ada.fetch(`${origin}/me`)).json()).toEqual({ account: 'ada' });
});

it.each(['/login', '/either'])(
  'disabling ends sessions that the key opened at %s, not those of the password',
  async (path) => {
    const [ada, other] = [await visitor(), await visitor()];
    const { origin } = await start(ada);
    const old = json('POST', { username: 'ada', password: 'a password of old' });
    await other.fetch(`${origin}/password`, old);
    await ada.fetch(`${origin}/password`, old);
    await ada.register(origin, '/keys');
    const party = { url: `${origin}${path}`, challengeUrl: `${origin}/login/challenge` };
    await ada.device.login({ ...party, account: 'ada', password: PASSWORD });
    await ada.disable();
    expect((await ada.fetch(`${origin}/me`)).status).toBe(403);
    expect((await other.fetch(`${origin}/me`)).status).toBe(200);
  },
);
