/**
 * The patent's claims that function sharing covers, in our own words and over real HTTP. The browser's part of claims
 * 16, 32 and 33 is shown where browsers are driven.
 */
import { spawnSync } from 'node:child_process';
import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  sign as nodeSign,
  verify,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CompactEncrypt, compactVerify, importJWK } from 'jose';
import request from 'supertest';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openDirect } from '../lib/crypto/jwe/jwe.ts';
import { encodeRsaDigest } from '../lib/crypto/rsa-encoding.ts';
import { sshPublicKey } from '../lib/crypto/ssh/encoding.ts';
import { sshSignature } from '../lib/crypto/ssh/sshsig.ts';
import { disable } from '../lib/device/disable.ts';
import { encryptTo } from '../lib/device/encrypt-to.ts';
import { type AnyGroup, findGroup, type GroupElement } from '../lib/math/groups.ts';
import { i2osp, os2ip } from '../lib/math/integer.ts';
import { power } from '../lib/math/modular.ts';
import { requestMac } from '../lib/protocol/messages.ts';
import { verifier } from '../lib/protocol/password.ts';
import type { DeviceRecord } from '../lib/protocol/record.ts';
import { SqliteStore } from '../lib/store/sqlite.ts';
import {
  assist,
  b64,
  forgedProblem,
  intercepting,
  makeDisabling,
  makeRequest,
  openAsAssistant,
  post,
  random,
} from './attacks/support.ts';
import {
  bytes,
  countJobs,
  deviceOf,
  enrolElgamal,
  enrolRsa,
  holdJobs,
  makeShareTicket,
  number,
  rsaKey,
  rsaShare,
  shareBytes,
  signMembers,
  stretch,
  useRealArgon2id,
} from './sharing/support.ts';
import { isAbsent } from './support/binaries.ts';
import { compiledModules } from './support/builds.ts';
import { generateKeyPairSync } from './support/key-pair.ts';
import { type AssistantProcess, outputOf, startAssistantProcess } from './support/processes.ts';
import { type AssistantWorld, CHEAP_KDF, PASSWORD, startAssistant } from './support/world.ts';

vi.setConfig({ testTimeout: 60_000 });
// Claims are shown with passwords as they are protected in earnest.
useRealArgon2id();
afterEach(() => void vi.restoreAllMocks());

const key = rsaKey('rsa2048');
const p256 = findGroup('P-256') as AnyGroup;
const data = new TextEncoder().encode('a document') as Uint8Array<ArrayBuffer>;
const publicKeyOf = (jwk: object) => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });

/** An assistant that has never heard of anybody, and a known RSA key that was shared with it. */
async function start() {
  const world = await startAssistant({ workers: { size: 1 } });
  const { record, kit } = await enrolRsa(world, key);
  return { world, record, kit, device: deviceOf(world, record) };
}

/** The same with a key for decryption, and a message that jose encrypted to it. */
async function startDecrypting() {
  const world = await startAssistant({ workers: { size: 1 } });
  const { record, kit } = await enrolElgamal(world);
  const device = deviceOf(world, record);
  return { world, record, kit, device, jwe: await messageTo(device.jwk) };
}

async function messageTo(jwk: object, alg = 'ECDH-ES'): Promise<string> {
  return new CompactEncrypt(data)
    .setProtectedHeader({ alg, enc: 'A256GCM' })
    .encrypt(await importJWK({ ...jwk } as JsonWebKey, alg));
}

/** The last request for help and its answer, as whoever has the assistant's key reads them. */
async function lastAssist({ traffic, keys }: AssistantWorld) {
  const found = traffic.filter(({ url }) => url.endsWith('/assist')).at(-1);
  const sent = JSON.parse(found?.request as string) as { ticket: string; request: string; mac: string };
  const got = JSON.parse(found?.response as string) as { response: string };
  const asked = await openAsAssistant(keys, sent.request, 'rk-request+jwe');
  const ticket = await openAsAssistant(keys, sent.ticket, 'rk-ticket+jwe');
  const opened = await openDirect(got.response, 'rk-response+jwe', bytes(asked['rho']));
  const answer = JSON.parse(Buffer.from(opened as Uint8Array).toString()) as Record<string, unknown>;
  return { sent, got, asked, ticket, answer };
}

/** em of what was asked for. */
function encoded(asked: Record<string, unknown>): bigint {
  const salt = asked['salt'] === undefined ? {} : { salt: bytes(asked['salt']) };
  return os2ip(
    encodeRsaDigest({ alg: asked['alg'] as 'PS256', digest: bytes(asked['digest']), ...salt }, 2048),
  );
}

/** What a request needs to be a given device's own, password included. */
async function knownOf(record: DeviceRecord, password = PASSWORD) {
  const b = new Uint8Array(verifier(await stretch(record, password)));
  return { jwk: record.assistant.jwk, a: bytes(record.a), b, ticket: record.ticket };
}

describe('the device', () => {
  it('claim 14: performs a private-key operation with the assistant’s help; the key is never whole again', async () => {
    const { world, record, kit, device } = await start();
    const signature = await device.sign(data, { alg: 'PS256', password: PASSWORD });
    const jws = await device.signJws(data, { alg: 'PS256', password: PASSWORD });
    await compactVerify(jws, await importJWK({ ...device.jwk }, 'PS256'));
    expect(signature).toHaveLength(256);
    // Neither side can do it alone, or get the key out.
    const offline = deviceOf(world, record, { fetch: () => Promise.reject(new TypeError('offline')) });
    await expect(offline.sign(data, { password: PASSWORD })).rejects.toMatchObject({ code: 'network' });
    for (const whole of [device.unlock(PASSWORD), device.exportPrivateKey(PASSWORD, 'jwk')]) {
      await expect(whole).rejects.toMatchObject({ code: 'unsupported' });
    }
    const { ticket, answer } = await lastAssist(world);
    const everything = JSON.stringify([record, kit, world.traffic, ticket, answer]);
    for (const secret of [key.d, key.p, key.q]) {
      const digits = secret.toString(16);
      const raw = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
      for (const form of [raw.toString('base64url'), raw.toString('hex'), secret.toString()]) {
        expect(everything).not.toContain(form.slice(0, 40));
      }
    }
    // What is there are the halves.
    expect(everything).toContain(ticket['d2']);
  });

  it('claim 15 (shared keys): has its key disabled: every later operation is refused, whoever asks', async () => {
    const { world, record, kit, device } = await start();
    const group = await startDecrypting();
    await device.sign(data, { password: PASSWORD });
    expect(await group.device.decrypt(group.jwe, { password: PASSWORD })).toEqual(data);
    await disable(kit);
    await disable(group.kit);
    for (const refused of [
      () => device.sign(data, { password: PASSWORD }),
      () => device.sign(data, { password: 'wrong' }),
      () => device.signJws('x', { alg: 'RS512', password: PASSWORD }),
      () => device.retire(PASSWORD),
      () => deviceOf(world, record).sign(data, { password: PASSWORD }),
      () => group.device.decrypt(group.jwe, { password: PASSWORD }),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: 'disabled' });
    }
    const known = await knownOf(record);
    const answer = await assist(world, await makeRequest(known, signMembers()));
    expect([answer.status, answer.opened?.['code']]).toEqual([403, 'disabled']);
  });

  it('claim 16: is a client of a server: one HTTP request, one answer, for one operation', async () => {
    const { world, record } = await start();
    const { body } = await makeRequest(await knownOf(record), signMembers());
    const answer = await request(world.app).post('/assistant/assist').send(body).expect(200);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(Object.keys(answer.body)).toEqual(['response']);
    const again = await request(world.app).post('/assistant/assist').send(body).expect(400);
    expect(again.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(again.body.code).toBe('replayed');
    await request(world.app).get('/assistant/assist').expect(405);
  });

  it('claim 17: shows secret information before it is helped: password, MAC, and its own ticket', async () => {
    const { world, record, device } = await start();
    const count = countJobs();
    await expect(device.sign(data, { password: 'wrong' })).rejects.toMatchObject({
      code: 'wrong_password',
      attemptsLeft: 4,
    });
    const known = await knownOf(record);
    const other = await makeShareTicket(record.assistant.jwk, rsaShare());
    const thieves = [
      [{ ...known, a: random(32) }, 'bad_mac'],
      [{ ...known, ticket: other.ticket }, 'bad_mac'],
      [{ ...known, ticket: other.ticket, a: other.a }, 'wrong_password'],
      [{ ...known, b: random(32) }, 'wrong_password'],
    ] as const;
    for (const [thief, code] of thieves) {
      const answer = await assist(world, await makeRequest(thief, signMembers()));
      expect([answer.status, answer.json.code]).toEqual([401, code]);
      expect(answer.opened ?? {}).not.toHaveProperty('nu');
    }
    // A request that was stolen on the way, beside a ticket of the thief's own, whose MAC he can make.
    const stolen = (await makeRequest(known, signMembers())).body.request;
    const mac = b64(requestMac(other.a, stolen, other.ticket));
    const beside = await post(world, '/assist', { ticket: other.ticket, request: stolen, mac });
    expect([beside.status, beside.json.code]).toEqual([401, 'bad_mac']);
    expect(count.jobs).toEqual([]);
    const good = await assist(world, await makeRequest(known, signMembers()));
    expect([good.status, good.opened]).toMatchObject([200, { op: 'sign', failedSince: { count: 2 } }]);
    expect(count.jobs).toHaveLength(1);
    expect(JSON.stringify(world.traffic)).not.toContain(b64(known.b));
  });

  it('claim 18 (shared keys): is disabled by the holder of the disabling secret alone, and told so authentically', async () => {
    const { world, record, kit, device } = await start();
    for (const t of [random(16), bytes(record.u).slice(0, 16), bytes(record.a).slice(0, 16)]) {
      const wrong = await post(world, '/disable', (await makeDisabling(world.keys.active.jwk, { t })).body);
      expect(wrong.status).toBe(200);
    }
    await device.sign(data, { password: PASSWORD });
    // Somebody on the way who says that it was done is not believed.
    const fetch = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/disable') ? Response.json({ response: 'e30..AAAA.AAAA.AAAA' }) : undefined,
    );
    await expect(disable(kit, { fetch })).rejects.toMatchObject({ code: 'bad_response' });
    const refusing = intercepting(world.fetch, ({ pathname }) =>
      pathname.endsWith('/disable') ? forgedProblem('disabled', 403) : undefined,
    );
    await expect(disable(kit, { fetch: refusing })).rejects.toMatchObject({ code: 'bad_response' });
    expect(await world.store.isDisabled([record.u])).toBe(false);
    for (let times = 0; times < 2; times++) {
      const { body, rho } = await makeDisabling(world.keys.active.jwk, { t: bytes(kit.t) });
      const { json } = await post(world, '/disable', body);
      const opened = await openDirect(json.response as string, 'rk-response+jwe', rho);
      expect(JSON.parse(Buffer.from(opened as Uint8Array).toString())).toMatchObject({ disabled: true });
    }
    await expect(device.sign(data, { password: PASSWORD })).rejects.toMatchObject({ code: 'disabled' });
  });

  it('claim 19: shares a function: what the two sides compute apart is, put together, the private-key operation', async () => {
    const { world, record, device } = await start();
    const signature = await device.sign(data, { alg: 'RS256', password: PASSWORD });
    expect(Buffer.from(signature)).toEqual(nodeSign('sha256', data, key.pkcs8));
    const { asked, answer } = await lastAssist(world);
    const em = encoded(asked);
    const d1 = os2ip(await shareBytes(record, key.length));
    const [deviceHalf, assistantHalf] = [power(em, d1, key.n), number(answer['nu'])];
    expect(i2osp((deviceHalf * assistantHalf) % key.n, 256)).toEqual(signature);
    for (const half of [deviceHalf, assistantHalf]) expect(power(half, key.e, key.n)).not.toBe(em);
  });

  it('claim 20: splits the private key in two shares, d = d1 + d2 mod φ(N) and x = x1 + x2 mod q', async () => {
    const { world, record } = await start();
    const { d2 } = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const d1 = os2ip(await shareBytes(record, key.length));
    expect((d1 + number(d2) - key.d) % key.phi).toBe(0n);
    expect([d1 % key.phi, number(d2)]).not.toContain(key.d);

    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = privateKey.export({ format: 'jwk' });
    const elgamal = await enrolElgamal(world, { existing: jwk as globalThis.JsonWebKey });
    const { x2 } = await openAsAssistant(world.keys, elgamal.record.ticket, 'rk-ticket+jwe');
    const x1 = os2ip(await shareBytes(elgamal.record, 32)) % p256.q;
    expect((x1 + number(x2)) % p256.q).toBe(number(jwk.d));
    // Split again, the same key has other shares.
    const again = await enrolRsa(world, key);
    const { d2: other } = await openAsAssistant(world.keys, again.record.ticket, 'rk-ticket+jwe');
    expect(other).not.toBe(d2);
  });

  it('claim 21: makes its share from the password and what it stores, and stores it nowhere', async () => {
    const { world, record, device } = await start();
    const { d2 } = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const fits = async (stored: DeviceRecord, password: string) =>
      (os2ip(await shareBytes(stored, key.length, password)) + number(d2) - key.d) % key.phi === 0n;
    expect(await fits(record, PASSWORD)).toBe(true);
    expect(await fits(record, 'correct horse battery stable')).toBe(false);
    expect(await fits({ ...record, salt: b64(random(32)) }, PASSWORD)).toBe(false);
    const share = Buffer.from(await shareBytes(record, key.length));
    await device.sign(data, { password: PASSWORD });
    const stored = Buffer.from(JSON.stringify([record, device.record]));
    const parts = record.ticket.split('.').map((part) => Buffer.from(part, 'base64url'));
    for (const place of [stored, ...parts]) {
      expect(place.includes(share.subarray(0, 16))).toBe(false);
      expect(place.includes(share.toString('base64url').slice(0, 20))).toBe(false);
    }
  });

  it('claim 22: stores the other share encrypted to the assistant, who alone reads it', async () => {
    const { world, record } = await start();
    const { ticket, assistant } = record;
    const opened = await openAsAssistant(world.keys, ticket, 'rk-ticket+jwe');
    expect(opened).toMatchObject({ scheme: 'rsa', n: key.jwk.n, d2: expect.stringMatching(/^[\w-]{342}$/) });
    const header = JSON.parse(Buffer.from(ticket.split('.')[0] as string, 'base64url').toString());
    expect(header).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: assistant.jwk.kid });
    // Not this device either: all that it has are public keys.
    expect(JSON.stringify(record)).not.toContain(opened['d2']);
    expect(Object.keys(assistant.jwk).sort()).toEqual(['crv', 'kid', 'kty', 'x']);
    const other = await startAssistant();
    const answer = await assist(other, await makeRequest(await knownOf(record), signMembers()));
    expect([answer.status, answer.json.code]).toEqual([400, 'unknown_key']);
    // One bit less, and it is no ticket.
    const parts = ticket.split('.');
    parts[3] = b64(bytes(parts[3]).map((byte, i) => (i === 100 ? byte ^ 1 : byte)));
    const damaged = { ...(await knownOf(record)), ticket: parts.join('.') };
    expect((await assist(world, await makeRequest(damaged, signMembers()))).json.code).toBe('bad_ticket');
  });

  it('claim 23: sends the encrypted share with the request; the assistant keeps none', async () => {
    const { world, record, device } = await start();
    await device.sign(data, { password: PASSWORD });
    const { sent, asked } = await lastAssist(world);
    expect(sent.ticket).toBe(record.ticket);
    expect(asked).not.toHaveProperty('d2');
    // Without it the assistant has nothing to help with, though it helped a moment ago.
    const { body } = await makeRequest(await knownOf(record), signMembers());
    const { ticket: _ticket, ...without } = body;
    expect((await post(world, '/assist', without)).json.code).toBe('invalid_request');
  });

  it('claim 24: completes the operation with the assistant’s part, s = ν · em^d1 mod N, and checks it', async () => {
    const { world, record, device } = await start();
    const signature = await device.sign(data, { alg: 'PS384', password: PASSWORD });
    const { asked, answer } = await lastAssist(world);
    const em = encoded(asked);
    const nu = number(answer['nu']);
    const s = (nu * power(em, os2ip(await shareBytes(record, key.length)), key.n)) % key.n;
    expect(i2osp(s, 256)).toEqual(signature);
    expect(power(s, key.e, key.n)).toBe(em);
    // ν alone is none, and another's ν completes nothing.
    const options = {
      key: publicKeyOf(device.jwk),
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 48,
    };
    expect(verify('sha384', data, options, signature)).toBe(true);
    expect(verify('sha384', data, options, bytes(answer['nu']))).toBe(false);
    const mismatched = deviceOf(world, { ...record, salt: b64(random(32)) });
    await expect(mismatched.sign(data, { password: PASSWORD })).rejects.toMatchObject({
      code: 'wrong_password',
    });
  });

  it('claim 25: decrypts: what any JOSE library encrypted to its public key, and nothing else', async () => {
    const { world, device, jwe } = await startDecrypting();
    expect(await device.decrypt(jwe, { password: PASSWORD })).toEqual(data);
    const wrapped = await messageTo(device.jwk, 'ECDH-ES+A256KW');
    expect(await device.decrypt(wrapped, { password: PASSWORD })).toEqual(data);
    const stranger = deviceOf(world, (await enrolElgamal(world)).record);
    await expect(stranger.decrypt(jwe, { password: PASSWORD })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(device.decrypt(jwe, { password: 'wrong' })).rejects.toMatchObject({
      code: 'wrong_password',
    });
  });

  it('claim 26: by ElGamal: μ = ν · w^x1, the assistant’s part proven, on P-256 and in the groups of RFC 7919', async () => {
    const { world, record, device } = await startDecrypting();
    const ephemeral = createECDH('prime256v1');
    const w = ephemeral.generateKeys();
    const part = (from: number) => w.subarray(from, from + 32).toString('base64url');
    const known = await knownOf(record);
    const asking = { op: 'decrypt', payload: { w: b64(w) } };
    const { opened } = await assist(world, await makeRequest(known, asking));
    const nu = p256.decode(bytes(opened?.['nu'])) as GroupElement;
    const x1 = os2ip(await shareBytes(record, 32)) % p256.q;
    const base = p256.decode(w) as GroupElement;
    const mu = p256.multiply(nu, p256.exp(base, x1));
    // The Diffie-Hellman secret as node:crypto has it, from the other side.
    const d = b64(i2osp(os2ip(ephemeral.getPrivateKey()), 32));
    const privateKey = createPrivateKey({
      key: { kty: 'EC', crv: 'P-256', x: part(1), y: part(33), d },
      format: 'jwk',
    });
    const z = diffieHellman({ privateKey, publicKey: publicKeyOf(device.jwk) });
    expect(Buffer.from(p256.secret(mu))).toEqual(z);
    expect(Buffer.from(p256.secret(nu))).not.toEqual(z);
    expect(opened?.['proof']).toEqual({ c: expect.any(String), s: expect.any(String) });

    const field = deviceOf(world, (await enrolElgamal(world, 'ffdhe2048')).record);
    const message = await encryptTo(field.jwk, data);
    expect(await field.decrypt(message, { password: PASSWORD })).toEqual(data);
    await expect(device.decrypt(message, { password: PASSWORD })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  it('claim 27: signs: in every algorithm of RSA that JOSE has, verified by jose', async () => {
    const { device } = await start();
    await device.unlockShared(PASSWORD);
    for (const alg of ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const) {
      const jws = await device.signJws(data, { alg });
      const { payload } = await compactVerify(jws, await importJWK({ ...device.jwk }, alg));
      expect(payload).toEqual(data);
      const forged = jws.replace(/\.[\w-]+\./, `.${b64(random(10))}.`);
      await expect(compactVerify(forged, await importJWK({ ...device.jwk }, alg))).rejects.toThrow();
    }
  });

  it('claim 28: by RSA: the signature is one that OpenSSL and OpenSSH verify', async () => {
    const { device } = await start();
    await device.unlockShared(PASSWORD);
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-claim-'));
    const file = (name: string, contents: Uint8Array | string) => {
      writeFileSync(path.join(folder, name), contents);
      return path.join(folder, name);
    };
    try {
      if (!isAbsent('openssl')) {
        const pem = file('key.pem', publicKeyOf(device.jwk).export({ format: 'pem', type: 'spki' }));
        const signature = file('signature', await device.sign(data, { alg: 'RS256' }));
        const args = ['dgst', '-sha256', '-verify', pem, '-signature', signature];
        expect(spawnSync('openssl', args, { input: data }).status).toBe(0);
        expect(spawnSync('openssl', args, { input: 'another document' }).status).toBe(1);
      }
      if (!isAbsent('ssh-keygen')) {
        const sign = (bytes: Uint8Array, alg: string) => device.sign(bytes, { alg: alg as 'RS512' });
        const signature = file('sig', await sshSignature(data, 'file', device.jwk, sign));
        const signers = file('signers', `ada ${sshPublicKey(device.jwk)}\n`);
        const args = ['-Y', 'verify', '-n', 'file', '-I', 'ada', '-f', signers, '-s', signature];
        const { stdout, status } = spawnSync('ssh-keygen', args, { input: data, encoding: 'utf8' });
        expect([status, stdout]).toEqual([0, expect.stringContaining('Good "file" signature for ada')]);
        expect(spawnSync('ssh-keygen', args, { input: 'another document' }).status).not.toBe(0);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the assistant', () => {
  it('claim 29 (shared keys): helps devices that it has never heard of, and knows nothing of them afterwards', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-claim-'));
    const file = path.join(folder, 'store.db');
    const store = new SqliteStore(file);
    try {
      const world = await startAssistant({ store, workers: { size: 1 } });
      const empty = readFileSync(file);
      const { record } = await enrolRsa(world);
      const group = await enrolElgamal(world);
      expect(new Set(world.traffic.map(({ url }) => new URL(url).pathname))).toEqual(
        new Set(['/assistant/keys']),
      );
      expect(readFileSync(file).equals(empty)).toBe(true);
      expect(await deviceOf(world, record).sign(data, { password: PASSWORD })).toHaveLength(256);
      const reader = deviceOf(world, group.record);
      expect(await reader.decrypt(await messageTo(reader.jwk), { password: PASSWORD })).toEqual(data);
      const marks = [];
      for await (const mark of store.exportMarks()) marks.push(mark);
      expect(marks).toEqual([]);
      for (const event of world.events) {
        expect(event).toMatchObject({ type: 'assisted', failedSince: { count: 0, last: null } });
        expect(await store.forget((event as { id: string }).id)).toBe(true);
      }
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('claim 30: gets ticket and request, does its half of the operation, and cannot do the other', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const { record } = await enrolRsa(world, key);
    const known = await knownOf(record);
    const digest = createHash('sha256').update(data).digest();
    const asking = { op: 'sign', payload: { alg: 'RS256', digest: b64(digest) } };
    const { status, opened } = await assist(world, await makeRequest(known, asking));
    expect(status).toBe(200);
    expect(Object.keys(opened ?? {}).sort()).toEqual(['failedSince', 'jti', 'lastUsed', 'nu', 'op', 'v']);
    const ticket = await openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe');
    const em = encoded(asking.payload);
    const nu = number(opened?.['nu']);
    expect(nu).toBe(power(em, number(ticket['d2']), key.n));
    // All that it holds, in every role a signature or exponent could have: none is one.
    const held = [nu, ...['d2', 'a', 'b', 'u'].map((name) => number(ticket[name]))];
    for (const value of held) {
      expect(power(value, key.e, key.n)).not.toBe(em);
      expect(power(em, value, key.n)).not.toBe(power(em, key.d, key.n));
    }
    const publicKey = publicKeyOf(record.jwk);
    expect(verify('sha256', data, publicKey, bytes(opened?.['nu']))).toBe(false);
  });

  it('claim 31 (shared keys): ignores what is asked after it was told to, even if it was asked before', async () => {
    const { world, kit, device } = await start();
    const jobs = holdJobs();
    const inFlight = device.sign(data, { password: PASSWORD }).catch((error: unknown) => error);
    await jobs.arrived();
    await disable(kit);
    jobs.release();
    expect(await inFlight).toMatchObject({ code: 'disabled' });
    const { asked, answer } = await lastAssist(world);
    expect(asked['op']).toBe('sign');
    expect(answer).toEqual({
      v: 1,
      op: 'sign',
      jti: asked['jti'],
      code: 'disabled',
      now: expect.any(Number),
    });
  });
});

describe('assistant and device as two processes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'rk-sharing-process-'));
  let assistant: AssistantProcess;
  let url: string;

  const remote = () => ({
    url,
    fetch: globalThis.fetch,
    enrolment: { assistant: url, password: PASSWORD, kdf: CHEAP_KDF },
  });

  beforeAll(async () => {
    assistant = await startAssistantProcess(folder);
    ({ url } = assistant);
  }, 60_000);
  afterAll(async () => {
    await assistant.kill();
    rmSync(folder, { recursive: true });
  });

  it('claim 32: the assistant is a server, in a process of its own, and signs and decrypts with a client in another', async () => {
    const world = remote();
    const device = deviceOf(world, (await enrolRsa(world)).record);
    expect(Buffer.from(await device.sign(data, { alg: 'RS256', password: PASSWORD }))).toEqual(
      nodeSign('sha256', data, key.pkcs8),
    );
    await expect(device.sign(data, { password: 'wrong' })).rejects.toMatchObject({ code: 'wrong_password' });
    const reader = deviceOf(world, (await enrolElgamal(world)).record);
    expect(await reader.decrypt(await messageTo(reader.jwk), { password: PASSWORD })).toEqual(data);
  });

  it('claim 33: processor and memory do it: a fresh process with nothing but the stored record and the password', async () => {
    const { record } = await enrolRsa(remote());
    const code = `
      import { Device } from '${await compiledModules()}device/device.js';
      const { record, password } = JSON.parse(process.env.TASK);
      const device = new Device(record, { assistant: record.assistant.url, purposes: ['sign'] });
      const data = new TextEncoder().encode('a document');
      console.log(Buffer.from(await device.sign(data, { alg: 'RS256', password })).toString('base64url'));`;
    const run = (task: object) => outputOf(code, { TASK: JSON.stringify(task) });
    const [done, refused] = await Promise.all([
      run({ record, password: PASSWORD }),
      run({ record, password: 'wrong' }),
    ]);
    expect(done).toBe(nodeSign('sha256', data, key.pkcs8).toString('base64url'));
    expect(refused).toBe('');
  });

  it('claim 34 (shared keys): a disabled key stays disabled when the assistant is killed right after it has said so', async () => {
    const world = remote();
    const signing = await enrolRsa(world);
    const reading = await enrolElgamal(world);
    const other = await enrolRsa(world, rsaKey('other2048'));
    const device = deviceOf(world, signing.record);
    const reader = deviceOf(world, reading.record);
    const jwe = await messageTo(reader.jwk);
    await device.sign(data, { password: PASSWORD });
    for (const { kit } of [signing, reading]) await disable(kit);
    await assistant.restart();
    await expect(device.sign(data, { password: PASSWORD })).rejects.toMatchObject({ code: 'disabled' });
    await expect(reader.decrypt(jwe, { password: PASSWORD })).rejects.toMatchObject({ code: 'disabled' });
    expect(await deviceOf(world, other.record).sign(data, { password: PASSWORD })).toHaveLength(256);
  });
});
