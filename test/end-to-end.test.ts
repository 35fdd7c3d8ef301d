import { expect, it } from 'vitest';
import { Device } from '../lib/device/device.ts';
import { disable } from '../lib/device/disable.ts';
import { enroll } from '../lib/device/enroll.ts';
import { inEarnest, PASSWORD, startAssistant, startRelyingParty } from './support/world.ts';

it('a device enrols, registers, logs in, mistypes, is told so, disables and is out', async () => {
  const world = await startAssistant();
  const rp = await startRelyingParty(world.store);
  const { record, kit } = await enroll(inEarnest(world.enrolment));
  const device = new Device(record, { assistant: world.url, fetch: world.fetch });
  const party = { account: 'ada', password: PASSWORD };
  await device.register({ ...party, url: `${rp.origin}/register`, headers: { 'x-invited': 'ada' } });
  const { body, headers } = await device.login({ ...party, url: `${rp.origin}/login` });
  expect(body).toEqual({ user: { account: 'ada' } });
  const cookie = (headers.getSetCookie()[0] as string).split(';')[0] as string;
  const me = () => fetch(`${rp.origin}/me`, { headers: { cookie } });
  expect((await me()).status).toBe(200);

  await expect(device.unlock('correct horse')).rejects.toMatchObject({
    code: 'wrong_password',
    attemptsLeft: 4,
  });
  const { failedSince } = await device.unlock(PASSWORD);
  expect(failedSince.count).toBe(1);
  expect(device.isUnlocked).toBe(true);
  await device.login({ account: 'ada', url: `${rp.origin}/login` });

  await disable(kit, { fetch: world.fetch });
  await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
  await expect(device.login({ account: 'ada', url: `${rp.origin}/login` })).rejects.toMatchObject({
    code: 'disabled',
  });
  expect((await me()).status).toBe(403);
});
