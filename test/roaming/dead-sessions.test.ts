/**
 * A thief keeps the session that he opened before the owner used her kit, at an app that judges sessions on other routes
 * only, and goes for the record.
 */
import { expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { roamingRecords } from '../../lib/roaming/router.ts';
import { MemoryRecordStore } from '../../lib/roaming/stores/memory.ts';
import { CHEAP_KDF, PASSWORD, quickArgon2id, startAssistant, startRelyingParty } from '../support/world.ts';
import { quickRecord, SECRET, startRecords } from './support.ts';

it('a dead session stores, reads and deletes no record', async () => {
  const assistant = await startAssistant();
  const rp = await startRelyingParty(assistant.store);
  const router = roamingRecords({
    store: new MemoryRecordStore(),
    secret: SECRET,
    audience: rp.origin,
    assistant: assistant.url,
    relyingParty: {
      audience: rp.origin,
      secret: SECRET,
      store: assistant.store,
      keysOf: (account) => rp.accounts.get(account),
    },
    accountOf: (req) => (req.user as { account: string } | undefined)?.account ?? req.get('x-token'),
    profile: { scheme: 'retrieve', kdf: CHEAP_KDF },
  });
  rp.app.use('/records', router);
  const { record, kit } = await enroll({
    ...assistant.enrolment,
    register: [{ url: `${rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
  });
  const device = new Device(record, { assistant: assistant.url, argon2id: quickArgon2id });
  const cookies: string[] = [];
  for (let i = 0; i < 7; i++) {
    const { headers } = await device.login({
      url: `${rp.origin}/login`,
      account: 'ada',
      password: PASSWORD,
    });
    cookies.push((headers.getSetCookie()[0] as string).split(';')[0] as string);
  }
  const mine = await quickRecord(assistant);
  const ask = async (method: string, path: string, headers: Record<string, string>) => {
    const response = await fetch(`${rp.origin}/records${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'PUT' && { body: JSON.stringify({ record: mine }) }),
    });
    const text = await response.text();
    return { status: response.status, code: text && JSON.parse(text).code };
  };
  expect((await ask('PUT', '/', { cookie: cookies[0] as string })).status).toBe(200);
  expect((await ask('GET', '/others', { cookie: cookies[0] as string })).status).toBe(200);
  await disable(kit);
  const routes = [
    ['PUT', '/'],
    ['GET', '/'],
    ['DELETE', '/'],
    ['GET', '/fetches'],
    ['PUT', '/others'],
    ['GET', '/others'],
  ] as const;
  for (const [i, [method, path]] of routes.entries()) {
    const answer = await ask(method, path, { cookie: cookies[i + 1] as string });
    expect(answer).toEqual({ status: 403, code: 'disabled' });
  }
  expect(await router.records.find('ada')).toBeDefined();
  // A request that no session authenticates is the app's to judge.
  expect((await ask('GET', '/', { 'x-token': 'ada' })).status).toBe(200);
  // But records of other keys are for sessions that a key opened.
  expect(await ask('GET', '/others', { 'x-token': 'ada' })).toEqual({ status: 403, code: 'refused' });
  await router.records.close();
});

it('one account that asks too often stops no other, and requests for no account are not counted', async () => {
  const assistant = await startAssistant();
  const service = await startRecords(assistant.url, { requestsPerMinute: 2, fetchesPerMinute: 2 });
  const get = async (headers: Record<string, string>) => (await fetch(`${service.url}/`, { headers })).status;
  for (let i = 0; i < 5; i++) expect(await get({})).toBe(403);
  expect(await get({ 'x-account': 'ada' })).toBe(200);
  expect(await get({ 'x-account': 'ada' })).toBe(200);
  expect(await get({ 'x-account': 'ada' })).toBe(429);
  expect(await get({ 'x-account': 'bob' })).toBe(200);
  // A page of another origin can send this without asking: it must not use up what its visitor may do.
  for (let i = 0; i < 5; i++)
    await fetch(`${service.url}/fetch`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    });
  const fetched = await fetch(`${service.url}/fetch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"account":"ada","code":"x"}',
  });
  expect(fetched.status).toBe(200);
});
