import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compactVerify, importJWK } from 'jose';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { sshPublicKey } from '../../lib/crypto/ssh/encoding.ts';
import { sshSignature } from '../../lib/crypto/ssh/sshsig.ts';
import { Device, type DeviceOptions } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import { MAX_MESSAGE } from '../../lib/protocol/schemes/ed25519.ts';
import { b64, hostileAssistant, random, unixNow } from '../attacks/support.ts';
import { isAbsent } from '../support/binaries.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { PASSWORD, quickArgon2id, startAssistant, startRelyingParty } from '../support/world.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'shared-ed25519-'));
afterAll(() => rmSync(folder, { recursive: true }));
const utf8 = (text: string) => new TextEncoder().encode(text);

async function start(options: Partial<DeviceOptions> = {}) {
  const world = await startAssistant();
  const { scheme: _scheme, ...enrolment } = world.enrolment;
  const { record, kit } = await enroll(enrolment);
  const open = (more: Partial<DeviceOptions> = {}) =>
    new Device(record, {
      assistant: world.url,
      fetch: world.fetch,
      argon2id: quickArgon2id,
      purposes: ['sign', 'login'],
      ...options,
      ...more,
    });
  return { world, record, kit, open, device: open() };
}

const verifies = (device: Device, message: Uint8Array, signature: Uint8Array) =>
  verify(null, message, createPublicKey({ key: { ...device.jwk }, format: 'jwk' }), signature);

describe('a shared Ed25519 key', () => {
  it('is what enroll makes by default, from nothing or from a key that exists', async () => {
    const { world, record } = await start();
    expect(record).toMatchObject({ scheme: 'ed25519', jwk: { kty: 'OKP', crv: 'Ed25519' } });
    const { scheme: _scheme, ...enrolment } = world.enrolment;
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const forms = [
      privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      privateKey.export({ format: 'jwk' }) as JsonWebKey,
    ];
    for (const existing of forms) {
      const made = await enroll({ ...enrolment, key: { existing } });
      expect(made.record.jwk).toEqual(publicKey.export({ format: 'jwk' }));
      const device = new Device(made.record, {
        assistant: world.url,
        argon2id: quickArgon2id,
        purposes: ['sign'],
      });
      expect(verifies(device, utf8('x'), await device.sign(utf8('x'), { password: PASSWORD }))).toBe(true);
    }
    const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const existing = other.export({ format: 'jwk' });
    await expect(enroll({ ...enrolment, key: { existing } })).rejects.toMatchObject({ code: 'bad_key' });
    await expect(enroll({ ...enrolment, key: 'P-256' as 'Ed25519' })).rejects.toThrow(TypeError);
  });

  it('signs messages of every length up to the limit, as RFC 8032 has it', async () => {
    const { device, world } = await start();
    await device.unlockShared(PASSWORD);
    for (const length of [0, 1, 63, 64, 1000, MAX_MESSAGE]) {
      const message = random(length);
      expect(verifies(device, message, await device.sign(message))).toBe(true);
    }
    const before = world.traffic.length;
    await expect(device.sign(random(MAX_MESSAGE + 1))).rejects.toMatchObject({ code: 'unsupported' });
    await expect(device.sign({ digest: random(32) })).rejects.toThrow(TypeError);
    await expect(device.sign(utf8('x'), { alg: 'ES256' })).rejects.toThrow(TypeError);
    expect(world.traffic).toHaveLength(before);
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'unsupported' });
    await expect(device.exportPrivateKey(PASSWORD, 'jwk')).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('signs JWSs under both names of the algorithm', async () => {
    const { device } = await start();
    const key = await importJWK({ ...device.jwk }, 'EdDSA');
    for (const alg of [undefined, 'Ed25519', 'EdDSA'] as const) {
      const jws = await device.signJws('hello', { password: PASSWORD, ...(alg && { alg }) });
      const { payload, protectedHeader } = await compactVerify(jws, key);
      expect([new TextDecoder().decode(payload), protectedHeader.alg]).toEqual(['hello', alg ?? 'Ed25519']);
    }
  });

  it.skipIf(isAbsent('ssh-keygen'))('signs files that ssh-keygen accepts', async () => {
    const { device } = await start();
    const file = (name: string, text: string) => {
      writeFileSync(path.join(folder, name), text);
      return path.join(folder, name);
    };
    const signature = await sshSignature(utf8('hello'), 'file', device.jwk, (data, alg) =>
      device.sign(data, { password: PASSWORD, alg }),
    );
    const signers = file('signers', `ada ${sshPublicKey(device.jwk)}\n`);
    const args = ['-Y', 'verify', '-f', signers, '-I', 'ada', '-n', 'file', '-s', file('sig', signature)];
    expect(execFileSync('ssh-keygen', args, { input: 'hello', encoding: 'utf8' })).toContain('Good "file"');
  });

  it('logs in and registers without telling the assistant to whom', async () => {
    const { world, device, kit } = await start();
    const rp = await startRelyingParty(world.store);
    const party = { account: 'ada', headers: { 'x-invited': 'ada' }, password: PASSWORD };
    const register = await device.register({ ...party, url: `${rp.origin}/register` });
    expect(register.body).toBeTruthy();
    const { body, failedSince, isReissuedElsewhere } = await device.login({
      ...party,
      url: `${rp.origin}/login`,
    });
    expect(body).toEqual({ user: { account: 'ada' } });
    expect([failedSince, isReissuedElsewhere]).toEqual([{ count: 0, last: null }, false]);
    // Nothing works after the kit was used, not even for device and password.
    await disable(kit, { fetch: world.fetch });
    await expect(device.login({ ...party, url: `${rp.origin}/login` })).rejects.toMatchObject({
      code: 'disabled',
    });
    await expect(device.sign(utf8('x'), { password: PASSWORD })).rejects.toMatchObject({ code: 'disabled' });
  });

  it('signs nothing that would pass for a proof', async () => {
    const { device, world } = await start();
    const before = world.traffic.length;
    const head = b64(utf8(JSON.stringify({ alg: 'Ed25519', typ: 'rk-login+jwt', kid: 'x' })));
    const input = utf8(`${head}.${b64(utf8(JSON.stringify({ h: b64(random(32)) })))}`);
    await expect(device.sign(input, { password: PASSWORD })).rejects.toMatchObject({ code: 'refused' });
    expect(world.traffic).toHaveLength(before);
  });
});

describe('the nonces of a device', () => {
  it('are fresh for every request, the second one after stale_request and those after busy included', async () => {
    const { world, record } = await start();
    const seen: Record<string, unknown>[] = [];
    let refusals = 0;
    const fetch = hostileAssistant(world.keys, ({ request }) => {
      seen.push(request);
      const { op, jti } = request;
      const code = ['stale_request', 'busy'][refusals++] ?? 'unavailable';
      const sealed = { v: 1, op, jti, code, now: unixNow(), ...(code === 'busy' && { retryAt: unixNow() }) };
      return { status: 503, sealed, body: { code } };
    });
    const device = new Device(record, {
      assistant: world.url,
      fetch,
      argon2id: quickArgon2id,
      purposes: ['sign'],
    });
    await expect(device.sign(utf8('same'), { password: PASSWORD })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(seen).toHaveLength(3);
    for (const name of ['hiding', 'binding', 'jti', 'rho'] as const)
      expect(new Set(seen.map((request) => request[name])).size).toBe(3);
    expect(new Set(seen.map(({ message }) => message)).size).toBe(1);
  });

  it('differ where the platform repeats its randomness and the message is another', async () => {
    const { world, record } = await start();
    const seen: Record<string, unknown>[] = [];
    const fetch = hostileAssistant(world.keys, ({ request }) => {
      seen.push(request);
      const { op, jti } = request;
      return { status: 503, sealed: { v: 1, op, jti, code: 'unavailable', now: unixNow() } };
    });
    const device = new Device(record, {
      assistant: world.url,
      fetch,
      argon2id: quickArgon2id,
      purposes: ['sign'],
    });
    await device.unlockShared(PASSWORD);
    const spy = vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => array);
    try {
      for (const text of ['one', 'two']) await device.sign(utf8(text)).catch(() => {});
    } finally {
      spy.mockRestore();
    }
    expect(seen.map(({ hiding }) => hiding)).toHaveLength(2);
    for (const name of ['hiding', 'binding'] as const) expect(seen[0]?.[name]).not.toBe(seen[1]?.[name]);
  });
});

describe('an assistant that lies', () => {
  it.each(['hiding', 'binding', 'share'])('in %s gets no signature released', async (member) => {
    const { world, record } = await start();
    const honest = new Device(record, { assistant: world.url, argon2id: quickArgon2id, purposes: ['sign'] });
    const signature = await honest.sign(utf8('x'), { password: PASSWORD });
    const wrong = { hiding: signature.slice(0, 32), binding: signature.slice(0, 32), share: random(32) };
    wrong.share[31] = 0;
    const fetch = hostileAssistant(world.keys, ({ request: { op, jti } }) => {
      const members = { hiding: wrong.hiding, binding: wrong.binding, share: wrong.share };
      if (member !== 'share') members[member as 'hiding'] = new Uint8Array(32).fill(0xff);
      const result = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, b64(value)]));
      return { sealed: { v: 1, op, jti, ...result, failedSince: { count: 0, last: null }, lastUsed: null } };
    });
    const device = new Device(record, {
      assistant: world.url,
      fetch,
      argon2id: quickArgon2id,
      purposes: ['sign'],
    });
    await expect(device.sign(utf8('x'), { password: PASSWORD })).rejects.toMatchObject({
      code: 'bad_response',
    });
  });

  it('with the answers of two requests in flight exchanged gets neither signature released', async () => {
    const { world, record } = await start();
    const answers: { readonly response: Response; readonly give: (response: Response) => void }[] = [];
    const fetch: typeof globalThis.fetch = async (url, init) => {
      const response = await world.fetch(url, init);
      if (!(url as string).endsWith('/assist')) return response;
      return new Promise((give) => {
        const [other] = answers;
        answers.push({ response, give });
        if (!other) return;
        other.give(response);
        give(other.response);
      });
    };
    const sign = () =>
      new Device(record, { assistant: world.url, fetch, argon2id: quickArgon2id, purposes: ['sign'] }).sign(
        utf8('the same'),
        { password: PASSWORD },
      );
    for (const signed of await Promise.allSettled([sign(), sign()]))
      expect(signed).toMatchObject({ status: 'rejected', reason: { code: 'bad_response' } });
    expect(answers.map(({ response }) => response.status)).toEqual([200, 200]);
  });
});
