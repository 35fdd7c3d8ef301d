/**
 * The patent's claims that key retrieval covers, in our own words and over real HTTP. The browser's part of claims 2, 12
 * and 13 is shown where browsers are driven.
 */
import { createPrivateKey, createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify, importJWK } from 'jose';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromBase64url, toBase64url, xor } from '../lib/base/bytes.ts';
import { openDirect } from '../lib/crypto/jwe/jwe.ts';
import type { KeyUse, PrivateKeyKind } from '../lib/crypto/keys/private-key.ts';
import { Device } from '../lib/device/device.ts';
import { disable } from '../lib/device/disable.ts';
import type { RetrieveOptions } from '../lib/device/enroll.ts';
import { enroll } from '../lib/device/enroll.ts';
import { disablingName } from '../lib/protocol/disabling.ts';
import { deviceShare, stretchPassword, verifier } from '../lib/protocol/password.ts';
import type { DeviceRecord } from '../lib/protocol/record.ts';
import { SqliteStore } from '../lib/store/sqlite.ts';
import {
  assist,
  b64,
  makeDisabling,
  makeRequest,
  makeTicket,
  openAsAssistant,
  post,
  random,
} from './attacks/support.ts';
import { compiledModules } from './support/builds.ts';
import { type AssistantProcess, outputOf, startAssistantProcess } from './support/processes.ts';
import { type AssistantWorld, argon2idOnce, CHEAP_KDF, PASSWORD, startAssistant } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });

const bytes = (text: unknown) => fromBase64url(text as string) as Uint8Array<ArrayBuffer>;

async function start(options: Partial<RetrieveOptions> = {}) {
  const world = await startAssistant();
  const enrolment = { ...world.enrolment, argon2id: argon2idOnce, ...options };
  const { record, kit } = await enroll(enrolment);
  return { world, record, kit, device: deviceOf(world, record) };
}

const deviceOf = (world: AssistantWorld, record: DeviceRecord) =>
  new Device(record, { assistant: world.url, fetch: world.fetch, argon2id: argon2idOnce });

const stretch = ({ salt, kdf }: DeviceRecord) => stretchPassword(PASSWORD, bytes(salt), kdf, argon2idOnce);

const lastAssist = ({ traffic }: AssistantWorld) => {
  const found = traffic.filter(({ url }) => url.endsWith('/assist')).at(-1);
  const sent = JSON.parse(found?.request as string) as { ticket: string; request: string; mac: string };
  return { sent, got: JSON.parse(found?.response as string) as { response: string } };
};

describe('the device', () => {
  it('claim 1: asks a remote assistant for partial help, recovers its private key and uses it', async () => {
    const { world, record, device } = await start();
    expect(JSON.stringify(record)).not.toContain(PASSWORD);
    const { key, jwk } = await device.unlock(PASSWORD);
    const signature = await crypto.subtle.sign('Ed25519', key, Buffer.from('a message'));
    const publicKey = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    expect(verify(null, Buffer.from('a message'), publicKey, Buffer.from(signature))).toBe(true);
    expect(verify(null, Buffer.from('another message'), publicKey, Buffer.from(signature))).toBe(false);
    // It was help, and it was remote: one request, one answer, and without them nothing.
    expect(world.traffic.map(({ url, status }) => [new URL(url).pathname, status])).toEqual([
      ['/assistant/keys', 200],
      ['/assistant/keys', 200],
      ['/assistant/assist', 200],
    ]);
    const alone = new Device(record, {
      assistant: world.url,
      fetch: () => Promise.reject(new TypeError('offline')),
      argon2id: argon2idOnce,
    });
    await expect(alone.unlock(PASSWORD)).rejects.toMatchObject({ code: 'network' });
  });

  it('claim 2: is a client of a server', async () => {
    const { world, record } = await start();
    const answer = await request(world.app).get('/assistant/keys').expect(200);
    expect(answer.headers['content-type']).toMatch(/^application\/jwk-set\+json/);
    expect(answer.body.keys[0]).toMatchObject({ ...record.assistant.jwk, use: 'enc', alg: 'ECDH-ES' });
    expect(record.assistant.url).toBe(world.url);
  });

  it('claim 3: sends secret information from which the assistant verifies the user before it helps', async () => {
    const { world, device, record } = await start();
    await expect(device.unlock('a wrong password')).rejects.toMatchObject({
      code: 'wrong_password',
      attemptsLeft: 4,
    });
    // The right password without the device’s MAC, and with another device’s ticket.
    const k = await stretch(record);
    const known = { jwk: record.assistant.jwk, b: verifier(k), ticket: record.ticket };
    const other = await makeTicket(record.assistant.jwk);
    for (const [a, ticket, code] of [
      [random(32), record.ticket, 'bad_mac'],
      [bytes(record.a), other.ticket, 'bad_mac'],
      [other.a, other.ticket, 'wrong_password'],
    ] as const) {
      const answer = await assist(world, await makeRequest({ ...known, a, ticket }));
      expect([answer.status, answer.json.code]).toEqual([401, code]);
      expect(answer.opened ?? {}).not.toHaveProperty('c');
    }
    const good = await assist(world, await makeRequest({ ...known, a: bytes(record.a) }));
    expect([good.status, good.opened?.['op']]).toEqual([200, 'retrieve']);
    // Secret: neither the password nor what is made of it travels in clear.
    expect(JSON.stringify(world.traffic)).not.toContain(toBase64url(verifier(k)));
  });

  it('claim 4: sends cryptographic information that it has stored and that is made from the key', async () => {
    const { world, device, record } = await start();
    await device.unlock(PASSWORD);
    expect(lastAssist(world).sent.ticket).toBe(record.ticket);
    const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const pkcs8 = await device.exportPrivateKey(PASSWORD, 'pkcs8-der');
    const mask = deviceShare(await stretch(record), 'retrieve', 48);
    expect(toBase64url(xor(pkcs8, mask))).toBe(ticket['c']);
  });

  it('claim 5: has that information encrypted over the user’s secrets and the key, to the assistant’s public key', async () => {
    const { world, kit, record } = await start();
    const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    expect(ticket).toEqual({
      v: 1,
      scheme: 'retrieve',
      a: record.a,
      b: toBase64url(verifier(await stretch(record))),
      u: toBase64url(disablingName(bytes(kit.t))),
      iat: expect.any(Number),
      c: expect.stringMatching(/^[A-Za-z0-9_-]{64}$/),
    });
    const other = await startAssistant();
    expect(other.keys.find(record.assistant.jwk.kid)).toBeUndefined();
    const refused = await post(
      other,
      '/assist',
      (await makeRequest({ ...(await makeTicket(record.assistant.jwk)) })).body,
    );
    expect([refused.status, refused.json.code]).toEqual([400, 'unknown_key']);
  });

  it('claim 6: gets a partial result: with the assistant’s whole knowledge there is no key without the device', async () => {
    const { world, record, device } = await start();
    const pkcs8 = await device.exportPrivateKey(PASSWORD, 'pkcs8-der');
    const { sent, got } = lastAssist(world);
    // Whoever has the assistant’s key reads ticket, request and, with ρ from it, the response.
    const ticket = await openAsAssistant(world.keys, sent.ticket, 'rk-ticket+jwe');
    const asked = await openAsAssistant(world.keys, sent.request, 'rk-request+jwe');
    const opened = await openDirect(got.response, 'rk-response+jwe', bytes(asked['rho']));
    const answer = JSON.parse(Buffer.from(opened as Uint8Array).toString()) as Record<string, unknown>;
    expect(answer['c']).toBe(ticket['c']);
    const seed = Buffer.from(pkcs8).subarray(16);
    for (const known of [ticket, asked, answer]) {
      for (const value of Object.values(known)) {
        if (typeof value === 'string') expect(Buffer.from(value, 'base64url').includes(seed)).toBe(false);
      }
    }
    // c says nothing about the key by itself: for any other key of that length there is a mask that fits.
    expect(() =>
      createPrivateKey({ key: Buffer.from(bytes(answer['c'])), format: 'der', type: 'pkcs8' }),
    ).toThrow();
    const other = random(48);
    expect(xor(bytes(ticket['c']), xor(bytes(ticket['c']), other))).toEqual(other);
    expect(record).not.toHaveProperty('c');
  });

  it('claim 7: completes the decryption with the password: the same answer and another password give no key', async () => {
    const { world, record, device } = await start();
    const pkcs8 = await device.exportPrivateKey(PASSWORD, 'pkcs8-der');
    const { c } = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const complete = async (password: string) => {
      const k = await stretchPassword(password, bytes(record.salt), record.kdf, argon2idOnce);
      return xor(bytes(c), deviceShare(k, 'retrieve', 48));
    };
    expect(toBase64url(await complete(PASSWORD))).toBe(toBase64url(pkcs8));
    const wrong = Buffer.from(await complete('correct horse battery stable'));
    expect(() => createPrivateKey({ key: wrong, format: 'der', type: 'pkcs8' })).toThrow();
  });

  it('claim 8: keeps the recovered key for a while, then forgets it; or at once, when told so', async () => {
    const { device } = await start();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    try {
      const { key } = await device.unlock(PASSWORD, { forSeconds: 90 });
      expect(key.extractable).toBe(false);
      vi.advanceTimersByTime(89_999);
      expect(device.isUnlocked).toBe(true);
      vi.advanceTimersByTime(1);
      expect(device.isUnlocked).toBe(false);
      await device.unlock(PASSWORD);
      device.lock();
      expect(device.isUnlocked).toBe(false);
      // A machine that sleeps stops its timers; its clock goes on.
      await device.unlock(PASSWORD, { forSeconds: 60 });
      vi.setSystemTime(Date.now() + 60_000);
      expect(device.isUnlocked).toBe(false);
      const party = { url: 'https://app.example/login', account: 'ada' };
      await expect(device.login(party)).rejects.toMatchObject({ code: 'not_unlocked' });
    } finally {
      vi.useRealTimers();
    }
  });

  const SIGNING: readonly (readonly [PrivateKeyKind, KeyUse])[] = [
    ['Ed25519', 'Ed25519'],
    ['P-256', 'ES256'],
    ['RSA-2048', 'PS256'],
  ];
  it.each(SIGNING)('claim 9: signs with the key: %s as %s, a JWS that jose verifies', async (key, alg) => {
    const { device } = await start({ key });
    const unlocked = await device.unlock(PASSWORD, { alg });
    const payload = Buffer.from('{"iss":"ada"}');
    const jws = await new CompactSign(payload).setProtectedHeader({ alg }).sign(unlocked.key);
    const publicKey = await importJWK({ ...unlocked.jwk } as JsonWebKey, alg);
    expect(Buffer.from((await compactVerify(jws, publicKey)).payload)).toEqual(payload);
    // The same by the key in its usual form, exported, under OpenSSL.
    const pem = await device.exportPrivateKey(PASSWORD, 'pkcs8-pem');
    const digest = key === 'Ed25519' ? null : 'sha256';
    const signature = sign(digest, payload, pem);
    const verifying = createPublicKey({ key: unlocked.jwk as JsonWebKey, format: 'jwk' });
    expect(verify(digest, payload, verifying, signature)).toBe(true);
  });

  const DECRYPTING: readonly (readonly [PrivateKeyKind, KeyUse])[] = [
    ['P-256', 'ECDH-ES'],
    ['RSA-2048', 'RSA-OAEP-256'],
  ];
  it.each(DECRYPTING)('claim 9: decrypts with the key: %s, a JWE that jose made by %s', async (key, alg) => {
    const { device, record } = await start({ key });
    const publicKey = await importJWK({ ...record.jwk } as JsonWebKey, alg);
    const jwe = await new CompactEncrypt(Buffer.from('for ada'))
      .setProtectedHeader({ alg, enc: 'A256GCM' })
      .encrypt(publicKey);
    const unlocked = await device.unlock(PASSWORD, { alg });
    const { plaintext } = await compactDecrypt(jwe, unlocked.key);
    expect(Buffer.from(plaintext).toString()).toBe('for ada');
  });

  it('claim 10: was never registered: an assistant that has never heard of it helps at the first request', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-claims-'));
    const file = path.join(folder, 'store.db');
    const store = new SqliteStore(file);
    try {
      const world = await startAssistant({ store });
      const empty = readFileSync(file);
      const { record } = await enroll({ ...world.enrolment, argon2id: argon2idOnce });
      // Enrolling has asked for the published keys and for nothing else, and nothing was written.
      expect(world.traffic).toHaveLength(1);
      expect(world.events).toEqual([]);
      expect(readFileSync(file).equals(empty)).toBe(true);
      const { failedSince } = await deviceOf(world, record).unlock(PASSWORD);
      expect(failedSince).toEqual({ count: 0, last: null });
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the assistant', () => {
  it('claim 11: gets ticket, request and MAC, and answers with its part of the key, to that sender alone', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const { body, rho, jti } = await makeRequest(owner);
    const answer = await request(world.app).post('/assistant/assist').send(body).expect(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(Object.keys(answer.body)).toEqual(['response']);
    const opened = await openDirect(answer.body.response, 'rk-response+jwe', rho);
    expect(JSON.parse(Buffer.from(opened as Uint8Array).toString())).toEqual({
      v: 1,
      op: 'retrieve',
      jti: b64(jti),
      c: b64(owner.c),
      failedSince: { count: 0, last: null },
      lastUsed: null,
    });
    expect(await openDirect(answer.body.response, 'rk-response+jwe', random(32))).toBeUndefined();
  });

  it('claim 29: keeps no account: it remembers nothing of a key before a success, and then when that was', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    expect(await world.store.forget(owner.id)).toBe(false);
    expect((await assist(world, await makeRequest(owner))).status).toBe(200);
    const { opened } = await assist(world, await makeRequest(owner));
    expect(opened?.['lastUsed']).toBeTypeOf('number');
    expect(await world.store.forget(owner.id)).toBe(true);
    expect(await world.store.forget(owner.id)).toBe(false);
  });

  it('claim 15: ignores later requests for a key when its owner says so, whatever they ask', async () => {
    const { world, device, kit } = await start();
    await device.unlock(PASSWORD);
    await disable(kit, { fetch: world.fetch });
    for (const refused of [
      () => device.unlock(PASSWORD),
      () => device.unlock('a wrong password'),
      () => device.exportPrivateKey(PASSWORD, 'jwk'),
      () => device.retire(PASSWORD),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: 'disabled', status: 403 });
    }
    const { sent } = lastAssist(world);
    await request(world.app).post('/assistant/assist').send(sent).expect(403);
  });

  it('claim 18: is told so by the holder of the disabling secret alone, again without harm, and answers authentically', async () => {
    const { world, record, device, kit } = await start();
    const wrong = await makeDisabling(world.keys.active.jwk, { t: random(16) });
    await request(world.app).post('/assistant/disable').send(wrong.body).expect(200);
    await device.unlock(PASSWORD);
    for (let times = 0; times < 2; times++) {
      const right = await makeDisabling(world.keys.active.jwk, { t: bytes(kit.t) });
      const { body } = await request(world.app).post('/assistant/disable').send(right.body).expect(200);
      const opened = await openDirect(body.response, 'rk-response+jwe', right.rho);
      const said = JSON.parse(Buffer.from(opened as Uint8Array).toString()) as object;
      expect(said).toEqual({ v: 1, op: 'disable', disabled: true, now: expect.any(Number) });
      expect(await openDirect(body.response, 'rk-response+jwe', random(32))).toBeUndefined();
    }
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
    expect(await world.store.isDisabled([record.u])).toBe(true);
    const { body: feed } = await request(world.app).get('/assistant/disabled').expect(200);
    expect(feed.disabled.filter((t: string) => t === kit.t)).toHaveLength(1);
  });
});

describe('assistant and device as two processes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-process-'));
  let assistant: AssistantProcess;
  let url: string;

  const enrolment = () => ({
    scheme: 'retrieve' as const,
    assistant: url,
    password: PASSWORD,
    kdf: CHEAP_KDF,
    argon2id: argon2idOnce,
  });

  beforeAll(async () => {
    assistant = await startAssistantProcess(folder);
    ({ url } = assistant);
  }, 60_000);
  afterAll(async () => {
    await assistant.kill();
    rmSync(folder, { recursive: true });
  });

  it('claim 12: the assistant is a server, in a process of its own, and helps a client in another', async () => {
    const { record } = await enroll(enrolment());
    const device = new Device(record, { assistant: url, argon2id: argon2idOnce });
    const { key } = await device.unlock(PASSWORD);
    expect(key.type).toBe('private');
  });

  it('claim 13: processor and memory do it: a fresh process with nothing but the stored record and the password', async () => {
    const { record } = await enroll(enrolment());
    const code = `
      import { Device } from '${await compiledModules()}device/device.js';
      const { record, password } = JSON.parse(process.env.TASK);
      const { jwk, failedSince } = await new Device(record, { assistant: record.assistant.url }).unlock(password);
      console.log(JSON.stringify({ jwk, failedSince }));`;
    const output = await outputOf(code, { TASK: JSON.stringify({ record, password: PASSWORD }) });
    expect(JSON.parse(output)).toEqual({ jwk: record.jwk, failedSince: { count: 0, last: null } });
  });

  it('claim 31: a restart forgets neither the assistant’s key nor the guesses that were counted', async () => {
    const { record } = await enroll(enrolment());
    const device = new Device(record, { assistant: url, argon2id: argon2idOnce });
    for (const attemptsLeft of [4, 3]) {
      await expect(device.unlock('wrong')).rejects.toMatchObject({ code: 'wrong_password', attemptsLeft });
    }
    await assistant.restart();
    await expect(device.unlock('wrong')).rejects.toMatchObject({ code: 'wrong_password', attemptsLeft: 2 });
    expect((await device.unlock(PASSWORD)).failedSince.count).toBe(3);
  });

  it('claim 34: a disabled key stays disabled when the assistant is killed right after it has said so', async () => {
    const { record, kit } = await enroll(enrolment());
    const device = new Device(record, { assistant: url, argon2id: argon2idOnce });
    await device.unlock(PASSWORD);
    await disable(kit);
    await assistant.restart();
    await expect(device.unlock(PASSWORD)).rejects.toMatchObject({ code: 'disabled' });
    const feed = (await (await fetch(`${url}/disabled`)).json()) as { disabled: string[] };
    expect(feed.disabled).toContain(kit.t);
    await disable(kit);
  });
});
