/**
 * The record service: whether a record is told from a decoy, or a name that has a record from one that has none. Without
 * HTTP, whose own noise would only hide things.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KeySet } from '../../lib/assistant/keys.ts';
import { makeRecord } from '../../lib/device/make-record.ts';
import { makeDecoy } from '../../lib/roaming/decoys/decoy.ts';
import { RecordService } from '../../lib/roaming/record-service.ts';
import { ServiceSecret } from '../../lib/roaming/service-secret.ts';
import { MemoryRecordStore } from '../../lib/roaming/stores/memory.ts';
import type { RecordStore } from '../../lib/roaming/stores/record-store.ts';
import { SqliteRecordStore } from '../../lib/roaming/stores/sqlite.ts';
import type { TimingGroup } from './measure.ts';

const USERS = 200;
const MEASUREMENTS = 4000;
const ASSISTANT = 'https://assistant.example';
const SECRET = randomBytes(32);

export async function roaming(): Promise<readonly TimingGroup[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-'));
  const keys = await KeySet.generate();
  let files = 0;
  return [
    await groupOn('memory', keys, () => new MemoryRecordStore()),
    {
      ...(await groupOn('SQLite', keys, () => new SqliteRecordStore(path.join(folder, `${files++}.db`)))),
      close: () => rmSync(folder, { recursive: true }),
    },
  ];
}

/** One of the users, or one of as many names that nobody has. */
const name = (isUser: boolean) => `${isUser ? 'user' : 'none'}${Math.floor(Math.random() * USERS)}`;

async function groupOn(label: string, keys: KeySet, open: () => RecordStore): Promise<TimingGroup> {
  const withCodes = await serviceOn(open(), keys, false);
  const without = await serviceOn(open(), keys, true);
  // Of its own, since what the control does not note, it would leave different lists of fetches behind.
  const ofControl = open();
  const control = await serviceOn(ofControl, keys, true);
  const secret = new ServiceSecret(SECRET);
  return {
    name: `records in ${label}`,
    control: {
      name: 'control: decoys only where needed',
      measurements: MEASUREMENTS,
      prepare(isA) {
        const account = name(isA);
        return async () => {
          const key = secret.key(account, '');
          const found = await ofControl.fetch({ key, otherwise: '', stranger: '', address: '' });
          return found?.record ?? makeDecoy(secret, control.profile, account, keys.active.jwk);
        };
      },
    },
    cases: [
      {
        name: 'wrong code, name with a record or without',
        measurements: MEASUREMENTS,
        prepare(isA) {
          const body = { account: name(isA), code: 'AAAAAAAA' };
          return () => withCodes.fetch(body);
        },
      },
      {
        name: 'no codes, record or decoy',
        measurements: MEASUREMENTS,
        prepare(isA) {
          const body = { account: name(isA) };
          return () => without.fetch(body);
        },
      },
    ],
  };
}

async function serviceOn(store: RecordStore, keys: KeySet, isOpen: boolean): Promise<RecordService> {
  const service = new RecordService({
    store,
    secret: SECRET,
    assistant: ASSISTANT,
    assistantKeys: () => [keys.active.jwk],
    profile: { scheme: 'retrieve' },
    disabled: { isDisabled: async () => false },
    wrongPerAddress: 65_535,
    wrongPerAccount: 65_535,
    ...(isOpen && { withoutPickupCode: 'anyone who knows an account name may hold its record' }),
  });
  for (let i = 0; i < USERS; i++) {
    const { record } = await makeRecord(
      { url: ASSISTANT, jwk: keys.active.jwk },
      { kty: 'OKP', crv: 'Ed25519', x: 'WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY' },
      () => ({ scheme: 'retrieve', c: randomBytes(48) }),
      { password: 'x', argon2id: async () => randomBytes(32) },
    );
    await service.put(`user${i}`, { record });
  }
  return service;
}
