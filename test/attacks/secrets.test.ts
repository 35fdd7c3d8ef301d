/** What a session with errors leaves behind: in logs, events, answers, traffic, store, and in the errors themselves. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { type Argon2id, deviceShare, verifier } from '../../lib/protocol/password.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { captureOutput } from '../support/secrets.ts';
import { argon2idOnce, PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';
import { makeRequest, makeTicket, openAsAssistant, post } from './support.ts';

/** Every way in which a secret may be spelled. */
function spellings(secret: Uint8Array): Buffer[] {
  const bytes = Buffer.from(secret);
  return [
    bytes,
    ...[bytes.toString('base64url'), bytes.toString('hex'), bytes.toString('hex').toUpperCase()].map((text) =>
      Buffer.from(text),
    ),
    Buffer.from(bytes.toString('base64')),
    Buffer.from([...bytes].join(',')),
    Buffer.from([...bytes].join(', ')),
  ];
}

/** The haystack as it is, and every part of every compact JOSE object in it decoded. */
function withDecodedParts(text: string): Buffer[] {
  const parts = [...text.matchAll(/[A-Za-z0-9_-]{22,}/g)].map(([part]) => Buffer.from(part, 'base64url'));
  return [Buffer.from(text), Buffer.concat(parts)];
}

it('no secret is in logs, events, problems, traffic, errors or the store, after a session with every kind of error', async () => {
  const written = captureOutput();
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const store = new SqliteStore(path.join(folder, 'store.db'));
  const world = await startAssistant({ store, onError: (error) => console.error(error) });
  onTestFinished(() => store.close());
  const rp = await startRelyingParty(store);

  const keys: Uint8Array[] = [];
  const argon2id: Argon2id = async (password, salt, kdf) => {
    const k = await argon2idOnce(password, salt, kdf);
    keys.push(new Uint8Array(k));
    return k;
  };
  const errors: unknown[] = [];
  const failing = async (promise: Promise<unknown>) => {
    await promise.then(
      () => expect.unreachable(),
      (error: unknown) => void errors.push(error),
    );
  };

  const { record, kit } = await enroll({ ...world.enrolment, argon2id });
  const device = new Device(record, { assistant: world.url, fetch: world.fetch, argon2id });
  const party = { url: `${rp.origin}/login`, account: 'ada', password: PASSWORD };
  const WRONG = 'a typo of my other password';
  await failing(device.unlock(WRONG));
  await failing(device.login(party));
  await failing(device.unlock('control \u0007 character'));
  await device.register({ ...party, url: `${rp.origin}/register`, headers: { 'x-invited': 'ada' } });
  await device.login(party);
  const pkcs8 = new Uint8Array(await device.exportPrivateKey(PASSWORD, 'pkcs8-der'));
  await failing(
    new Device({ ...record, a: record.u }, { assistant: world.url, fetch: world.fetch, argon2id }).unlock(
      PASSWORD,
    ),
  );
  await world.keys.rotate();
  await device.unlock(PASSWORD);
  for (let i = 0; i < 7; i++) await failing(device.unlock(WRONG));
  const owner = await makeTicket(world.keys.active.jwk);
  await post(world, '/assist', (await makeRequest(owner, { payload: { op: 'sign', alg: PASSWORD } })).body);
  await post(world, '/assist', `{"ticket":"${PASSWORD}"`);
  const closed = store.reserve.bind(store);
  store.reserve = () => Promise.reject(new Error('SQLITE_IOERR'));
  await failing(device.unlock(PASSWORD));
  store.reserve = closed;

  const before = {
    written: written.join('\n'),
    events: JSON.stringify(world.events) + inspect(world.events, { depth: 9 }),
    problems: JSON.stringify(world.traffic.filter(({ status }) => status >= 400)),
    traffic: JSON.stringify(world.traffic),
    errors: errors.map((error) => inspect(error, { depth: 9, showHidden: true })).join('\n'),
    store: files(folder),
    device: inspect(device, { depth: 9, showHidden: true }) + JSON.stringify(device),
  };

  const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
  const rhos: Uint8Array[] = [];
  for (const { url, request } of world.traffic) {
    if (!url.endsWith('/assist')) continue;
    const opened = await openAsAssistant(
      world.keys,
      (JSON.parse(request) as { request: string }).request,
      'rk-request+jwe',
    );
    rhos.push(Buffer.from(opened['rho'] as string, 'base64url'));
  }
  expect(rhos.length).toBeGreaterThan(8);
  expect(keys.length).toBeGreaterThan(8);
  const secrets: [string, Uint8Array][] = [
    ['password', Buffer.from(PASSWORD)],
    ['mistyped password', Buffer.from(WRONG)],
    ['private key', pkcs8],
    ['seed', pkcs8.subarray(16)],
    ['masked key c', Buffer.from(ticket['c'] as string, 'base64url')],
    ['disabling secret t', Buffer.from(kit.t, 'base64url')],
    ...keys.map((k): [string, Uint8Array] => ['K', k]),
    ...keys.map((k): [string, Uint8Array] => ['verifier', verifier(k)]),
    ...keys.map((k): [string, Uint8Array] => ['mask', deviceShare(k, 'retrieve', 48)]),
    ...rhos.map((rho): [string, Uint8Array] => ['rho', rho]),
  ];
  const leaks = [];
  for (const [place, text] of Object.entries(before)) {
    for (const [name, secret] of secrets) {
      for (const form of spellings(secret)) {
        if (withDecodedPartsOf(text).some((hay) => hay.includes(form))) leaks.push(`${name} in ${place}`);
      }
    }
  }
  expect(leaks).toEqual([]);

  // The search finds what is there: u in the events, t in store and feed once its owner has shown it.
  expect(before.events).toContain(record.u);
  await disable(kit, { fetch: world.fetch });
  expect(files(folder)).toContain(kit.t);
  expect(await (await fetch(`${world.url}/disabled`)).text()).toContain(kit.t);
  expect(JSON.stringify(world.traffic)).not.toContain(kit.t);
  expect(written.join('\n')).toContain('SQLITE_IOERR');
});

const decoded = new Map<string, Buffer[]>();
function withDecodedPartsOf(text: string): Buffer[] {
  const known = decoded.get(text) ?? withDecodedParts(text);
  decoded.set(text, known);
  return known;
}

/** All files of a folder, byte for byte, in a form that is searched like text. */
function files(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(path.join(folder, name), 'latin1'))
    .join('\n');
}

it('no error that a device throws names the password in its message, cause or stack', async () => {
  const world = await startAssistant();
  const { record } = await enroll({ ...world.enrolment, argon2id: argon2idOnce });
  const offline = new Device(record, {
    assistant: world.url,
    argon2id: argon2idOnce,
    fetch: async (_input, init) => {
      throw new TypeError(`fetch failed: ${String(init?.method)}`);
    },
  });
  const error = await offline.unlock(PASSWORD).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: 'network' });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD);
});
