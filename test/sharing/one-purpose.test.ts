/** One key, one purpose (docs/protocol.md section 8): what is signed for an app must not log its signer in elsewhere. */
import { sign as nodeSign } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { post } from '../attacks/support.ts';
import { PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';
import { argon2id, countJobs, deviceOf, enrolRsa, rsaKey } from './support.ts';

const TYPES = ['rk-login+jwt', 'rk-register+jwt'] as const;
const utf8 = (text: string) => new TextEncoder().encode(text);
const toBase64url = (data: string | Uint8Array) => Buffer.from(data as string).toString('base64url');
const refused = expect.objectContaining({ code: 'refused' });

/** A key that both logs in and signs: where one of the two could pass for the other. */
async function start(purposes: ('login' | 'sign')[] = ['login', 'sign']) {
  const world = await startAssistant({ workers: { size: 1 } });
  const { record } = await enrolRsa(world);
  const device = deviceOf(world, record, { purposes });
  await device.unlockShared(PASSWORD);
  return { world, record, device };
}

/** Signing inputs by which some verifier or other might be logged in to, however lax it is. */
function inputsOf(typ: string): [string, string | Uint8Array][] {
  const claims = toBase64url('{"aud":"https://app.example"}');
  const json = JSON.stringify({ alg: 'PS256', typ, kid: 'x' });
  const escaped = typ.replace(/./g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const upper = JSON.stringify({ alg: 'PS256', typ: typ.toUpperCase() });
  // Lengths that need padding, and a spelling with the bits that base64 leaves unused.
  const loose = toBase64url(`${json}${' '.repeat((3 - ((json.length + 2) % 3)) % 3)}`);
  const header = (text: string | Uint8Array) => `${toBase64url(text)}.${claims}`;
  const utf16 = Buffer.from(json, 'utf16le');
  const utf32 = Buffer.from(Array.from(json, (c) => [0, 0, 0, c.charCodeAt(0)]).flat());
  return [
    ['as this package writes it', header(json)],
    ['without claims', `${toBase64url(json)}.`],
    ['with a signature behind', `${header(json)}.AAAA`],
    [
      'with bytes for claims, as b64: false has it',
      Buffer.concat([utf8(`${toBase64url(json)}.`), Buffer.of(0, 255)]),
    ],
    ['with a media type in full', header(JSON.stringify({ typ: `application/${typ}` }))],
    ['with a media type in full and in other case', header(JSON.stringify({ typ: `APPlication/${typ}` }))],
    ['with a parameter', header(JSON.stringify({ typ: `${typ}; charset=utf-8` }))],
    ['in upper case', header(upper)],
    ['with blanks before it', header(JSON.stringify({ typ: ` \t${typ}` }))],
    ['with blanks around everything', header(`\n { "typ" :\r\n\t"${typ}" }  `)],
    ['in escapes', header(`{"typ":"${escaped}"}`)],
    ['in upper-case escapes', header(`{"typ":"${escaped.replace(/[a-f]/g, (c) => c.toUpperCase())}"}`)],
    ['under a name in escapes', header(`{"\\u0074y\\u0070":"${typ}"}`)],
    ['under a name in other case', header(`{"Typ":"${typ}"}`)],
    ['twice, the last one harmless', header(`{"typ":"${typ}","typ":"JWT"}`)],
    ['twice, the first one harmless', header(`{"typ":"JWT","typ":"${typ}"}`)],
    ['twice, the names in two spellings', header(`{"typ":"${typ}","\\u0074yp":"JWT"}`)],
    ['twice, a number between', header(`{"x":1,":":1,"typ":"${typ}","typ":"JWT"}`)],
    ['behind strings with quotes', header(`{"a":"\\"","b":"\\\\","typ":"${typ}","typ":"JWT"}`)],
    ['in a list', header(`{"typ":["${typ}"]}`)],
    ['last of many members', header(JSON.stringify({ list: Array(500).fill({ typ: 'x' }), typ }))],
    ['behind a byte order mark', header(`\ufeff${json}`)],
    ['behind characters of several bytes', header(`{"kid":"é€😀","typ":"${typ}"}`)],
    ['in UTF-16', header(utf16)],
    ['in UTF-16 with its mark', header(Buffer.concat([Buffer.of(255, 254), utf16]))],
    ['in UTF-16, the other way round', header(Buffer.from(utf16).swap16())],
    ['in UTF-32', header(utf32)],
    ['in base64 with padding', `${Buffer.from(`${json} `).toString('base64')}.${claims}`],
    ['with too much padding', `${toBase64url(json)}====.${claims}`],
    [
      'with something behind the padding',
      `${Buffer.from(loose, 'base64url').toString('base64')}==QUJD.${claims}`,
    ],
    [
      'in the other alphabet',
      `${Buffer.from(JSON.stringify({ typ, k: '???>>>~~~' })).toString('base64')}.${claims}`,
    ],
    ['with blanks in base64', ` ${(toBase64url(json).match(/.{1,7}/g) ?? []).join('\r\n ')}\t.${claims}`],
    [
      'with foreign characters in base64',
      `${(toBase64url(json).match(/.{1,7}/g) ?? []).join('*')}.${claims}`,
    ],
    [
      'with a character too many',
      `${toBase64url(json)}${'A'.repeat((5 - (toBase64url(json).length % 4)) % 4)}.${claims}`,
    ],
  ];
}

describe('a key that logs in and signs', () => {
  it.each(TYPES)('signs nothing that a lax reader takes for %s', async (typ) => {
    const { device } = await start();
    const count = countJobs();
    for (const [name, input] of inputsOf(typ)) {
      const data = typeof input === 'string' ? utf8(input) : input;
      await expect(device.sign(data, { alg: 'PS256' }), name).rejects.toEqual(refused);
    }
    // Refused here, without asking anybody.
    expect(count.jobs).toEqual([]);
    vi.restoreAllMocks();
  });

  it('signs what only looks like it', async () => {
    const { device } = await start();
    const head = (header: object) => toBase64url(JSON.stringify(header));
    for (const input of [
      'rk-login+jwt',
      'no dot at all',
      '.',
      '..',
      'a sentence. And {"typ":"rk-login+jwt"}',
      '{"typ":"rk-login+jwt"}.{}',
      `.${head({ typ: 'rk-login+jwt' })}`,
      `${head({ typ: 'JWT', kid: 'rk-login+jwt' })}.e30`,
      `${head({ typ: 'trk-login+jwt' })}.e30`,
      `${head({ typ: 'application/jwt', note: '"typ":"rk-login+jwt"' })}.e30`,
      `${head({ type: 'rk-login+jwt' })}.e30`,
      `${toBase64url('"typ":"rk-login+jwt"')}.e30`,
      `${toBase64url('{"typ":"rk-login+jwt"')}.e30`,
      // What would have to be looked at first is what a JWS has first.
      `${head({ typ: 'JWT' })}.${toBase64url('{"typ":"rk-login+jwt"}')}`,
    ]) {
      expect(await device.sign(utf8(input), { alg: 'RS256' })).toHaveLength(256);
    }
  });

  it('signs no JWS whose header says that it is a proof, in whatever way the caller puts it', async () => {
    const { device } = await start();
    for (const header of [
      { typ: 'rk-login+jwt' },
      { typ: 'RK-LOGIN+JWT' },
      { typ: 'application/rk-register+jwt' },
      { typ: ['rk-login+jwt'] },
      { typ: { toJSON: () => 'rk-login+jwt' } },
      { toJSON: () => ({ alg: 'PS256', typ: 'rk-login+jwt' }) },
      Object.defineProperty({}, 'typ', { enumerable: true, get: () => 'rk-login+jwt' }),
    ]) {
      await expect(device.signJws('{}', { header })).rejects.toEqual(refused);
    }
    const jws = await device.signJws('{}', { header: { typ: 'JWT' } });
    expect(JSON.parse(Buffer.from(jws.split('.')[0] as string, 'base64url').toString())).toMatchObject({
      alg: 'PS256',
      typ: 'JWT',
    });
  });

  it('signs no bare digest, whose message nobody has seen', async () => {
    const { device } = await start();
    const digest = new Uint8Array(32);
    await expect(device.sign({ digest }, { alg: 'PS256' })).rejects.toThrow('bare digest');
    const signer = (await start(['sign'])).device;
    expect(await signer.sign({ digest }, { alg: 'PS256' })).toHaveLength(256);
  });

  it('signs what was looked at, even if the caller changes his buffer afterwards', async () => {
    const { device } = await start();
    const proof = inputsOf('rk-login+jwt')[0]?.[1] as string;
    const harmless = utf8('x'.repeat(proof.length));
    const data = new Uint8Array(harmless);
    const signing = device.sign(data, { alg: 'RS256' });
    data.set(utf8(proof));
    expect(await signing).toEqual(await device.sign(harmless, { alg: 'RS256' }));
    const alone = (await start(['sign'])).device;
    const digest = new Uint8Array(32).fill(1);
    const ofDigest = alone.sign({ digest }, { alg: 'RS256' });
    digest.fill(2);
    expect(await ofDigest).toEqual(
      await alone.sign({ digest: new Uint8Array(32).fill(1) }, { alg: 'RS256' }),
    );
  });
});

describe('what a device was not made for', () => {
  it('it refuses as the mistake of a programmer', async () => {
    const { world, record } = await start();
    const login = deviceOf(world, record, { purposes: ['login'] });
    await expect(login.sign(utf8('x'), { password: PASSWORD })).rejects.toThrow(TypeError);
    await expect(login.signJws('x', { password: PASSWORD })).rejects.toThrow("purposes must include 'sign'");
    const byDefault = new Device(record, { assistant: world.url, argon2id });
    await expect(byDefault.sign(utf8('x'), { password: PASSWORD })).rejects.toThrow(TypeError);
    const sign = deviceOf(world, record, { purposes: ['sign'] });
    const party = { url: 'http://127.0.0.1:1/login', account: 'ada', password: PASSWORD };
    await expect(sign.login(party)).rejects.toThrow("purposes must include 'login'");
    await expect(sign.register(party)).rejects.toThrow("purposes must include 'login'");
    expect(() => deviceOf(world, record, { purposes: ['decrypt' as 'sign'] })).toThrow(TypeError);
  });

  it('a shared key signs in no algorithm of another kind of key', async () => {
    const { device } = await start();
    for (const alg of ['Ed25519', 'ES256', 'none', 'HS256', 'RSA-OAEP-256', '__proto__']) {
      await expect(device.sign(utf8('x'), { alg: alg as 'PS256' }), alg).rejects.toThrow(TypeError);
    }
    for (const digest of [new Uint8Array(), new Uint8Array(31), new Uint8Array(64)]) {
      const alone = (await start(['sign'])).device;
      await expect(alone.sign({ digest }, { alg: 'PS256' })).rejects.toThrow('32 bytes');
    }
  });
});

describe('at a relying party', () => {
  /** An app where the key of `device` is registered, and what a thief would like to have signed for it. */
  async function enter() {
    const { device } = await start();
    const rp = await startRelyingParty(new MemoryStore());
    const url = `${rp.origin}/register`;
    const invited = { account: 'ada', headers: { 'x-invited': 'ada' } };
    await device.register({ url, ...invited, password: PASSWORD, alg: 'RS256' });
    const kid = await calculateJwkThumbprint({ ...device.jwk });
    /** The signing input of a proof for a fresh challenge, its header's JSON spelled by `spell`. */
    const wanted = async (spell: (json: string) => string) => {
      const { challenge, now } = (await post({ url: rp.origin }, '/login/challenge', {})).json;
      const iat = now as number;
      const claims = { aud: rp.origin, sub: 'ada', nonce: challenge, iat, exp: iat + 60, jti: 'x' };
      const json = JSON.stringify({ alg: 'RS256', typ: 'rk-login+jwt', kid });
      return `${spell(json)}.${toBase64url(JSON.stringify(claims))}`;
    };
    const login = (proof: string) => post({ url: rp.origin }, '/login', { proof });
    // The whole key, which only this test has.
    const { pkcs8 } = rsaKey('rsa2048');
    const whole = (input: string) => toBase64url(nodeSign('sha256', Buffer.from(input), pkcs8));
    return { device, wanted, login, whole };
  }

  it('nothing that the device signs for others opens the door, however the header is spelled', async () => {
    const { device, wanted, login, whole } = await enter();
    const twice = (first: string, last: string) => (json: string) =>
      toBase64url(json.replace('"typ":"rk-login+jwt"', `"typ":"${first}","typ":"${last}"`));
    const spellings: [string, (json: string) => string][] = [
      ['typ twice, harmless last', twice('rk-login+jwt', 'JWT')],
      ['typ twice, harmless first', twice('JWT', 'rk-login+jwt')],
      ['typ twice', twice('rk-login+jwt', 'rk-login+jwt')],
      ['UTF-16', (json) => toBase64url(Buffer.from(json, 'utf16le'))],
      ['padding', (json) => `${toBase64url(json)}=`],
      ['a byte order mark', (json) => toBase64url(`\ufeff${json}`)],
      ['upper case', (json) => toBase64url(json.replace('rk-login+jwt', 'RK-LOGIN+JWT'))],
      ['a media type', (json) => toBase64url(json.replace('rk-login', 'application/rk-login'))],
      ['a list', (json) => toBase64url(json.replace('"rk-login+jwt"', '["rk-login+jwt"]'))],
      ['blanks in base64', (json) => ` ${toBase64url(json)}`],
      ['blanks in typ', (json) => toBase64url(json.replace('rk-login', ' rk-login'))],
    ];
    for (const [name, spell] of spellings) {
      const input = await wanted(spell);
      await expect(device.sign(utf8(input), { alg: 'RS256' }), name).rejects.toEqual(refused);
      // Even signed, it would be no proof: the app reads less than the device refuses to sign.
      const { status, json } = await login(`${input}.${whole(input)}`);
      expect([status, json.code], name).toEqual([400, 'invalid_request']);
    }
  });

  it('what the app takes for a proof is not signed, in any of the spellings that it takes', async () => {
    const { device, wanted, login, whole } = await enter();
    for (const spell of [
      (json: string) => json,
      (json: string) => `\n${json} `,
      (json: string) => json.replace('{', '{ '),
      (json: string) => json.replace('rk-login', '\\u0072k-login'),
      (json: string) => json.replace('"typ"', '"\\u0074yp"'),
    ]) {
      const input = await wanted((json) => toBase64url(spell(json)));
      await expect(device.sign(utf8(input), { alg: 'RS256' })).rejects.toEqual(refused);
      expect((await login(`${input}.${whole(input)}`)).status).toBe(200);
    }
  });

  it('a signature that was made for something else is worth nothing here', async () => {
    const { device, wanted, login } = await enter();
    const input = await wanted(toBase64url);
    const claims = Buffer.from(input.split('.')[1] as string, 'base64url');
    const jws = await device.signJws(claims, { alg: 'RS256' });
    expect((await login(jws)).json.code).toBe('invalid_request');
    expect((await login(`${input}.${jws.split('.')[2]}`)).json.code).toBe('refused');
  });
});
