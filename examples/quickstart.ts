/**
 * An Express app whose users log in with a private key that no stolen device gives away.
 *
 *     PORT=3000 STORE_URL=sqlite:data/roaming-key.db npx tsx examples/quickstart.ts
 *
 * One program plays both parts here, the app and its users' assistant; they share nothing but the store, which may
 * also be `memory:`, `redis://…` or `postgres://…`. WORKERS=4 runs it in four processes.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import {
  assistant,
  challenge,
  KeySet,
  login,
  mergeKey,
  problemHandler,
  type RegisteredKey,
  RoamingKeyError,
  RoamingKeyStrategy,
  registration,
  requireLiveKey,
} from 'passport-roaming-key';
import { storeFromUrl } from 'passport-roaming-key/store/url';
import { FileSessions } from './support/file-sessions.ts';
import { inWorkers, isSpokesman } from './support/workers.ts';

await inWorkers();

const folder = process.env['DATA'] ?? 'data';
mkdirSync(folder, { recursive: true, mode: 0o700 });
const app = express();
let open: () => void = () => {};
const ready = new Promise<void>((resolve) => {
  open = resolve;
});
app.use((_req, _res, next) => void ready.then(() => next()));
const server = createServer(app).listen(Number(process.env['PORT'] ?? 3000));
await new Promise((ready) => server.once('listening', ready));
const origin = process.env['ORIGIN'] ?? `http://localhost:${(server.address() as AddressInfo).port}`;

// The assistant needs keys and a store. It has no accounts.
const store = await storeFromUrl(process.env['STORE_URL'] ?? `sqlite:${folder}/roaming-key.db`);
const helper = assistant({ keys: await KeySet.file(`${folder}/assistant-keys.json`), store });
await helper.assistant.init();
app.use('/assistant', helper);

// The app has accounts, with public keys; here in a file, in yours in your database.
const file = `${folder}/accounts.json`;
const accounts = () =>
  new Map<string, RegisteredKey[]>(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
const secret = process.env['SECRET'] ?? randomBytes(32).toString('hex');
const write = (all: Map<string, RegisteredKey[]>) =>
  writeFileSync(file, JSON.stringify([...all]), { mode: 0o600 });
const rp = {
  audience: origin,
  secret,
  store,
  keysOf: (account: string) => accounts().get(account),
  updateKeys: (account: string, change: (keys: readonly RegisteredKey[]) => RegisteredKey[]) => {
    const all = accounts();
    write(all.set(account, change(all.get(account) ?? [])));
  },
};

passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user: Express.User, done) => done(null, user));
const sessions = new FileSessions(`${folder}/sessions`);
app.use(
  session({ secret, store: sessions, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } }),
);
// Right after the session, for every route: what a disabled key opened does nothing any more.
app.use(passport.session(), requireLiveKey(rp));

app.post(['/login/challenge', '/register/challenge'], challenge(rp));
app.post('/login', login(passport), (req, res) => void res.json(req.user));

// Whoever comes first with a name owns it; a further key needs a session of that account.
app.post(
  '/register',
  registration({
    ...rp,
    account: (req, claimed) => req.user?.account ?? claimed,
    save: (req, key) => {
      const all = accounts();
      if (all.has(key.account) && !req.user) throw new RoamingKeyError('refused', 'this name is taken');
      write(all.set(key.account, mergeKey(all.get(key.account) ?? [], key)));
    },
  }),
);

app.get('/me', (req, res) => {
  if (!req.user) throw new RoamingKeyError('refused', 'log in first');
  res.json(req.user);
});
app.post('/logout', (req, res, next) => req.logout((error) => (error ? next(error) : res.sendStatus(204))));
app.use(problemHandler());

open();
if (isSpokesman()) console.log(`listening on ${origin}`);

process.once('SIGTERM', async () => {
  server.close();
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 2000).unref();
  await helper.assistant.close();
  await store.close();
});

declare global {
  namespace Express {
    interface User {
      account: string;
    }
  }
}
