/**
 * A whole app and its device in one program, as a user of the package would write it; `scripts/compat.ts` runs it against
 * the packed package. Ends with status 0 if everything was as it should be.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import express from 'express';
import passport from 'passport';
import {
  assistant,
  challenge,
  KeySet,
  login,
  mergeKey,
  type RegisteredKey,
  RoamingKeyStrategy,
  registration,
  SqliteStore,
} from 'passport-roaming-key';
import { Device, disable, enroll, isRoamingKeyError } from 'passport-roaming-key/device';
import { fileRecords } from 'passport-roaming-key/device/node';
import { storeFromUrl } from 'passport-roaming-key/store/url';

const password = 'correct horse battery staple';
const kdf = { t: 2, m: 19_456, p: 1 };

function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what} is ${String(found)} instead of ${String(expected)}`);
}

/** The code with which `work` is refused. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'nothing';
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    return error.code;
  }
}

async function main(folder: string): Promise<void> {
  const accounts = new Map<string, RegisteredKey[]>();
  const store = new SqliteStore(path.join(folder, 'store.db'));
  const app = express();
  const listener = createServer(app).listen(0);
  await new Promise((ready) => listener.once('listening', ready));
  const origin = `http://localhost:${(listener.address() as AddressInfo).port}`;
  const rp = {
    audience: origin,
    secret: 's'.repeat(32),
    store,
    keysOf: (account: string) => accounts.get(account),
  };
  passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
  const keys = await KeySet.file(path.join(folder, 'keys.json'));
  const helper = assistant({ keys, store, onError: () => {} });
  app.use('/assistant', helper);
  app.post(['/login/challenge', '/register/challenge'], challenge(rp));
  app.post('/login', login(passport, { session: false }), (req, res) => void res.json(req.user));
  app.post(
    '/register',
    registration({
      ...rp,
      account: (_req, claimed) => claimed,
      save: (_req, key) => void accounts.set(key.account, mergeKey(accounts.get(key.account) ?? [], key)),
    }),
  );

  const url = `${origin}/assistant`;
  const records = fileRecords(path.join(folder, 'records'));
  const { record, kit } = await enroll({ assistant: url, password, kdf, scheme: 'retrieve' });
  await records.save('ada', record);
  const device = await Device.open(records, 'ada', { assistant: url });
  const party = { account: 'ada', password };
  await device.register({ ...party, url: `${origin}/register` });
  const { body } = await device.login({ ...party, url: `${origin}/login` });
  expectEqual('the user', (body as { account?: string }).account, 'ada');
  expectEqual('a wrong password', await refusal(device.unlock('wrong')), 'wrong_password');

  const shared = await enroll({ assistant: url, password, kdf, scheme: 'rsa' });
  const signer = new Device(shared.record, { assistant: url, purposes: ['sign'] });
  expectEqual('the parts of a signature', (await signer.signJws('hello', { password })).split('.').length, 3);

  await disable(kit);
  expectEqual(
    'a disabled key',
    await refusal(device.login({ ...party, url: `${origin}/login` })),
    'disabled',
  );

  const ask = async (method: string, route: string, text?: string) => {
    const headers = { 'content-type': 'application/json' };
    const request = { method, ...(text !== undefined && { body: text, headers }) };
    return (await fetch(url + route, { ...request, signal: AbortSignal.timeout(60_000) })).status;
  };
  expectEqual('GET keys', await ask('GET', '/keys'), 200);
  expectEqual('GET disabled', await ask('GET', '/disabled'), 200);
  expectEqual('GET disabled with nonsense', await ask('GET', `/disabled?after=${'x'.repeat(300)}`), 400);
  expectEqual('GET health', await ask('GET', '/health'), 200);
  expectEqual('GET assist', await ask('GET', '/assist'), 405);
  expectEqual('GET nothing', await ask('GET', '/nothing'), 404);
  expectEqual('POST assist with nonsense', await ask('POST', '/assist', '{}'), 400);
  expectEqual(
    'POST assist with too much',
    await ask('POST', '/assist', `{"ticket":"${'x'.repeat(40_000)}"}`),
    413,
  );
  expectEqual('POST disable with nonsense', await ask('POST', '/disable', '{"request":"x"}'), 400);

  await (await storeFromUrl('memory:')).init();
  await helper.assistant.close();
  await store.close();
  listener.close();
  listener.closeAllConnections();
}

const folder = mkdtempSync(path.join(tmpdir(), 'consumer-'));
main(folder)
  .finally(() => rmSync(folder, { recursive: true }))
  .then(
    () => console.log('ok'),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
