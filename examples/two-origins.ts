/**
 * The app and the assistant as two programs on two origins, run by two operators. All that passes between them is the
 * public list of disabled keys, which the app reads.
 *
 *     npx tsx examples/two-origins.ts
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import passport from 'passport';
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
} from 'passport-roaming-key';
import { Device, disable, enroll, isRoamingKeyError } from 'passport-roaming-key/device';

async function listen(app: Express) {
  const server = createServer(app).listen(0);
  await new Promise((ready) => server.once('listening', ready));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { server, origin };
}

// Somebody's assistant. It lets pages of any origin ask, and knows none of them.
const theirs = express();
const helper = assistant({ keys: await KeySet.generate(), store: new MemoryStore(), cors: true });
theirs.use('/assistant', helper);
const assistantSide = await listen(theirs);
const assistantUrl = `${assistantSide.origin}/assistant`;

// Our app. It has a store of its own and reads the assistant's list, here every second.
const ours = express();
const appSide = await listen(ours);
const disabled = disabledFeed({ url: assistantUrl, every: 1 });
disabled.start();
const accounts = new Map<string, RegisteredKey[]>();
const rp = {
  audience: appSide.origin,
  secret: 'a secret of the app, at least thirty-two bytes long',
  store: new MemoryStore(),
  disabled,
  keysOf: (account: string) => accounts.get(account),
};
passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
ours.post(['/login/challenge', '/register/challenge'], challenge(rp));
ours.post('/login', login(passport, { session: false }), (req, res) => void res.json(req.user));
ours.post(
  '/register',
  registration({
    ...rp,
    account: (req) => (req.get('authorization') === 'Bearer invitation-for-ada' ? 'ada' : undefined),
    save: (_req, key) => void accounts.set('ada', mergeKey(accounts.get('ada') ?? [], key)),
  }),
);

// A device, which was told of both.
const password = 'correct horse battery staple';
const { record, kit } = await enroll({ assistant: assistantUrl, scheme: 'retrieve', password });
const device = new Device(record, { assistant: assistantUrl });
const headers = { authorization: 'Bearer invitation-for-ada' };
await device.register({ url: `${appSide.origin}/register`, account: 'ada', password, headers });
await device.unlock(password);
console.log('logged in:', (await device.login({ url: `${appSide.origin}/login`, account: 'ada' })).body);

// The key is disabled at the assistant; the app learns it from the list.
await disable(kit);
await disabled.refresh();
await device.login({ url: `${appSide.origin}/login`, account: 'ada' }).catch((error: unknown) => {
  if (!isRoamingKeyError(error, 'disabled')) throw error;
  console.log('disabled at the assistant, refused by the app');
});

disabled.stop();
await helper.assistant.close();
for (const { server } of [assistantSide, appSide]) {
  server.close();
  server.closeAllConnections();
}
