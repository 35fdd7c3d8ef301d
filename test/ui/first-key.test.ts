/** Accounts that log in with a password get their first key by the pages, where the app says whose session it is. */
import express, { type Request } from 'express';
import session from 'express-session';
import { Passport, type PassportStatic } from 'passport';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords } from '../../lib/device/records.ts';
import { roamingKeyPages } from '../../lib/pages/pages.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { mergeKey, type RegisteredKey } from '../../lib/strategy/registered-key.ts';
import { RoamingKeyStrategy } from '../../lib/strategy/strategy.ts';
import { Context, type Session } from '../../lib/ui/flows/context.ts';
import { devicesFlow } from '../../lib/ui/flows/devices.ts';
import { enrollFlow } from '../../lib/ui/flows/enroll.ts';
import { loginFlow } from '../../lib/ui/flows/login.ts';
import { routesUnder } from '../../lib/ui/flows/routes.ts';
import { browserBuild } from '../support/builds.ts';
import { CHEAP_KDF, listen, startAssistant } from '../support/world.ts';

const SECRET = 'a secret of thirty-two bytes or more, for tests';
const KEY_PASSWORD = 'tram ochre violin kettle';
beforeAll(() => browserBuild());
const accountOf = (req: Request) => (req.user as { account?: string } | undefined)?.account;

/** An app with accounts and passwords, of whom ada and bob have one. */
async function start() {
  const assistant = await startAssistant();
  const app = express();
  const origin = (await listen(app)).replace('127.0.0.1', 'localhost');
  const accounts = new Map<string, readonly RegisteredKey[]>([
    ['ada', []],
    ['bob', []],
  ]);
  const passport = new Passport() as unknown as PassportStatic;
  const rp = {
    audience: origin,
    secret: SECRET,
    store: new MemoryStore(),
    disabled: assistant.store,
    withoutKey: 'allow',
    keysOf: (account: string) => accounts.get(account),
  } as const;
  passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false }), passport.session());
  // The check of a password, which is not what this is about.
  app.post('/password/:account', (req, res, next) => {
    req.logIn({ account: req.params.account }, (error) => (error ? next(error) : res.end()));
  });
  const pages = roamingKeyPages({
    rp,
    passport,
    assistant: assistant.url,
    site: 'Notebook',
    accountOf,
    save: (_req, key) => accounts.set(key.account, mergeKey(accounts.get(key.account) ?? [], key)),
  });
  app.use('/account', pages);

  const browser = () => {
    let cookie = '';
    const send: typeof globalThis.fetch = async (url, init) => {
      const isOwn = (url as string).startsWith(origin);
      const headers = { ...(init?.headers as object), ...(isOwn && { cookie, origin }) };
      const response = await fetch(url, { ...init, headers });
      if (isOwn) cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie;
      return response;
    };
    const context = () =>
      new Context({
        assistant: assistant.url,
        app: routesUnder(`${origin}/account/api`),
        site: 'Notebook',
        records,
        kdf: CHEAP_KDF,
        fetch: send,
      });
    const records = memoryRecords();
    return {
      send,
      context,
      records,
      logIn: (name: string) => send(`${origin}/password/${name}`, { method: 'POST' }),
    };
  };
  return { accounts, browser, rp, passport, assistant };
}

async function makeKey(context: Context, typed: { account: string; password: string }) {
  const flow = enrollFlow(context);
  onTestFinished(() => flow.end());
  await flow.start();
  const { owner } = flow.state;
  await flow.submit(typed);
  const { sheet } = flow.state;
  await flow.confirmKit(true);
  return { owner, sheet, state: flow.state };
}

it('makes it for its own account, whatever name was typed, and logs in with it', async () => {
  const { accounts, browser } = await start();
  const ada = browser();
  await ada.logIn('ada');
  const devices = devicesFlow(ada.context());
  onTestFinished(() => devices.end());
  await devices.start();
  expect(devices.state).toMatchObject({ step: 'ready', keys: [], notice: { action: { page: 'create' } } });
  const { owner, state } = await makeKey(ada.context(), { account: 'bob', password: KEY_PASSWORD });
  expect([owner, state.step, state.account]).toEqual(['ada', 'done', 'ada']);
  expect([accounts.get('ada')?.length, accounts.get('bob')?.length]).toEqual([1, 0]);
  expect(await ada.records.list()).toEqual(['login:ada']);
  const now: Session = await ada.context().session();
  expect(now).toMatchObject({ account: 'ada', jkt: accounts.get('ada')?.[0]?.jkt });
  expect(now.needsKey).toBeUndefined();
});

it('lets a session without a key add none beside a key that is good, and one in place of keys that are off', async () => {
  const { accounts, browser } = await start();
  const ada = browser();
  await ada.logIn('ada');
  const { sheet } = await makeKey(ada.context(), { account: '', password: KEY_PASSWORD });
  const thief = browser();
  await thief.logIn('ada');
  expect((await thief.context().session()).needsKey).toBeUndefined();
  const refused = await makeKey(thief.context(), { account: '', password: KEY_PASSWORD });
  expect([refused.owner, refused.state.step]).toEqual([undefined, 'signed-in']);
  const context = thief.context();
  const { record } = await enroll({ ...context.transport, password: KEY_PASSWORD });
  await expect(
    context.deviceOn(record).register({ ...context.party('keys', 'ada'), password: KEY_PASSWORD }),
  ).rejects.toMatchObject({ code: 'refused' });
  expect(accounts.get('ada')).toHaveLength(1);

  await disable(sheet?.kit ?? '');
  await ada.logIn('ada');
  expect((await ada.context().session()).needsKey).toBe(true);
  const again = await makeKey(ada.context(), { account: '', password: KEY_PASSWORD });
  expect([again.owner, again.state.step]).toEqual(['ada', 'done']);
  const login = loginFlow(ada.context());
  onTestFinished(() => login.end());
  await login.submit({ account: 'ada', password: KEY_PASSWORD });
  expect(login.state.step).toBe('done');
});

it('needs sessions without a key to be accepted', async () => {
  const { rp, passport, assistant } = await start();
  const options = { passport, assistant: assistant.url, site: 'Notebook', save: () => {}, accountOf };
  expect(() => roamingKeyPages({ ...options, rp: { ...rp, withoutKey: 'refuse' } })).toThrow(
    "accountOf needs rp.withoutKey to be 'allow'",
  );
});
