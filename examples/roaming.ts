/**
 * One's key on any device: with account name, password and a short code, and nothing carried along.
 *
 *     npx tsx examples/roaming.ts
 *
 * Three programs on three origins, and their operators had better be three: a shop, which also keeps its users' records;
 * an assistant; and a library, which knows neither. Ada enrols at home and then sits down at another machine.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import session from 'express-session';
import { Passport } from 'passport';
import {
  assistant,
  challenge,
  disabledFeed,
  KeySet,
  login,
  MemoryStore,
  mergeKey,
  type RegisteredKey,
  RoamingKeyStrategy,
  registration,
  requireLiveKey,
} from 'passport-roaming-key';
import {
  Device,
  disable,
  enroll,
  isRoamingKeyError,
  RecordServiceClient,
  type RelyingPartyAnswer,
} from 'passport-roaming-key/device';
import { MemoryRecordStore, roamingRecords } from 'passport-roaming-key/roaming';

async function listen(app: Express) {
  const server = createServer(app).listen(0);
  await new Promise((ready) => server.once('listening', ready));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

// The assistant: keys, and a store of its own.
const theirs = express();
const helper = assistant({ keys: await KeySet.generate(), store: new MemoryStore(), cors: true });
theirs.use('/assistant', helper);
const assistantSide = await listen(theirs);
const assistantUrl = `${assistantSide.origin}/assistant`;
const disabled = disabledFeed({ url: assistantUrl, every: 1 });

/** An app with accounts, sessions and login by key. Whoever has an invitation for an account may add a key to it. */
async function startApp() {
  const app = express();
  const side = await listen(app);
  const accounts = new Map<string, RegisteredKey[]>();
  const secret = 'a secret of the app, at least thirty-two bytes long';
  const rp = {
    audience: side.origin,
    secret,
    store: new MemoryStore(),
    disabled,
    keysOf: (account: string) => accounts.get(account),
  };
  const passport = new Passport();
  passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  app.use(session({ secret, resave: false, saveUninitialized: false }));
  app.use(passport.session(), requireLiveKey(rp));
  app.post(['/login/challenge', '/register/challenge'], challenge(rp));
  app.post('/login', login(passport), (req, res) => void res.json(req.user));
  app.post(
    '/register',
    registration({
      ...rp,
      account: (req) => (req.get('authorization') === 'Bearer invitation-for-ada' ? 'ada' : undefined),
      save: (_req, key) => void accounts.set('ada', mergeKey(accounts.get('ada') ?? [], key)),
    }),
  );
  return { app, rp, ...side };
}

const library = await startApp();
const shop = await startApp();

// The shop keeps records, in a store of its own, for users who are logged in; pages of the library may fetch them.
const service = roamingRecords({
  store: new MemoryRecordStore(),
  secret: 'another secret, for names, codes and decoys, of 32 bytes',
  audience: shop.origin,
  relyingParty: shop.rp,
  accountOf: (req) => req.user?.account,
  assistant: assistantUrl,
  disabled,
  cors: [library.origin],
  onEvent: (event) => console.log('  the shop notes:', event.type, 'matched' in event ? event.matched : ''),
});
shop.app.use('/records', service);
await service.records.init();
const records = `${shop.origin}/records`;

const cookieOf = ({ headers }: RelyingPartyAnswer) =>
  headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');

// At home: enrol, register with both apps, log in to the shop, and leave the record there.
const password = 'correct horse battery staple';
const account = 'ada';
const headers = { authorization: 'Bearer invitation-for-ada' };
const { record, kit } = await enroll({
  assistant: assistantUrl,
  password,
  register: [shop, library].map(({ origin }) => ({ url: `${origin}/register`, account, headers })),
});
let cookie = '';
const home = new Device(record, {
  assistant: assistantUrl,
  roam: { records, headers: () => ({ cookie }) },
});
cookie = cookieOf(await home.login({ url: `${shop.origin}/login`, account, password }));
const code = (await home.storeRecord()) as string;
console.log(`at home: the record is at the shop; the code to remember or write down: ${code}`);

// Elsewhere: account, code, password. The assistant's URL comes with the program, never from the shop.
const away = await Device.roam({ records, assistant: assistantUrl, account, code: code.toLowerCase() });
await away.unlockShared(password);
console.log('away:', (await away.login({ url: `${library.origin}/login`, account })).body, 'at the library');
console.log('away:', (await away.login({ url: `${shop.origin}/login`, account })).body, 'at the shop');
away.lock();

// Somebody else, with a wrong code: he gets a record all the same, and tries passwords on nothing.
const thief = await Device.roam({ records, assistant: assistantUrl, account, code: '00000000' });
const party = { url: `${library.origin}/login`, account, password };
await thief.login(party).catch((error: unknown) => {
  if (!isRoamingKeyError(error, 'wrong_password')) throw error;
  console.log('a thief with the password and a wrong code: wrong password');
});

// The owner sees when and from where her record was fetched.
const owner = new RecordServiceClient({ records, headers: { cookie } });
const fetches = await owner.fetches();
console.log(`fetched ${fetches.length} time, from ${fetches[0]?.address}`);
if (fetches.length !== 1) throw new Error('one fetch was right');

// She disables the key. The shop learns it from the public list, and deletes the record.
await disable(kit);
await disabled.refresh();
console.log(`disabled; the shop has deleted ${await service.records.sweep()} record`);
const late = await Device.roam({ records, assistant: assistantUrl, account, code });
await late.login(party).catch((error: unknown) => {
  if (!isRoamingKeyError(error, 'wrong_password')) throw error;
  console.log('who comes with the right code now gets a decoy, like everybody else');
});

await service.records.close();
await helper.assistant.close();
for (const { server } of [assistantSide, library, shop]) {
  server.close();
  server.closeAllConnections();
}
