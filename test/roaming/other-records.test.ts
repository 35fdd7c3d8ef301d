/** Records of an account's other keys: for its own sessions, of any kind. */
import { expect, it, onTestFinished } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords } from '../../lib/device/records.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { Context, type FlowOptions } from '../../lib/ui/flows/context.ts';
import { devicesFlow } from '../../lib/ui/flows/devices.ts';
import { thumbprintOf } from '../../lib/ui/flows/keep-record.ts';
import { bringOthers, useOnce } from '../../lib/ui/flows/other-keys.ts';
import { passwordFlow } from '../../lib/ui/flows/password.ts';
import { CHEAP_KDF, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';
import { fetchRecord, quickRecord, startRecords } from './support.ts';

async function start() {
  const assistant = await startAssistant();
  const service = await startRecords(assistant.url, { disabled: assistant.store });
  const made = await enroll({ ...assistant.enrolment, scheme: 'elgamal', key: 'P-256' });
  const client = (account: string, fetch = globalThis.fetch) =>
    new RecordServiceClient(service.as(account), { fetch });
  const main = await enroll({ ...assistant.enrolment, roam: service.as('ada') });
  service.events.splice(0);
  return { assistant, service, client, main, ...made };
}

it('are given to their account alone, and no pickup fetches them', async () => {
  const { assistant, service, client, record } = await start();
  await client('bob').store(await quickRecord(assistant));
  expect(await client('ada').others(assistant.url)).toEqual({});
  await client('ada').storeOther('notes', record);
  expect(await client('ada').others(assistant.url)).toEqual({ notes: record });
  expect(await client('bob').others(assistant.url)).toEqual({});
  const anonymous = await fetch(`${service.url}/others`);
  expect(anonymous.status).toBe(403);
  const { text } = await fetchRecord(service, { account: 'ada', code: '' });
  expect(text).not.toContain(record.u);
  await client('ada').remove();
  expect(await client('ada').others(assistant.url)).toEqual({});
});

it('leave a trace where they are read: one entry in the list, one event', async () => {
  const { assistant, service, client, record } = await start();
  await client('ada').others(assistant.url);
  expect(await client('ada').fetches()).toEqual([]);
  for (const purpose of ['sign', 'notes'] as const) await client('ada').storeOther(purpose, record);
  service.events.splice(0);
  expect(await client('ada').others(assistant.url)).toEqual({ sign: record, notes: record });
  expect(await client('ada').fetches()).toEqual([{ at: expect.any(Number), address: '127.0.0.1' }]);
  expect(service.events).toEqual([{ type: 'othersFetched', account: 'ada', address: '127.0.0.1' }]);
  expect(await client('bob').fetches()).toEqual([]);
});

it('and requests for them that are refused are told', async () => {
  const { service } = await start();
  const url = `${service.url}/others`;
  await fetch(url);
  await fetch(url, { headers: { origin: 'https://evil.example' } });
  await fetch(url, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: 'no json' });
  const rejected = { type: 'rejected', part: 'records', address: '127.0.0.1' };
  expect(service.events).toMatchObject(
    ['account', 'origin', 'form'].map((reason) => ({ ...rejected, reason })),
  );
});

it('go when their key is disabled', async () => {
  const { assistant, service, client, record, kit } = await start();
  await client('ada').storeOther('notes', record);
  await disable(kit);
  expect(await client('ada').others(assistant.url)).toEqual({});
  expect(await service.records.sweep()).toBe(1);
  await expect(client('ada').storeOther('notes', record)).rejects.toMatchObject({ code: 'disabled' });
});

it.each(['disabled', 'swept'])('are not given once the record of the login key is %s', async (end) => {
  const { assistant, service, client, main, record } = await start();
  await client('ada').storeOther('notes', record);
  await disable(main.kit);
  if (end === 'swept') expect(await service.records.sweep()).toBe(1);
  expect(await client('ada').others(assistant.url)).toEqual({});
  expect(await client('ada').fetches()).toEqual([]);
});

it('are deleted with one event, also after the record of the login key is gone', async () => {
  const { assistant, service, client, main, record } = await start();
  const isDeleted = async () => {
    for (const purpose of ['sign', 'notes'] as const) await client('ada').storeOther(purpose, record);
    service.events.splice(0);
    await client('ada').remove();
    await client('ada').remove();
    expect(service.events).toEqual([{ type: 'deleted', account: 'ada', address: '127.0.0.1' }]);
  };
  await isDeleted();
  await client('ada').store(main.record);
  await disable(main.kit);
  expect(await service.records.sweep()).toBe(1);
  await isDeleted();
  // Nothing comes back with a new record.
  await client('ada').store(await quickRecord(assistant));
  expect(await client('ada').others(assistant.url)).toEqual({});
});

it('are refused where they are none, of another assistant, or of another purpose', async () => {
  const { assistant, client, record } = await start();
  const thief = await KeySet.generate();
  const forged = { ...record, assistant: { url: assistant.url, jwk: thief.active.jwk } };
  const elsewhere = { ...record, assistant: { ...record.assistant, url: 'https://evil.example' } };
  for (const [purpose, body, code] of [
    ['notes', {}, 'invalid_request'],
    ['login', record, 'invalid_request'],
    ['notes', elsewhere, 'unsupported'],
    ['notes', forged, 'unknown_key'],
  ] as const)
    await expect(client('ada').storeOther(purpose as 'notes', body as never)).rejects.toMatchObject({ code });
});

it('are checked by the device, too: a lying service hands it no record of another assistant', async () => {
  const { assistant, client, record } = await start();
  const thief = await KeySet.generate();
  for (const assistantOf of [
    { url: assistant.url, jwk: thief.active.jwk },
    { ...record.assistant, url: 'https://evil.example' },
  ]) {
    const lying: typeof fetch = async (url, init) =>
      (url as string).endsWith('/others')
        ? Response.json({ others: { notes: { ...record, assistant: assistantOf }, sign: record } })
        : fetch(url, init);
    // The other one is good, and comes.
    expect(await client('ada', lying).others(assistant.url)).toEqual({ sign: record });
  }
});

it('that the service refuses keep no pickup code from being made, and are named', async () => {
  const assistant = await startAssistant();
  const service = await startRecords(assistant.url, { disabled: assistant.store });
  const login = await enroll(assistant.enrolment);
  const notes = await enroll({ ...assistant.enrolment, scheme: 'elgamal', key: 'P-256' });
  await disable(notes.kit);
  const records = memoryRecords();
  await records.save('login:ada', login.record);
  await records.save('notes:ada', notes.record);
  const options = {
    assistant: assistant.url,
    app: { login: `${service.origin}/login`, session: `${service.origin}/session`, records: service.url },
    headers: { 'x-account': 'ada' },
    records,
    argon2id: quickArgon2id,
    // The session is the app's own affair.
    fetch: async (url: RequestInfo | URL, init?: RequestInit) =>
      url === `${service.origin}/session`
        ? Response.json({ account: 'ada', now: 0, keys: [] })
        : fetch(url, init),
  } satisfies FlowOptions;
  const flow = devicesFlow(options, { pickupUrl: `${service.origin}/pickup` });
  onTestFinished(() => flow.end());
  await flow.start();
  await flow.makeCode();
  expect(flow.state).toMatchObject({ step: 'code', code: expect.stringMatching(/^[0-9A-Z]{8}$/) });
  expect(flow.state.notice).toMatchObject({ tone: 'info', title: expect.stringContaining('key for notes') });
});

it('are kept by the device that picks up once they have worked, and replace none but an outdated one of the same key', async () => {
  const { assistant, service, client, record } = await start();
  const account = 'ada';
  const [planted, other] = await Promise.all(
    ['the password of a thief', PASSWORD].map((password) =>
      enroll({ ...assistant.enrolment, password, scheme: 'elgamal', key: 'P-256' }),
    ),
  );
  const records = memoryRecords();
  const context = new Context({
    assistant: assistant.url,
    app: { login: `${service.origin}/login`, session: `${service.origin}/session`, records: service.url },
    headers: { 'x-account': account },
    records,
    argon2id: quickArgon2id,
    fetch: async (url, init) =>
      url === `${service.origin}/session`
        ? Response.json({
            account,
            now: 0,
            keys: [{ jkt: await thumbprintOf(record.jwk), purpose: 'notes', isDisabled: false }],
          })
        : fetch(url, init),
  });
  const bring = () => bringOthers(context, account, PASSWORD);
  const here = () => context.recordHere(account, 'notes');
  // The thief's ticket and salt beside the owner's public key.
  const forged = { ...(planted?.record as DeviceRecord), jwk: record.jwk } as DeviceRecord;
  await client(account).storeOther('notes', forged);
  expect(await bring()).toEqual({ came: [], left: ['notes'] });
  expect(await here()).toBeUndefined();
  await client(account).storeOther('notes', record);
  expect(await bring()).toEqual({ came: ['notes'], left: [] });
  expect(await here()).toEqual(record);
  // The owner's works: what the thief stores is not even tried.
  await client(account).storeOther('notes', forged);
  expect(await bring()).toEqual({ came: [], left: [] });
  expect(await here()).toEqual(record);
  // One of an earlier password makes room for that of the password.
  await records.save(`notes:${account}`, forged);
  await client(account).storeOther('notes', record);
  expect(await bring()).toEqual({ came: ['notes'], left: [] });
  expect(await here()).toEqual(record);
  // Another key's does not.
  const stranger = other?.record as DeviceRecord;
  await records.remove(`notes:${account}`);
  await records.save(`notes:${account}`, stranger);
  expect(await bring()).toEqual({ came: [], left: [] });
  expect(await here()).toEqual(stranger);
});

/** Ada's browser with a login key, one for notes, and one to sign under another password; the app keeps the first two. */
async function startMoving(isCut: (url: string, init?: RequestInit) => boolean = () => false) {
  const assistant = await startAssistant();
  const profile = { scheme: 'ed25519', kdf: CHEAP_KDF } as const;
  const service = await startRecords(assistant.url, { disabled: assistant.store, profile });
  const shared = { ...assistant.enrolment, kdf: CHEAP_KDF };
  const made = {
    login: await enroll({ ...shared, scheme: 'ed25519' }),
    notes: await enroll({ ...shared, scheme: 'elgamal', key: 'P-256' }),
    sign: await enroll({ ...shared, scheme: 'ed25519', password: 'a password of its own' }),
  };
  const records = memoryRecords();
  for (const [purpose, { record }] of Object.entries(made)) await records.save(`${purpose}:ada`, record);
  const options = {
    assistant: assistant.url,
    app: { login: `${service.origin}/login`, session: `${service.origin}/session`, records: service.url },
    headers: { 'x-account': 'ada' },
    records,
    kdf: CHEAP_KDF,
    argon2id: quickArgon2id,
    fetch: async (url: RequestInfo | URL, init?: RequestInit) => {
      if (url === `${service.origin}/session`) return Response.json({ account: 'ada', now: 0, keys: [] });
      if (isCut(url as string, init)) throw new TypeError('cut');
      return fetch(url, init);
    },
  } satisfies FlowOptions;
  const context = new Context(options);
  const client = new RecordServiceClient(service.as('ada'));
  await client.store(made.login.record);
  await client.storeOther('notes', made.notes.record);
  const flow = passwordFlow(options);
  onTestFinished(() => flow.end());
  await flow.start();
  return { assistant, made, client, context, flow };
}

it('get the new password with the login key, here and at the app; one of another password keeps it', async () => {
  const { assistant, made, client, context, flow } = await startMoving();
  const newPassword = 'slate tangle orbit mural';
  await flow.submit({ password: PASSWORD, newPassword });
  expect(flow.state).toMatchObject({ step: 'done', isOldRetired: true });
  expect(flow.state).toMatchObject({ moved: 'key for notes', left: 'signing key' });
  const notes = await context.recordHere('ada', 'notes');
  expect(notes?.ticket).not.toBe(made.notes.record.ticket);
  expect((await client.others(assistant.url)).notes).toEqual(notes);
  await useOnce(await context.open('ada', 'notes'), newPassword);
  await useOnce(await context.open('ada', 'sign'), 'a password of its own');
  await expect(useOnce(context.deviceOn(made.notes.record, 'notes'), PASSWORD)).rejects.toMatchObject({
    code: 'retired',
  });
});

it('keep their old password working until the app has their new record, and the page says so', async () => {
  let isOff = true;
  const { assistant, made, client, context, flow } = await startMoving(
    (url, init) => isOff && url.endsWith('/others') && init?.method === 'PUT',
  );
  const passwords = ['slate tangle orbit mural', 'plum cinder mosaic raft'] as const;
  await flow.submit({ password: PASSWORD, newPassword: passwords[0] });
  expect(flow.state).toMatchObject({ step: 'done', isOldRetired: false, moved: 'key for notes' });
  const old = context.deviceOn(made.notes.record, 'notes');
  await useOnce(old, PASSWORD);
  expect((await client.others(assistant.url)).notes).toEqual(made.notes.record);
  // A second change leaves a second old password.
  await flow.submit({ password: passwords[0], newPassword: passwords[1] });
  expect(flow.state).toMatchObject({ step: 'done', isOldRetired: false });
  isOff = false;
  await flow.retireOld();
  expect(flow.state).toMatchObject({ isOldRetired: true });
  expect(flow.state.notice).toBeUndefined();
  expect((await client.others(assistant.url)).notes).toEqual(await context.recordHere('ada', 'notes'));
  await useOnce(await context.open('ada', 'notes'), passwords[1]);
  await expect(useOnce(old, PASSWORD)).rejects.toMatchObject({ code: 'retired' });
});

it('make room on another device once they were moved', async () => {
  const { made, client, context, assistant, flow } = await startMoving();
  const newPassword = 'slate tangle orbit mural';
  await flow.submit({ password: PASSWORD, newPassword });
  const records = memoryRecords();
  await records.save('notes:ada', made.notes.record);
  const jkt = await thumbprintOf(made.notes.record.jwk);
  const other = new Context({
    ...context.options,
    records,
    fetch: async (url, init) =>
      (url as string).endsWith('/session')
        ? Response.json({ account: 'ada', now: 0, keys: [{ jkt, purpose: 'notes', isDisabled: false }] })
        : fetch(url, init),
  });
  expect(await bringOthers(other, 'ada', newPassword)).toEqual({ came: ['notes'], left: [] });
  expect(await other.recordHere('ada', 'notes')).toEqual((await client.others(assistant.url)).notes);
});
