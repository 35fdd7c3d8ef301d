/** What a device holds of a shared key between its uses, and for how long. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { intercepting } from '../attacks/support.ts';
import { until } from '../support/eventually.ts';
import { PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';
import { argon2id, deviceOf, enrolElgamal, enrolRsa, holdJobs, rsaKey, stretch } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const data = new TextEncoder().encode('a document');
const notUnlocked = expect.objectContaining({ code: 'not_unlocked' });
const wrongPassword = expect.objectContaining({ code: 'wrong_password' });

async function start() {
  const world = await startAssistant({ workers: { size: 1 } });
  const { record, kit } = await enrolRsa(world);
  return { world, record, kit, device: deviceOf(world, record) };
}

const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });

describe('unlockShared', () => {
  it('asks nobody; what it holds serves every use, each of which asks the assistant', async () => {
    const { world, device } = await start();
    const asked = () => world.traffic.filter(({ url }) => url.endsWith('/assist')).length;
    await expect(device.sign(data)).rejects.toEqual(notUnlocked);
    await device.unlockShared(PASSWORD);
    expect([device.isUnlocked, asked()]).toEqual([true, 0]);
    await device.sign(data, { alg: 'RS256' });
    await device.signJws('x');
    await device.sign({ digest: new Uint8Array(32) });
    expect(asked()).toBe(3);
    device.lock();
    expect(device.isUnlocked).toBe(false);
    await expect(device.sign(data)).rejects.toEqual(notUnlocked);
    expect(asked()).toBe(3);
  });

  it('holds for its time and no longer, from the last time on, whatever is done meanwhile', async () => {
    const { device } = await start();
    fakeTimers();
    await device.unlockShared(PASSWORD, { forSeconds: 10 });
    vi.advanceTimersByTime(9_000);
    await device.sign(data, { alg: 'RS256' });
    vi.advanceTimersByTime(999);
    expect(device.isUnlocked).toBe(true);
    vi.advanceTimersByTime(1);
    expect(device.isUnlocked).toBe(false);
    await expect(device.sign(data)).rejects.toEqual(notUnlocked);

    await device.unlockShared(PASSWORD, { forSeconds: 10 });
    await device.unlockShared(PASSWORD);
    vi.advanceTimersByTime(299_999);
    expect(device.isUnlocked).toBe(true);
    vi.advanceTimersByTime(1);
    expect(device.isUnlocked).toBe(false);
  });

  it('forgets when the machine has slept, though no timer went off', async () => {
    const { device } = await start();
    fakeTimers();
    await device.unlockShared(PASSWORD, { forSeconds: 10 });
    vi.setSystemTime(Date.now() + 11_000);
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    await expect(device.sign(data)).rejects.toEqual(notUnlocked);
    expect(device.isUnlocked).toBe(false);
  });

  it('refuses times and passwords that are none, and keys that are not shared', async () => {
    const { world, device } = await start();
    for (const forSeconds of [0, -1, 86_401, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(device.unlockShared(PASSWORD, { forSeconds })).rejects.toThrow(TypeError);
    }
    for (const password of ['', 'control \u0007', '\ud800']) {
      await expect(device.unlockShared(password)).rejects.toMatchObject({ code: 'bad_password' });
    }
    expect(device.isUnlocked).toBe(false);
    const { record } = await enroll({ ...world.enrolment, argon2id });
    const retrieving = deviceOf(world, record);
    await expect(retrieving.unlockShared(PASSWORD)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('holds bytes that are overwritten when it forgets', async () => {
    const { world, record } = await start();
    const made: Uint8Array[] = [];
    const device = deviceOf(world, record, {
      argon2id: async (...args) => {
        const k = await argon2id(...args);
        made.push(k);
        return k;
      },
    });
    const zeros = new Uint8Array(32);
    const k = await stretch(record);
    await device.unlockShared(PASSWORD);
    expect(made[0]).toEqual(k);
    await device.sign(data);
    expect(made[0]).toEqual(k);
    device.lock();
    expect(made[0]).toEqual(zeros);
    // With a password given for one use, they are gone when it is over, well or not.
    await device.sign(data, { password: PASSWORD });
    await device.sign(data, { password: 'wrong' }).catch(() => {});
    await device.exportPrivateKey(PASSWORD, 'jwk').catch(() => {});
    expect(made).toHaveLength(4);
    for (const each of made) expect(each).toEqual(zeros);
    await device.unlockShared(PASSWORD);
    await device.unlockShared(PASSWORD);
    expect(made.slice(4)).toEqual([zeros, k]);
  });

  it('shows nothing of what it holds to whoever prints the device', async () => {
    const { record, device } = await start();
    await device.unlockShared(PASSWORD);
    const printed = inspect(device, { depth: 9, showHidden: true }) + JSON.stringify(device);
    const k = Buffer.from(await stretch(record));
    for (const form of [k.toString('hex'), k.toString('base64url'), [...k].join(', '), PASSWORD]) {
      expect(printed).not.toContain(form);
    }
  });
});

describe('a wrong password', () => {
  it('is found out at the first use and forgotten at once, so that it costs one guess', async () => {
    const { world, device } = await start();
    await device.unlockShared('wrong');
    expect(device.isUnlocked).toBe(true);
    await expect(device.sign(data)).rejects.toEqual(wrongPassword);
    expect(device.isUnlocked).toBe(false);
    for (let i = 0; i < 10; i++) await expect(device.sign(data)).rejects.toEqual(notUnlocked);
    expect(world.events.filter(({ type }) => type === 'wrongPassword')).toHaveLength(1);
    await device.unlockShared(PASSWORD);
    expect(await device.sign(data)).toHaveLength(256);
  });

  it('given for one use leaves alone what is held', async () => {
    const { device } = await start();
    await device.unlockShared(PASSWORD);
    await expect(device.sign(data, { password: 'wrong' })).rejects.toEqual(wrongPassword);
    expect(device.isUnlocked).toBe(true);
    expect(await device.sign(data)).toHaveLength(256);
  });

  it('found out late does not throw away the right one that came meanwhile', async () => {
    const { world, record } = await start();
    let answer = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let isSlow = true;
    const device = deviceOf(world, record, {
      fetch: intercepting(world.fetch, async ({ pathname }, ask) => {
        if (!pathname.endsWith('/assist') || !isSlow) return undefined;
        isSlow = false;
        const response = await ask();
        await answered;
        return response;
      }),
    });
    await device.unlockShared('wrong');
    const signing = device.sign(data).catch((error: unknown) => error);
    await until(() => world.events.some(({ type }) => type === 'wrongPassword'));
    await device.unlockShared(PASSWORD);
    answer();
    expect(await signing).toEqual(wrongPassword);
    expect(device.isUnlocked).toBe(true);
    expect(await device.sign(data)).toHaveLength(256);
  });

  it('is forgotten where it was meant to log in or decrypt, too', async () => {
    const { world, record } = await start();
    const rp = await startRelyingParty(world.store);
    const device = deviceOf(world, record, { purposes: ['login'] });
    await device.unlockShared('wrong');
    const party = { url: `${rp.origin}/login`, account: 'ada' };
    await expect(device.login(party)).rejects.toEqual(wrongPassword);
    await expect(device.login(party)).rejects.toEqual(notUnlocked);
    const reader = deviceOf(world, (await enrolElgamal(world)).record);
    const jwe = await encryptTo(reader.jwk, data);
    await reader.unlockShared('wrong');
    await expect(reader.decrypt(jwe)).rejects.toEqual(wrongPassword);
    await expect(reader.decrypt(jwe)).rejects.toEqual(notUnlocked);
    // What fails before the assistant is asked says nothing of the password.
    await reader.unlockShared('wrong');
    await expect(reader.decrypt('no JWE')).rejects.toMatchObject({ code: 'invalid_request' });
    expect(reader.isUnlocked).toBe(true);
  });
});

describe('lock()', () => {
  it('during an operation lets it end, and holds nothing afterwards', async () => {
    const { device } = await start();
    await device.unlockShared(PASSWORD);
    const jobs = holdJobs();
    const signing = device.sign(data, { alg: 'RS256' });
    await jobs.arrived();
    device.lock();
    expect(device.isUnlocked).toBe(false);
    jobs.release();
    const signature = await signing;
    expect(signature).toEqual(await device.sign(data, { alg: 'RS256', password: PASSWORD }));
    expect(device.isUnlocked).toBe(false);
  });

  it('during a decryption lets it end, too, and time that runs out does the same', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const device = deviceOf(world, (await enrolElgamal(world)).record);
    const jwe = await encryptTo(device.jwk, data);
    for (const end of [() => device.lock(), () => void vi.advanceTimersByTime(5_000)]) {
      fakeTimers();
      await device.unlockShared(PASSWORD, { forSeconds: 5 });
      const jobs = holdJobs();
      const decrypting = device.decrypt(jwe);
      await jobs.arrived();
      end();
      expect(device.isUnlocked).toBe(false);
      jobs.release();
      expect(await decrypting).toEqual(data);
      vi.useRealTimers();
      vi.restoreAllMocks();
    }
  });

  it('while a password is being stretched keeps it from being held', async () => {
    const { device } = await start();
    const unlocking = device.unlockShared(PASSWORD);
    device.lock();
    await unlocking;
    expect(device.isUnlocked).toBe(false);
  });
});

describe('what nobody can do with a shared key', () => {
  it('recover it, export it, or change the password of an RSA key; and none of it costs a guess or a request', async () => {
    const { world, record } = await start();
    const group = await enrolElgamal(world, 'ffdhe2048');
    const curve = await enrolElgamal(world);
    const before = world.traffic.length;
    for (const shared of [record, curve.record, group.record]) {
      const device = deviceOf(world, shared);
      const unsupported = expect.objectContaining({ code: 'unsupported' });
      await expect(device.unlock(PASSWORD)).rejects.toEqual(unsupported);
      await expect(device.unlock(PASSWORD, { alg: 'ECDH-ES' })).rejects.toEqual(unsupported);
      for (const format of ['pkcs8-pem', 'pkcs1-pem', 'openssh'] as const) {
        await expect(device.exportPrivateKey(PASSWORD, format)).rejects.toEqual(unsupported);
      }
      expect(device.record).toEqual(shared);
    }
    const saveKit = vi.fn(async () => {});
    await expect(
      deviceOf(world, record).changePassword({ password: PASSWORD, newPassword: 'another', saveKit }),
    ).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('RSA') });
    expect(saveKit).not.toHaveBeenCalled();
    expect(world.traffic).toHaveLength(before);
  });

  it('sign with a key for decryption, or decrypt with a key for signatures', async () => {
    const { world, device } = await start();
    const reader = deviceOf(world, (await enrolElgamal(world)).record);
    await expect(reader.sign(data, { password: PASSWORD })).rejects.toThrow(TypeError);
    await expect(reader.sign(data, { password: PASSWORD, alg: 'ES256' })).rejects.toThrow(TypeError);
    await expect(reader.signJws('x', { password: PASSWORD })).rejects.toThrow(TypeError);
    const jwe = await encryptTo(reader.jwk, data);
    await expect(device.decrypt(jwe, { password: PASSWORD })).rejects.toThrow(TypeError);
  });
});

it('a record whose public key was swapped signs nothing', async () => {
  const { world, record } = await start();
  const { n } = rsaKey('other2048').jwk;
  const swapped = { ...record, jwk: { ...record.jwk, n } as typeof record.jwk };
  await expect(deviceOf(world, swapped).sign(data, { password: PASSWORD })).rejects.toMatchObject({
    code: 'bad_response',
  });
  const elgamal = await enrolElgamal(world);
  const other = await enrolElgamal(world);
  const reader = deviceOf(world, { ...elgamal.record, jwk: other.record.jwk });
  await expect(
    reader.decrypt(await encryptTo(other.record.jwk, data), { password: PASSWORD }),
  ).rejects.toMatchObject({ code: 'bad_response' });
});
