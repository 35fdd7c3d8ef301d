import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import type { Argon2id } from '../../lib/protocol/password.ts';
import { parseRecord } from '../../lib/protocol/record.ts';
import { b64, openAsAssistant } from '../attacks/support.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { CHEAP_KDF, PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

async function start() {
  const world = await startAssistant();
  return { world, enrolment: world.enrolment };
}

describe('enrolment', () => {
  it('gives a record and a kit that belong together, and nothing else', async () => {
    const { world, enrolment } = await start();
    const made = await enroll(enrolment);
    expect(Object.keys(made).sort()).toEqual(['kit', 'record']);
    const { record, kit } = made;
    expect(parseRecord(JSON.parse(JSON.stringify(record)))).toEqual(record);
    expect(kit).toEqual({
      version: 1,
      assistant: { url: world.url },
      t: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(b64(disablingName(Buffer.from(kit.t, 'base64url')))).toBe(record.u);
    expect(JSON.stringify(record)).not.toContain(kit.t);
    expect(record.kdf).toEqual({ name: 'argon2id', ...CHEAP_KDF });
  });

  it('is fresh each time, also for the same password and key', async () => {
    const { enrolment } = await start();
    const { privateKey } = generateKeyPairSync('ed25519');
    const key = { existing: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
    const [one, two] = await Promise.all([1, 2].map(() => enroll({ ...enrolment, key })));
    expect(one?.record.jwk).toEqual(two?.record.jwk);
    for (const name of ['salt', 'a', 'u', 'ticket'] as const)
      expect(one?.record[name]).not.toBe(two?.record[name]);
    expect(one?.kit.t).not.toBe(two?.kit.t);
  });

  it('protects a key that exists, which comes out as it went in', async () => {
    const { enrolment } = await start();
    for (const { privateKey } of [
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ]) {
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
      const { record } = await enroll({ ...enrolment, key: { existing: pem } });
      const out = await new Device(record, {
        assistant: record.assistant.url,
        argon2id: quickArgon2id,
      }).exportPrivateKey(PASSWORD, 'pkcs8-pem');
      const again = createPrivateKey(out);
      expect(again.export({ format: 'jwk' })).toEqual(privateKey.export({ format: 'jwk' }));
    }
  });

  it('seals to the assistant’s active key', async () => {
    const { world, enrolment } = await start();
    await world.keys.rotate({ type: 'P-256' });
    const { record } = await enroll(enrolment);
    expect(record.assistant).toEqual({ url: world.url, jwk: world.keys.active.jwk });
    expect(await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe')).not.toHaveProperty('exp');
  });

  it('may end on a day', async () => {
    const { world, enrolment } = await start();
    const expiresAt = world.clock.now() + 1000;
    const { record } = await enroll({ ...enrolment, expiresAt });
    expect(await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe')).toMatchObject({
      exp: expiresAt,
    });
    const device = new Device(record, { assistant: record.assistant.url, argon2id: quickArgon2id });
    await device.unlock(PASSWORD);
    world.clock.offset = 1000;
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'bad_ticket' });
    for (const bad of [1, 0, -5, 1.5, Number.NaN, 'tomorrow' as never]) {
      await expect(enroll({ ...enrolment, expiresAt: bad })).rejects.toThrow(TypeError);
    }
  });

  it.each<[string, object, unknown]>([
    ['a password that is none', { password: '' }, { code: 'bad_password' }],
    ['a key that is none', { key: { existing: 'x' } }, { code: 'bad_key' }],
    ['a kind of key that is none', { key: 'DSA' }, RangeError],
    ['a scheme that is none', { scheme: 'magic' }, TypeError],
    ['a KDF below the floor', { kdf: { m: 1024 } }, TypeError],
    ['a KDF above the ceiling', { kdf: { t: 65 } }, TypeError],
    ['an assistant in clear', { assistant: 'http://assistant.example' }, TypeError],
  ])('refuses %s', async (_name, options, told) => {
    const { enrolment } = await start();
    const made = enroll({ ...enrolment, ...options } as never);
    if (typeof told === 'function') await expect(made).rejects.toThrow(told as ErrorConstructor);
    else await expect(made).rejects.toMatchObject(told as object);
  });

  it('fails without an assistant, and with one that has no key', async () => {
    const { enrolment } = await start();
    const offline = () => Promise.reject(new TypeError('fetch failed'));
    await expect(enroll({ ...enrolment, fetch: offline })).rejects.toMatchObject({ code: 'network' });
    const empty = async () => Response.json({ keys: [] });
    await expect(enroll({ ...enrolment, fetch: empty })).rejects.toMatchObject({ code: 'bad_response' });
  });

  it('wipes what it computed, also where it fails in the end', async () => {
    const { enrolment } = await start();
    const buffers: Uint8Array[] = [];
    const argon2id: Argon2id = async (password, salt, kdf) => {
      const k = await quickArgon2id(password, salt, kdf);
      buffers.push(password, k);
      return k;
    };
    await enroll({ ...enrolment, argon2id });
    expect(buffers.length).toBe(2);
    for (const buffer of buffers) expect(buffer.every((byte) => byte === 0)).toBe(true);
    const { record } = await enroll({ ...enrolment, argon2id });
    await new Device(record, { assistant: record.assistant.url, argon2id }).unlock(PASSWORD);
    await new Device(record, { assistant: record.assistant.url, argon2id }).unlock('wrong').catch(() => {});
    expect(buffers.length).toBe(8);
    for (const buffer of buffers) expect(buffer.every((byte) => byte === 0)).toBe(true);
  });
});
