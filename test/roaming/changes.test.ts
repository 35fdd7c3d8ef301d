/** Which record the service has after changes of password and renewals, by one device or several. */
import { expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import { quickArgon2id as argon2id, CHEAP_KDF } from '../support/world.ts';
import { begin, deviceOf, expectBothWork, NEW, Process } from './life.ts';
import { PASSWORD, startWorld } from './support.ts';

it('a device that is behind does not bring back what another has replaced', async () => {
  const life = await begin();
  const { assistant, service } = life.world;
  const stale = deviceOf(life, new Process());
  const options = { assistant: assistant.url, argon2id, roam: service.as('ada') };
  const changer = new Device(life.local, options);
  await changer.changePassword({ password: PASSWORD, newPassword: NEW, saveKit: async () => {} });
  expect(await stale.syncRecord()).toBe(false);
  const owner = new RecordServiceClient(service.as('ada'));
  await expect(owner.store(stale.record, 'renewal')).rejects.toMatchObject({ code: 'refused' });
  expect((await owner.stored())?.u).toBe(changer.record.u);

  const before = changer.record;
  await assistant.keys.rotate();
  await changer.unlock(NEW);
  expect(await changer.syncRecord()).toBe(true);
  expect((await owner.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
  await expect(owner.store(before, 'renewal')).rejects.toMatchObject({ code: 'refused' });
  expect((await owner.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
});

it('a record of the old password is never taken for the one there, nor brought there, although its name is the same', async () => {
  const world = await startWorld({ profile: { scheme: 'ed25519', kdf: CHEAP_KDF } });
  const { assistant, service } = world;
  const puts: string[] = [];
  const fetch: typeof globalThis.fetch = (url, init) => {
    if (init?.method === 'PUT') puts.push(url as string);
    return globalThis.fetch(url, init);
  };
  const options = { assistant: assistant.url, argon2id, roam: service.as('ada') };
  const { record } = await enroll({
    ...assistant.enrolment,
    scheme: 'ed25519',
    argon2id,
    register: [{ url: `${world.rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
    roam: options.roam,
  });
  const thief = new Device(record, { ...options, fetch });
  expect(await thief.syncRecord()).toBe(true);

  const owner = new Device(record, options);
  await owner.changePassword({ password: PASSWORD, newPassword: NEW });
  const there = new RecordServiceClient(options.roam);
  const kept = await there.stored();
  expect(kept).toMatchObject({ u: record.u, kid: record.assistant.jwk.kid });
  expect(await thief.syncRecord()).toBe(false);

  await assistant.keys.rotate();
  await owner.login({ url: `${world.rp.origin}/login`, account: 'ada', password: NEW });
  expect(await owner.syncRecord()).toBe(true);
  expect((await there.stored())?.kid).toBe(assistant.keys.active.jwk.kid);
  expect(await thief.syncRecord()).toBe(false);
  expect(puts).toEqual([]);
  // A salt or an a of another record is another record, too.
  for (const member of ['salt', 'a'] as const)
    expect(await there.renew({ ...owner.record, [member]: record[member] }), member).toBe(false);
  expect(await there.renew(owner.record)).toBe(true);
  expect((await there.stored())?.of).toBe(kept?.of);
});

it('a service that does not say what it keeps judges renewals by itself', async () => {
  const { local, world } = await begin();
  const roam = world.service.as('ada');
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const response = await globalThis.fetch(url, init);
    if (init?.method !== 'GET' || !(url as string).startsWith(roam.records)) return response;
    const { stored } = (await response.json()) as { stored: Record<string, unknown> };
    const { of: _of, ...rest } = stored;
    return Response.json({ stored: rest });
  };
  const device = new Device(local, { assistant: world.assistant.url, argon2id, roam, fetch });
  // Nothing that it says tells it from this record.
  expect(await device.syncRecord()).toBe(true);
  await world.assistant.keys.rotate();
  await device.unlock(PASSWORD);
  expect(await device.syncRecord()).toBe(true);
});

it('a service that is down stops a change of password and leaves everything as it was', async () => {
  const life = await begin();
  const process = new Process();
  const device = deviceOf(life, process);
  const changed = new Device(device.record, {
    assistant: life.world.assistant.url,
    argon2id,
    roam: { records: 'http://127.0.0.1:1/records' },
  }).changePassword({ password: PASSWORD, newPassword: NEW, saveKit: async () => {} });
  await expect(changed).rejects.toMatchObject({ code: 'network' });
  expect(await expectBothWork(life, 'service down')).toEqual([PASSWORD, PASSWORD]);
  // A login is none of the service's business.
  const party = { url: `${life.world.rp.origin}/login`, account: 'ada', password: PASSWORD };
  const withoutService = new Device(device.record, {
    assistant: life.world.assistant.url,
    argon2id,
    roam: { records: 'http://127.0.0.1:1/records' },
  });
  expect((await withoutService.login(party)).body).toEqual({ user: { account: 'ada' } });
  await expect(
    new Device(device.record, { assistant: life.world.assistant.url }).storeRecord(),
  ).rejects.toBeInstanceOf(TypeError);
});

it('who stores a record anew gets a new code, and the old one leads to a decoy', async () => {
  const life = await begin();
  const { roam } = life.world;
  const device = deviceOf(life, new Process());
  const code = (await device.storeRecord()) as string;
  expect(code).not.toBe(life.code);
  expect((await roam('ada', code, { argon2id })).record).toEqual(device.record);
  await expect((await roam('ada', life.code, { argon2id })).unlock(PASSWORD)).rejects.toMatchObject({
    code: 'wrong_password',
  });
});

it.each(['ed25519', 'retrieve'] as const)(
  'a change of password of a spare %s key leaves the record of another key at the service',
  async (scheme) => {
    const { world, code, local } = await begin(scheme);
    const { record } = await enroll({ ...world.assistant.enrolment, scheme, argon2id });
    const roam = world.service.as('ada');
    const spare = new Device(record, {
      assistant: world.assistant.url,
      argon2id,
      roam,
      save: async () => {},
    });
    const change = { password: PASSWORD, newPassword: NEW, saveKit: async () => {} };
    expect(await spare.changePassword(change)).toMatchObject({ isOldRetired: true });
    expect((await world.roam('ada', code, { argon2id })).record).toEqual(local);
  },
);

it('a record that the service took although no answer came is replaced by the next try', async () => {
  const life = await begin();
  const { assistant, service, roam } = life.world;
  let isLost = true;
  const device = new Device(life.local, {
    assistant: assistant.url,
    argon2id,
    roam: service.as('ada'),
    async fetch(url, init) {
      const answer = await fetch(url, init);
      if (!isLost || init?.method !== 'PUT') return answer;
      isLost = false;
      throw new TypeError('fetch failed');
    },
  });
  const change = { password: PASSWORD, newPassword: NEW, saveKit: async () => {} };
  await expect(device.changePassword(change)).rejects.toMatchObject({ code: 'network' });
  expect(await device.changePassword(change)).toMatchObject({ isOldRetired: true });
  expect((await roam('ada', life.code, { argon2id })).record).toEqual(device.record);
});

it.each(['ed25519', 'retrieve'] as const)(
  'a change of password of scheme %s calls beforeRetire when the service has the new record, before the old ticket goes',
  async (scheme) => {
    const life = await begin(scheme);
    const process = new Process();
    await deviceOf(life, process).changePassword({
      password: PASSWORD,
      newPassword: NEW,
      saveKit: async () => {},
      beforeRetire: (record) => process.effect(`beforeRetire ${record.a === life.local.a}`, async () => {}),
    });
    const steps = process.log.filter((step) => /assist$|^save$|^PUT|^before/.test(step));
    const kept = scheme === 'ed25519' ? ['save', 'PUT /records/'] : ['PUT /records/', 'save'];
    expect(steps.slice(-4)).toEqual([...kept, 'beforeRetire true', 'POST /assistant/assist']);
  },
);
