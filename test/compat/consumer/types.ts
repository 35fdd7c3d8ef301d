/** What apps write down of this package's types; checked by several releases of TypeScript, never run. */
import express, { type Request } from 'express';
import passport from 'passport';
import {
  type AssistantEvent,
  assistant,
  challenge,
  type ErrorCode,
  isRoamingKeyError,
  KeySet,
  type LoginInfo,
  login,
  MemoryStore,
  mergeKey,
  problemHandler,
  type RegisteredKey,
  RoamingKeyStrategy,
  registration,
  requireLiveKey,
  SqliteStore,
  type Store,
} from 'passport-roaming-key';
import {
  Device,
  type DeviceRecord,
  type DisablingKit,
  disable,
  enroll,
  type Unlocked,
} from 'passport-roaming-key/device';
import { fileRecords } from 'passport-roaming-key/device/node';
import { storeFromUrl } from 'passport-roaming-key/store/url';

const accounts = new Map<string, RegisteredKey[]>();
const store: Store = new SqliteStore('roaming-key.db');
const rp = {
  audience: 'https://app.example',
  secret: ['one', 'two'],
  updateKeys: (account: string, change: (keys: readonly RegisteredKey[]) => RegisteredKey[]) =>
    accounts.set(account, change(accounts.get(account) ?? [])),
  store,
  keysOf: async (account: string) => accounts.get(account),
};
passport.use(new RoamingKeyStrategy(rp, (account, done, info) => done(null, { account, jkt: info.key.jkt })));
passport.use(
  new RoamingKeyStrategy({ ...rp, passReqToCallback: true }, (req: Request, account) => ({
    account,
    ip: req.ip,
  })),
);

export async function server(): Promise<express.Express> {
  const app = express();
  const seen: AssistantEvent['type'][] = [];
  const keys = await KeySet.generate({ type: 'P-256' });
  app.use('/assistant', assistant({ keys, store, onEvent: ({ type }) => seen.push(type), cors: true }));
  app.post('/login/challenge', challenge(rp));
  app.post('/login', login(passport, { session: false }), (req, res) => {
    const { key } = req.authInfo as LoginInfo;
    res.json(key.disablingNames);
  });
  app.post(
    '/register',
    registration({
      ...rp,
      account: () => undefined,
      save: (_req, key) => void accounts.set(key.account, mergeKey([], key)),
    }),
  );
  app.use(requireLiveKey(rp), problemHandler());
  // @ts-expect-error options are missing
  challenge({ audience: 'https://app.example' });
  return app;
}

export async function client(password: string): Promise<ErrorCode | DisablingKit> {
  const enrolment: { record: DeviceRecord; kit: DisablingKit } = await enroll({
    assistant: 'https://assistant.example',
    password,
    scheme: 'rsa',
    key: 'RSA-3072',
  });
  const device = await Device.open(fileRecords('records'), 'ada', {
    assistant: 'https://assistant.example',
  });
  const { key, failedSince }: Unlocked = await device.unlock(password);
  console.log(key.extractable, failedSince.count, enrolment.record.assistant.url, new MemoryStore());
  await storeFromUrl('memory:');
  try {
    await disable(enrolment.kit);
  } catch (error) {
    if (isRoamingKeyError(error, 'busy')) return error.code;
  }
  return enrolment.kit;
}
