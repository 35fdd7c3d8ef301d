import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import express from 'express';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import type { PublicJwk } from '../../lib/crypto/keys/public-jwk.ts';
import { isProofInput, prove, type Signer } from '../../lib/device/login-proof.ts';
import { listen } from '../support/world.ts';

const encode = (value: string | object) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const input = (header: string | object, payload: string | object = {}) =>
  new TextEncoder().encode(`${encode(header)}.${encode(payload)}`);

async function makeSigner(): Promise<Signer> {
  const { privateKey, publicKey } = (await crypto.subtle.generateKey('Ed25519', true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
  const { kty, crv, x } = (await crypto.subtle.exportKey('jwk', publicKey)) as Record<string, string>;
  return {
    alg: 'Ed25519',
    jwk: { kty, crv, x } as PublicJwk,
    sign: async (data) => new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, data)),
  };
}

/** An app that answers a challenge as it likes and keeps the proofs it gets. */
async function startApp(challenge: unknown = { challenge: 'nonce', expiresIn: 120, now: 1000 }) {
  const proofs: string[] = [];
  const headers: unknown[] = [];
  const app = express().use(express.json());
  app.post('/login/challenge', (req, res) => {
    headers.push(req.headers);
    res.json(challenge);
  });
  app.post('/login', (req, res) => {
    proofs.push((req.body as { proof: string }).proof);
    res.json({ ok: true });
  });
  return { origin: await listen(app), proofs, headers };
}

const read = (proof: string) =>
  proof
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ];

describe('a proof', () => {
  it('says who, where and when, in the app’s time, and is signed', async () => {
    const signer = await makeSigner();
    const { origin, proofs } = await startApp();
    const url = `${origin}/login`;
    await prove(signer, { type: 'login' }, { url, account: 'ada' }, {});
    await prove(signer, { type: 'register', u: 'name' }, { url, account: 'ada' }, {});
    const [login, register] = proofs.map(read);
    const kid = await calculateJwkThumbprint({ ...signer.jwk } as JsonWebKey);
    expect(login).toEqual([
      { alg: 'Ed25519', typ: 'rk-login+jwt', kid },
      {
        aud: origin,
        sub: 'ada',
        nonce: 'nonce',
        iat: 1000,
        exp: 1120,
        jti: expect.stringMatching(/^[\w-]{22}$/),
      },
    ]);
    expect(register?.[0]).toEqual({ alg: 'Ed25519', typ: 'rk-register+jwt', jwk: signer.jwk, kid });
    expect(register?.[1]).toMatchObject({ u: 'name' });
    expect(register?.[1]?.['jti']).not.toBe(login?.[1]?.['jti']);
    const [head, payload, signature = ''] = (proofs[0] as string).split('.');
    const key = createPublicKey({ key: signer.jwk as JsonWebKey, format: 'jwk' });
    expect(verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(
      true,
    );
  });

  it('is for the origin that the caller names, whatever the app answers', async () => {
    const signer = await makeSigner();
    const { origin, proofs } = await startApp({
      challenge: 'nonce',
      expiresIn: 120,
      now: 1000,
      aud: 'https://bank.example',
      sub: 'root',
    });
    await prove(signer, { type: 'login' }, { url: `${origin}/login`, account: 'ada' }, {});
    expect(read(proofs[0] as string)[1]).toMatchObject({ aud: origin, sub: 'ada' });
  });

  it('is not made for an app that says it takes proofs for another origin; the error names both', async () => {
    const signer = await makeSigner();
    const audience = 'https://bank.example';
    const { origin, proofs } = await startApp({ challenge: 'nonce', expiresIn: 120, now: 1000, audience });
    const party = { url: `${origin}/login`, account: 'ada' };
    const error = await prove(signer, { type: 'login' }, party, {}).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining(audience) });
    expect((error as Error).message).toContain(origin);
    expect(proofs).toEqual([]);
    await prove(signer, { type: 'login' }, { ...party, audience }, {});
    expect(read(proofs[0] as string)[1]).toMatchObject({ aud: audience });
  });

  it('lives two minutes at most, however long the app would have it', async () => {
    const signer = await makeSigner();
    for (const [expiresIn, exp] of [
      [1, 1001],
      [120, 1120],
      [1_000_000, 1120],
    ]) {
      const { origin, proofs } = await startApp({ challenge: 'nonce', expiresIn, now: 1000 });
      await prove(signer, { type: 'login' }, { url: `${origin}/login`, account: 'ada' }, {});
      expect(read(proofs[0] as string)[1]['exp']).toBe(exp);
    }
  });

  it.each<[string, unknown]>([
    ['none', {}],
    ['empty', { challenge: '', expiresIn: 120, now: 1000 }],
    ['no text', { challenge: { $gt: '' }, expiresIn: 120, now: 1000 }],
    ['without end', { challenge: 'x'.repeat(1025), expiresIn: 120, now: 1000 }],
    ['of no time', { challenge: 'nonce', expiresIn: 120 }],
    ['over', { challenge: 'nonce', expiresIn: 0, now: 1000 }],
    ['of a broken time', { challenge: 'nonce', expiresIn: 1.5, now: 1000 }],
  ])('is not made for a challenge that is %s', async (_name, challenge) => {
    const { origin, proofs } = await startApp(challenge);
    await expect(
      prove(await makeSigner(), { type: 'login' }, { url: `${origin}/login`, account: 'ada' }, {}),
    ).rejects.toMatchObject({ code: 'bad_response' });
    expect(proofs).toEqual([]);
  });

  it('is not sent in clear to another machine', async () => {
    const signer = await makeSigner();
    for (const options of [
      { url: 'http://app.example/login', account: 'ada' },
      { url: 'https://app.example/login', challengeUrl: 'http://app.example/c', account: 'ada' },
      { url: 'https://app.example/login?next=/', account: 'ada' },
    ]) {
      await expect(prove(signer, { type: 'login' }, options, {})).rejects.toThrow(TypeError);
    }
  });

  it('goes with the headers that the caller gives', async () => {
    const { origin, headers } = await startApp();
    const options = { url: `${origin}/login`, account: 'ada', headers: { 'x-invited': 'yes' } };
    await prove(await makeSigner(), { type: 'login' }, options, {});
    expect(headers[0]).toMatchObject({ 'x-invited': 'yes', 'content-type': 'application/json' });
  });
});

describe('data that would pass for a proof', () => {
  it.each<[string, Uint8Array]>([
    ['a login', input({ alg: 'Ed25519', typ: 'rk-login+jwt', kid: 'x' }, { aud: 'x' })],
    ['a registration', input({ typ: 'rk-register+jwt' })],
    ['a typ to come', input({ typ: 'rk-anything' })],
    ['another case', input({ typ: 'RK-Login+JWT' })],
    ['the long form', input({ typ: 'application/rk-login+jwt' })],
    ['blanks around', input({ typ: ' rk-login+jwt ' })],
    ['escapes', input('{"\\u0074yp":"\\u0072k-login+jwt"}')],
    ['blanks between', input('{ "typ" : "rk-login+jwt" }')],
    ['a BOM', input('\ufeff{"typ":"rk-login+jwt"}')],
    ['the last of two', input('{"typ":"x","typ":"rk-login+jwt"}')],
    ['no payload', new TextEncoder().encode(`${encode({ typ: 'rk-login+jwt' })}.`)],
    [
      'an unencoded payload',
      new TextEncoder().encode(`${encode({ typ: 'rk-login+jwt', b64: false, crit: ['b64'] })}.a.b`),
    ],
    ['a list of one', input({ typ: ['rk-login+jwt'] })],
    ['padding', new TextEncoder().encode(`${Buffer.from('{"typ":"rk-x"} ').toString('base64')}.e30`)],
  ])('%s is refused', (_name, data) => {
    expect(isProofInput(data)).toBe(true);
  });

  it('the first of two is refused too, since readers differ', () => {
    expect(isProofInput(input('{"typ":"rk-login+jwt","typ":"x"}'))).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['bytes', new Uint8Array([0xff, 0x2e, 0xff])],
    ['a text with a point', new TextEncoder().encode('rk-login. A story')],
    ['another token', input({ alg: 'ES256', typ: 'JWT' })],
    ['no typ', input({ alg: 'ES256' })],
    ['a typ that is a number', input({ typ: 5 })],
    ['a typ that has it inside', input({ typ: 'x-rk-login+jwt' })],
    ['null', input('null')],
    ['a number', input('5')],
  ])('%s is signed', (_name, data) => {
    expect(isProofInput(data)).toBe(false);
  });
});
