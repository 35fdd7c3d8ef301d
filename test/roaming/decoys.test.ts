/** What a stranger sees of records and decoys. `distinguisher.release.test.ts` looks at many of them. */
import { describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { RecordServiceClient } from '../../lib/device/roam.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { CHEAP_KDF, startAssistant } from '../support/world.ts';
import { fingerprint, names, renew, settle, startRotated } from './decoy-worlds.ts';
import { fetchRecord, OPEN, quickRecord, recordOf, startRecords, startWorld } from './support.ts';

describe('who has no code', () => {
  it('gets one fixed decoy for a name, whatever happens to its account', async () => {
    const assistant = await startAssistant();
    const service = await startRecords(assistant.url, { disabled: assistant.store });
    const look = async () => (await fetchRecord(service, { account: 'ada', code: 'AAAAAAAA' })).text;
    const seen = [await look()];
    const owner = new RecordServiceClient(service.as('ada'));
    const record = await quickRecord(assistant);
    await owner.store(record);
    seen.push(await look());
    await owner.store(await quickRecord(assistant), 'code');
    seen.push(await look(), (await fetchRecord(service, { account: 'ada', code: '' })).text);
    seen.push((await fetchRecord(service, { account: '\uff41da', code: 'a'.repeat(64) })).text);
    await owner.remove();
    seen.push(await look());
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).not.toContain(record.salt);
  });

  it('gets the same decoys from every process, and others from another service', async () => {
    const assistant = await startAssistant();
    const services = [
      await startRecords(assistant.url),
      await startRecords(assistant.url),
      await startRecords(assistant.url, { secret: 'another service has another secret to itself' }),
    ] as const;
    const [one, two, three] = await Promise.all(services.map((service) => recordOf(service, 'ada')));
    expect(two).toEqual(one);
    expect(three?.salt).not.toBe(one?.salt);
  });

  it('cannot tell names that have a record from names that have none: status, headers, size', async () => {
    const { assistant, service } = await startWorld();
    await settle(assistant, service, names('user', 60));
    const prints = new Set<string>();
    for (const account of [...names('user', 60), ...names('nobody', 60)]) {
      prints.add(fingerprint(await fetchRecord(service, { account, code: 'AAAAAAAA' })));
    }
    expect([...prints]).toHaveLength(1);
  });
});

describe('who may fetch any record', () => {
  it('hears the same from the assistant, whatever password he tries', async () => {
    const { assistant, service } = await startWorld({ withoutPickupCode: OPEN });
    await settle(assistant, service, ['user']);
    const dialogue = async (account: string) => {
      const record = JSON.parse((await fetchRecord(service, { account })).text).record as DeviceRecord;
      const device = new Device(record, {
        assistant: assistant.url,
        fetch: assistant.fetch,
        argon2id: async () => new Uint8Array(32),
      });
      const from = assistant.traffic.length;
      const errors: unknown[] = [];
      for (let i = 0; i < 7; i++) {
        const { code, attemptsLeft, retryAt } = (await device
          .unlock(`guess ${i}`)
          .catch((e: unknown) => e)) as {
          code: string;
          attemptsLeft?: number;
          retryAt?: number;
        };
        errors.push([code, attemptsLeft, retryAt && retryAt > assistant.clock.now() + 20]);
      }
      const lengths = assistant.traffic
        .slice(from)
        .map(({ status, request, response }) => [status, request.length, response.length]);
      return { errors, lengths };
    };
    const real = await dialogue('user');
    expect(await dialogue('nobody')).toEqual(real);
    expect(real.errors.at(-1)).toEqual(['locked', 0, true]);
    expect(real.errors[0]).toEqual(['wrong_password', 4, false]);
  });

  it('hears the same of retiring and of other operations', async () => {
    const { assistant, service } = await startWorld({
      profile: { scheme: 'elgamal', kdf: CHEAP_KDF },
    });
    const { record } = await enroll({ ...assistant.enrolment, scheme: 'elgamal' });
    for (const each of [record, await recordOf(service, 'nobody')]) {
      const device = new Device(each, { assistant: assistant.url, argon2id: async () => new Uint8Array(32) });
      await expect(device.retire('x')).rejects.toMatchObject({ code: 'wrong_password', attemptsLeft: 4 });
      const jwe = await encryptTo(each.jwk, new Uint8Array(4));
      await expect(device.decrypt(jwe, { password: 'x' })).rejects.toMatchObject({
        code: 'wrong_password',
        attemptsLeft: 3,
      });
    }
  });
});

it('a renewal replaces no record of another password, though that has the same u', async () => {
  const { assistant, service, rotate } = await startRotated();
  const record = await quickRecord(assistant);
  await service.records.put('ada', { record });
  await rotate();
  const renewed = await renew(assistant, record);
  const put = (body: DeviceRecord) => service.records.put('ada', { record: body, onlyRenewal: true });
  for (const member of ['u', 'a', 'salt'] as const)
    await expect(put({ ...renewed, [member]: 'A'.repeat(43) })).rejects.toMatchObject({ code: 'refused' });
  expect(await put(renewed)).toEqual({ code: null });
});
