/** Login, registration, sessions and the record service on Express 4, which does not catch what a handler rejects with. */
import express from 'express';
import request from 'supertest';
import { expect, it, vi } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { fetchRecord, startRecords } from '../roaming/support.ts';
import { listen, PASSWORD, quickArgon2id, startAssistant, startRelyingParty } from '../support/world.ts';

vi.mock('express', async () => import('express4' as string));

const broken = () => Promise.reject<never>(new Error('the disk'));

it('is Express 4', () => {
  expect(express()).toHaveProperty('del');
});

it('a key logs in, its session ends with it, and every error is answered', async () => {
  const { enrolment, url, store } = await startAssistant();
  const rp = await startRelyingParty(store, { onError: () => {} });
  const headers = { 'x-invited': 'ada' };
  const party = { url: `${rp.origin}/login`, account: 'ada', password: PASSWORD };
  const register = { url: `${rp.origin}/register`, account: 'ada', headers };
  const { record, kit } = await enroll({ ...enrolment, register: [register] });
  const device = new Device(record, { assistant: url, argon2id: quickArgon2id });
  const answer = await device.login(party);
  expect(answer.body).toEqual({ user: { account: 'ada' } });
  const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const me = () => request(rp.app).get('/me').set({ cookie });
  await me().expect(200);

  for (const route of ['/login', '/register']) {
    await request(rp.app).post(route).send({}).expect(400);
    await request(rp.app).post(route).type('text').send('{}').expect(400);
    await request(rp.app)
      .post(route)
      .send({ proof: 'x'.repeat(20_000) })
      .expect(413);
  }
  await expect(device.login({ ...party, account: 'bob' })).rejects.toMatchObject({ code: 'refused' });
  await expect(device.register({ ...register, headers: {}, password: PASSWORD })).rejects.toMatchObject({
    code: 'refused',
  });

  const spies = (['claimOnce', 'isDisabled'] as const).map((name) =>
    vi.spyOn(store, name).mockImplementation(broken),
  );
  await me().expect(503);
  await expect(device.login(party)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(device.register({ ...register, password: PASSWORD })).rejects.toMatchObject({
    code: 'unavailable',
  });
  for (const spy of spies) spy.mockRestore();
  await me().expect(200);
  await disable(kit);
  await me().expect(403);
  await expect(device.login(party)).rejects.toMatchObject({ code: 'disabled' });
});

it('behind parsers for forms and JSON, which leave an empty body where they read nothing, all goes on', async () => {
  const { enrolment, url, app } = await startAssistant();
  const parsing = await listen(
    express().use(express.urlencoded({ extended: false }), express.json(), express.text(), app),
  );
  const behind = { ...enrolment, assistant: `${parsing}/assistant` };
  const { record, kit } = await enroll(behind);
  const device = new Device(record, { assistant: behind.assistant, argon2id: quickArgon2id });
  await device.unlock(PASSWORD);
  for (const parser of [express.urlencoded({ extended: false }), express.text(), express.raw()]) {
    const only = await listen(express().use(parser, app));
    await new Device(
      { ...record, assistant: { ...record.assistant, url: `${only}/assistant` } },
      { assistant: `${only}/assistant`, argon2id: quickArgon2id },
    ).unlock(PASSWORD);
    await request(only).post('/assistant/assist').send({}).expect(400);
    await request(only).post('/assistant/assist').type('form').send('a=b').expect(400);
    await request(only).post('/assistant/assist').type('json').expect(400);
  }
  await disable(kit);
  await expect(
    new Device({ ...record, assistant: { ...record.assistant, url } }, { assistant: url }).unlock(PASSWORD),
  ).rejects.toMatchObject({ code: 'disabled' });
});

it('the record service answers, errors included', async () => {
  const { enrolment, url, store: disabled } = await startAssistant();
  const service = await startRecords(url, { disabled });
  const { record, code } = (await enroll({ ...enrolment, roam: service.as('ada') })) as never as {
    record: object;
    code: string;
  };
  const owner = new RecordServiceClient(service.as('ada'));
  expect(await owner.stored()).toBeDefined();
  const fetched = await fetchRecord(service, { account: 'ada', code });
  expect(JSON.parse(fetched.text).record).toEqual(record);
  expect((await fetchRecord(service, {})).status).toBe(400);
  expect((await fetchRecord(service, 'no json')).status).toBe(400);
  expect((await fetch(`${service.url}/profile`)).status).toBe(200);
  expect((await fetch(service.url)).status).toBe(403);
  expect(await owner.fetches()).toHaveLength(1);
  for (const operation of ['fetch', 'find', 'put', 'delete', 'fetches'] as const)
    vi.spyOn(service.store, operation).mockImplementation(broken);
  expect((await fetchRecord(service, { account: 'ada', code })).status).toBe(503);
  await expect(owner.stored()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(owner.remove()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(owner.fetches()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(owner.store(record as never)).rejects.toMatchObject({ code: 'unavailable' });
});
