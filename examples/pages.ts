/**
 * The smallest app with pages for login, sign-up, kit, lost device, pickup, devices and password.
 *
 *     npm run build:browser
 *     PORT=3000 npx tsx examples/pages.ts
 *
 * The assistant runs in the same process here, on a port of its own; in earnest somebody else runs it.
 * DEMO_KDF=test makes passwords cheap to guess: for tests alone.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import session from 'express-session';
import passport from 'passport';
import {
  assistant as assistantRouter,
  KeySet,
  MemoryStore,
  mergeKey,
  problemHandler,
  type RegisteredKey,
  RoamingKeyError,
  RoamingKeyStrategy,
  requireLiveKey,
} from 'passport-roaming-key';
import { roamingKeyPages } from 'passport-roaming-key/pages';
import { MemoryRecordStore } from 'passport-roaming-key/roaming';

// An app with accounts, sessions and Passport.
const app = express();
const server = createServer(app).listen(Number(process.env['PORT'] ?? 3000));
await new Promise((ready) => server.once('listening', ready));
const origin = process.env['ORIGIN'] ?? `http://localhost:${(server.address() as AddressInfo).port}`;
const accounts = new Map<string, RegisteredKey[]>();
const secret = randomBytes(32).toString('hex');

// The assistant.
const helperStore = new MemoryStore();
const helper = assistantRouter({ keys: await KeySet.generate(), store: helperStore, cors: [origin] });
const helperServer = createServer(express().use('/assistant', helper)).listen(0);
await new Promise((ready) => helperServer.once('listening', ready));
const assistant = `http://localhost:${(helperServer.address() as AddressInfo).port}/assistant`;

app.use(session({ secret, resave: false, saveUninitialized: false, cookie: { sameSite: 'lax' } }));
app.use(passport.session());
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user: Express.User, done) => done(null, user));

// The integration.
const keysOf = (account: string) => accounts.get(account);
const rp = { audience: origin, secret, store: new MemoryStore(), disabled: helperStore, keysOf };
passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
// Who comes with a key that is off is logged out: people get a page, scripts an answer.
const onEnded: ErrorRequestHandler = (error, req, res, next) =>
  req.accepts(['json', 'html']) === 'html'
    ? res.redirect('/account/login')
    : problemHandler()(error, req, res, next);
app.use(requireLiveKey({ ...rp, onEnded }));
const pages = roamingKeyPages({
  rp,
  passport,
  assistant,
  records: { store: new MemoryRecordStore(), secret, disabled: helperStore },
  site: 'Notebook',
  ...(process.env['DEMO_KDF'] === 'test' && { kdf: { t: 2, m: 19_456, p: 1 } }),
  accountNamed: (u) =>
    [...accounts].find(([, keys]) => keys.some((key) => key.disablingNames?.includes(u)))?.[0],
  save: (_req, key, { isNew }) => {
    if (isNew && accounts.has(key.account)) throw new RoamingKeyError('refused', 'this name is taken');
    accounts.set(key.account, mergeKey(accounts.get(key.account) ?? [], key));
  },
});
app.use('/account', pages);

app.get('/', (req, res) => {
  if (!req.user) return res.redirect('/account/login');
  const name = req.user.account.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return res.send(`<!doctype html><title>Notebook</title><h1>Hello, ${name}</h1>
<p><a href="/account/devices">Your keys</a> · <a href="/account/password">Change the password</a></p>`);
});
console.log(`listening on ${origin}`);

process.once('SIGTERM', async () => {
  for (const one of [server, helperServer]) {
    one.close();
    one.closeAllConnections();
  }
  await pages.records?.close();
  await helper.assistant.close();
});
