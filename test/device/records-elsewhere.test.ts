import { describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { memoryRecords, type Records, replaceRecord } from '../../lib/device/records.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { CHEAP_KDF, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

const NEW_PASSWORD = 'staple battery horse correct';

/** Two processes or tabs that keep one record, with their own copies of it. */
async function twoDevices(records: Records) {
  const world = await startAssistant();
  const { record } = await enroll(world.enrolment);
  await records.save('ada', record);
  const open = () =>
    Device.open(records, 'ada', { argon2id: quickArgon2id, assistant: world.url, fetch: world.fetch });
  return { world, record, one: await open(), two: await open() };
}

/** The same without the step that leaves nobody in between. */
function withoutReplace(): Records {
  const kept = new Map<string, DeviceRecord>();
  return {
    load: async (name) => kept.get(name),
    save: async (name, record) => void kept.set(name, record),
    remove: async (name) => void kept.delete(name),
    list: async () => [...kept.keys()],
  };
}

describe.each([
  ['with replace', memoryRecords],
  ['with load and save alone', withoutReplace],
])('a record that is kept %s', (_, make) => {
  it('is replaced if it is the one that was meant, and else left', async () => {
    const records = make();
    const { world, record } = await twoDevices(records);
    const { record: newer } = await enroll(world.enrolment);
    await replaceRecord(records, 'ada', record, newer);
    expect(await records.load('ada')).toEqual(newer);
    for (const [name, replaced] of [
      ['ada', record],
      ['nobody', record],
    ] as const) {
      await expect(replaceRecord(records, name, replaced, record)).rejects.toMatchObject({ code: 'busy' });
    }
    expect(await records.load('ada')).toEqual(newer);
    expect(await records.list()).toEqual(['ada']);
  });

  it('and changed by one device is what the other uses', async () => {
    const records = make();
    const { one, two } = await twoDevices(records);
    const saveKit = async () => {};
    await one.changePassword({ password: PASSWORD, newPassword: NEW_PASSWORD, saveKit, kdf: CHEAP_KDF });
    await two.unlock(NEW_PASSWORD);
    expect(two.record).toEqual(one.record);
    await expect(two.unlock(PASSWORD)).rejects.toMatchObject({ code: 'wrong_password' });
    // And back, from there.
    await two.changePassword({ password: NEW_PASSWORD, newPassword: PASSWORD, saveKit, kdf: CHEAP_KDF });
    await one.unlock(PASSWORD);
  });

  it('and renewed by one device stays renewed', async () => {
    const records = make();
    const { world, record, one, two } = await twoDevices(records);
    await world.keys.rotate();
    await one.unlock(PASSWORD);
    await expect.poll(() => records.load('ada')).not.toEqual(record);
    const renewed = await records.load('ada');
    await two.unlock(PASSWORD);
    expect(two.record).toEqual(renewed);
    expect(await records.load('ada')).toEqual(renewed);
  });
});

it('a device goes on without what is kept: gone, damaged or out of reach', async () => {
  const records = memoryRecords();
  const { world, record } = await twoDevices(records);
  for (const load of [
    async () => undefined,
    async () => ({ version: 1 }) as unknown as DeviceRecord,
    () => Promise.reject(new Error('the disk')),
  ]) {
    const device = new Device(record, {
      argon2id: quickArgon2id,
      assistant: world.url,
      fetch: world.fetch,
      load,
    });
    await device.unlock(PASSWORD);
    expect(device.record).toEqual(record);
  }
});

it('a device does not become another one because another key is kept now', async () => {
  const records = memoryRecords();
  const { world, one } = await twoDevices(records);
  await records.remove('ada');
  await records.save('ada', (await enroll(world.enrolment)).record);
  await expect(one.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_record' });
});

it('a record that somebody moved to another assistant is refused, although it is of the same key', async () => {
  const { world, record, one } = await twoDevices(memoryRecords());
  const thief = await startAssistant();
  const { ticket, assistant } = (await enroll(thief.enrolment)).record;
  const moved = { ...record, ticket, assistant };
  thief.traffic.length = 0;
  const device = new Device(record, {
    argon2id: quickArgon2id,
    assistant: world.url,
    fetch: thief.fetch,
    load: async () => moved,
  });
  await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_record' });
  expect(thief.traffic).toEqual([]);
  await one.unlock(PASSWORD);
});
