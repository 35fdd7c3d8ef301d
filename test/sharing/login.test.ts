/** Logins with keys that nobody has (docs/protocol.md sections 6 and 8), and how disabling ends them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { type DisabledFeed, disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { intercepting, post } from '../attacks/support.ts';
import {
  type AssistantWorld,
  PASSWORD,
  type RelyingPartyWorld,
  startAssistant,
  startRelyingParty,
} from '../support/world.ts';
import { argon2id, deviceOf, enrolElgamal, enrolRsa, holdJobs, rsaKey } from './support.ts';

afterEach(() => void vi.restoreAllMocks());

const data = new TextEncoder().encode('a document');
const disabled = expect.objectContaining({ code: 'disabled' });

const registerAt = (rp: RelyingPartyWorld, invited = 'ada') => ({
  url: `${rp.origin}/register`,
  account: 'ada',
  headers: { 'x-invited': invited },
});
const loginAt = (rp: RelyingPartyWorld) => ({ url: `${rp.origin}/login`, account: 'ada' });

/** An app, and a shared key that is registered there from the beginning. */
async function start(options: Parameters<typeof startAssistant>[0] = {}) {
  const world = await startAssistant({ workers: { size: 1 }, ...options });
  const rp = await startRelyingParty(world.store);
  const { record, kit } = await enrolRsa(world, rsaKey('rsa2048'), { register: [registerAt(rp)] });
  const device = deviceOf(world, record, { purposes: ['login', 'sign'] });
  return { world, rp, record, kit, device };
}

/** The session that a login began, and whether it still lives. */
async function session(device: Device, rp: RelyingPartyWorld): Promise<() => Promise<number>> {
  const { headers } = await device.login({ ...loginAt(rp), password: PASSWORD });
  const cookie = (headers.getSetCookie()[0] as string).split(';')[0] as string;
  return async () => (await fetch(`${rp.origin}/me`, { headers: { cookie } })).status;
}

describe('a shared key', () => {
  it('is registered while it is whole, once, for whoever is invited, and logs in with PS256', async () => {
    const { rp, record, device } = await start();
    expect(rp.accounts.get('ada')).toMatchObject([
      { jwk: record.jwk, alg: 'PS256', disablingNames: [record.u] },
    ]);
    const { body } = await device.login({ ...loginAt(rp), password: PASSWORD });
    expect(body).toEqual({ user: { account: 'ada' } });
  });

  it('is enrolled nowhere where its registration is refused', async () => {
    const world = await startAssistant();
    const rp = await startRelyingParty(world.store);
    const register = [registerAt(rp), registerAt(rp, 'eve')];
    await expect(enrolRsa(world, rsaKey('rsa2048'), { register })).rejects.toMatchObject({ code: 'refused' });
    // The first of the two has it by then: a key that nobody can use, since no record was given out.
    expect(rp.accounts.get('ada')).toHaveLength(1);
  });

  it('is registered later through the assistant, with PS256 or RS256, and then logs in with that', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const rp = await startRelyingParty(world.store);
    const device = deviceOf(world, (await enrolRsa(world)).record, { purposes: ['login'] });
    await device.unlockShared(PASSWORD);
    await device.register({ ...registerAt(rp), alg: 'RS256' });
    expect(rp.accounts.get('ada')).toMatchObject([{ alg: 'RS256' }]);
    expect((await device.login({ ...loginAt(rp), alg: 'RS256' })).body).toEqual({ user: { account: 'ada' } });
    // One algorithm a key: neither login nor registration changes it.
    await expect(device.login(loginAt(rp))).rejects.toMatchObject({ code: 'refused' });
    await expect(device.register(registerAt(rp))).rejects.toMatchObject({ code: 'refused' });
    await device.register({ ...registerAt(rp), alg: 'RS256' });
    const elsewhere = await startRelyingParty(world.store);
    await device.register(registerAt(elsewhere));
    expect((await device.login(loginAt(elsewhere))).body).toEqual({ user: { account: 'ada' } });
  });

  it('proves in no algorithm that its kind has not', async () => {
    const { rp, device } = await start();
    for (const alg of ['Ed25519', 'ES256', 'PS512' as 'PS256', 'none' as 'PS256']) {
      await expect(
        device.login({ ...loginAt(rp), password: PASSWORD, alg: alg as 'PS256' }),
      ).rejects.toThrow();
    }
    const decrypting = await startAssistant();
    const reader = deviceOf(decrypting, (await enrolElgamal(decrypting)).record, { purposes: ['login'] });
    await expect(reader.login({ ...loginAt(rp), password: PASSWORD })).rejects.toThrow(TypeError);
  });

  it('shows no proof to the app where the password is wrong', async () => {
    const { world, rp, record } = await start();
    const posted: string[] = [];
    const fetch = intercepting(world.fetch, ({ pathname }, _ask, body) => {
      if (pathname.endsWith('/login')) posted.push(body);
      return undefined;
    });
    const device = deviceOf(world, record, { purposes: ['login'], fetch });
    await expect(device.login({ ...loginAt(rp), password: 'wrong' })).rejects.toMatchObject({
      code: 'wrong_password',
      attemptsLeft: 4,
    });
    expect(posted).toEqual([]);
    await device.login({ ...loginAt(rp), password: PASSWORD });
    expect(posted).toHaveLength(1);
  });

  it('is the same key when it is recovered instead: RS256 there too', async () => {
    const world = await startAssistant();
    const rp = await startRelyingParty(world.store);
    const existing = rsaKey('rsa2048').pkcs8;
    const { record } = await enroll({ ...world.enrolment, argon2id, key: { existing } });
    const device = deviceOf(world, record, { purposes: ['login'] });
    await device.register({ ...registerAt(rp), alg: 'RS256', password: PASSWORD });
    await device.login({ ...loginAt(rp), alg: 'RS256', password: PASSWORD });
    await device.unlock(PASSWORD, { alg: 'RS256' });
    expect((await device.login(loginAt(rp))).body).toEqual({ user: { account: 'ada' } });
    await expect(device.login({ ...loginAt(rp), alg: 'PS256' })).rejects.toMatchObject({
      code: 'not_unlocked',
    });
  });
});

describe('disabling', () => {
  it('ends sessions and logins at the app, also with a proof that was made before', async () => {
    const { world, rp, record, kit, device } = await start();
    let stolen: string | undefined;
    const stealing = intercepting(world.fetch, ({ pathname }, _ask, body) => {
      if (!pathname.endsWith('/login') || stolen !== undefined) return undefined;
      stolen = body;
      return Response.json({}, { status: 500 });
    });
    const robbed = deviceOf(world, record, { purposes: ['login'], fetch: stealing });
    await robbed.login({ ...loginAt(rp), password: PASSWORD }).catch(() => {});
    const alive = await session(device, rp);
    expect(await alive()).toBe(200);

    await disable(kit);
    expect(await alive()).toBe(403);
    await expect(device.login({ ...loginAt(rp), password: PASSWORD })).rejects.toEqual(disabled);
    const { status, json } = await post({ url: rp.origin }, '/login', JSON.parse(stolen as string));
    expect([status, json.code]).toEqual([403, 'disabled']);
  });

  it('reaches an app that shares no store, by the list of what was disabled', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const feed: DisabledFeed = disabledFeed({ url: world.url });
    class FeedStore extends MemoryStore {
      override isDisabled(names: readonly string[]) {
        return feed.isDisabled(names);
      }
    }
    const rp = await startRelyingParty(new FeedStore());
    const { record, kit } = await enrolRsa(world, rsaKey('rsa2048'), { register: [registerAt(rp)] });
    const alive = await session(deviceOf(world, record, { purposes: ['login'] }), rp);
    expect(await alive()).toBe(200);
    await disable(kit);
    await feed.refresh();
    expect(await alive()).toBe(403);
  });

  it('leaves other keys alone, be they of the same person or of the same numbers', async () => {
    const { world, rp, kit, device } = await start();
    const twin = await enrolRsa(world);
    const other = await enrolRsa(world, rsaKey('other2048'), { register: [registerAt(rp)] });
    await disable(kit);
    await expect(device.sign(data, { password: PASSWORD })).rejects.toEqual(disabled);
    const [twinDevice, otherDevice] = [twin, other].map(({ record }) =>
      deviceOf(world, record, { purposes: ['login', 'sign'] }),
    ) as [Device, Device];
    expect(await twinDevice.sign(data, { password: PASSWORD })).toHaveLength(256);
    expect((await otherDevice.login({ ...loginAt(rp), password: PASSWORD })).body).toBeDefined();
  });

  it('stops what is being computed: no signature, no login, no plaintext leaves any more', async () => {
    const { world, rp, kit, device } = await start();
    const message = await enrolElgamal(world);
    const reader = deviceOf(world, message.record);
    const jwe = await encryptTo(reader.jwk, data);
    // Each is asked, and answered when it is not in flight.
    expect(await device.sign(data, { password: PASSWORD })).toHaveLength(256);
    expect(await reader.decrypt(jwe, { password: PASSWORD })).toEqual(data);

    for (const [operation, itsKit] of [
      [() => reader.decrypt(jwe, { password: PASSWORD }), message.kit],
      [() => device.login({ ...loginAt(rp), password: PASSWORD }), kit],
    ] as const) {
      const jobs = holdJobs();
      const running = operation();
      const outcome = running.then(
        () => 'done',
        (error: unknown) => error,
      );
      await jobs.arrived();
      await disable(itsKit);
      jobs.release();
      expect(await outcome).toEqual(disabled);
      vi.restoreAllMocks();
    }
    expect(world.events.filter(({ type }) => type === 'refusedDisabled')).toHaveLength(2);
    // What the thief got is a refusal: neither of the two answers holds a partial result.
    const last = world.traffic.filter(({ url }) => url.endsWith('/assist')).slice(-2);
    for (const { status, response } of last) {
      expect(status).toBe(403);
      expect(response.length).toBeLessThan(700);
    }
  });

  it('stops it in another process too, and the many that wait behind it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-flight-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const keys = await KeySet.generate();
    const [here, there] = (await Promise.all(
      [0, 1].map(() => startShared(path.join(folder, 'store.db'), keys)),
    )) as [AssistantWorld, AssistantWorld];
    const { record, kit } = await enrolRsa(here);
    const device = deviceOf(here, record);
    await device.sign(data, { password: PASSWORD });
    const jobs = holdJobs();
    // The first is with the thread, three wait in the queue.
    const outcomes = Array.from({ length: 4 }, () =>
      device.sign(data, { password: PASSWORD }).catch((error: unknown) => error),
    );
    await jobs.arrived();
    await disable({ ...kit, assistant: { url: there.url } });
    jobs.release();
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toEqual(disabled);
  });

  it('holds after restarts, for every operation and every copy, and the rest works on', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-restart-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [database, keyFile] = [path.join(folder, 'store.db'), path.join(folder, 'keys.json')];
    const first = await startShared(database, await KeySet.file(keyFile));
    const signing = await enrolRsa(first);
    const reading = await enrolElgamal(first);
    const alive = await enrolRsa(first, rsaKey('other2048'));
    await deviceOf(first, signing.record).sign(data, { password: PASSWORD });
    for (const { kit } of [signing, reading]) await disable(kit);
    await first.store.close();

    for (let restart = 0; restart < 2; restart++) {
      const world = await startShared(database, await KeySet.load(keyFile));
      const at = (record: DeviceRecord) => {
        const moved = { ...record, assistant: { ...record.assistant, url: world.url } };
        return deviceOf(world, moved, { purposes: ['sign', 'login'] });
      };
      const [signer, reader, living] = [at(signing.record), at(reading.record), at(alive.record)];
      for (const password of [PASSWORD, 'wrong']) {
        await expect(signer.sign(data, { password, alg: 'RS256' })).rejects.toEqual(disabled);
        await expect(reader.decrypt(await encryptTo(reader.jwk, data), { password })).rejects.toEqual(
          disabled,
        );
        await expect(signer.retire(password)).rejects.toEqual(disabled);
      }
      expect(await living.sign(data, { password: PASSWORD })).toHaveLength(256);
      await world.store.close();
    }
  });

  /** One process of several, as far as stores can tell: its own handle on the file. */
  async function startShared(database: string, keys: KeySet): Promise<AssistantWorld> {
    const store = new SqliteStore(database);
    onTestFinished(() => store.close());
    return startAssistant({ store, keys, workers: { size: 1 } });
  }
});

describe('retirement', () => {
  it('ends the help for a ticket, by whoever has device and password, and no login at the app', async () => {
    const { world, rp, record, kit, device } = await start();
    const alive = await session(device, rp);
    await expect(device.retire('wrong')).rejects.toMatchObject({ code: 'wrong_password' });
    await device.retire(PASSWORD);
    await expect(device.sign(data, { password: PASSWORD })).rejects.toMatchObject({ code: 'retired' });
    expect(await alive()).toBe(200);
    await disable(kit);
    await expect(device.sign(data, { password: PASSWORD })).rejects.toEqual(disabled);
    expect(await alive()).toBe(403);
    expect(new Device(record, { assistant: world.url, fetch: world.fetch }).isUnlocked).toBe(false);
  });
});
