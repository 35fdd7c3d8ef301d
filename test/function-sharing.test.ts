import { createPublicKey, verify } from 'node:crypto';
import { CompactEncrypt, compactVerify, importJWK } from 'jose';
import { expect, it } from 'vitest';
import { Device } from '../lib/device/device.ts';
import { encryptTo } from '../lib/device/encrypt-to.ts';
import { enroll } from '../lib/device/enroll.ts';
import { inEarnest, PASSWORD, startAssistant, startRelyingParty } from './support/world.ts';

it('a shared RSA key signs, and logs in', async () => {
  const world = await startAssistant();
  const rp = await startRelyingParty(world.store);
  const url = `${rp.origin}/login`;
  const { record } = await enroll({
    ...inEarnest(world.enrolment),
    scheme: 'rsa',
    register: [{ url: `${rp.origin}/register`, account: 'ada', headers: { 'x-invited': 'ada' } }],
  });
  const device = new Device(record, { assistant: world.url, purposes: ['login', 'sign'] });
  const data = new TextEncoder().encode('a document');
  const signature = await device.sign(data, { alg: 'RS256', password: PASSWORD });
  const publicKey = createPublicKey({ key: { ...device.jwk }, format: 'jwk' });
  expect(verify('sha256', data, publicKey, signature)).toBe(true);

  await device.unlockShared(PASSWORD);
  const jws = await device.signJws('hello', { alg: 'PS512' });
  const { payload } = await compactVerify(jws, await importJWK({ ...device.jwk }, 'PS512'));
  expect(new TextDecoder().decode(payload)).toBe('hello');
  expect((await device.login({ url, account: 'ada' })).body).toEqual({ user: { account: 'ada' } });
});

it.each(['P-256', 'ffdhe2048'] as const)('a shared key in %s decrypts', async (key) => {
  const world = await startAssistant();
  const { record } = await enroll({ ...inEarnest(world.enrolment), scheme: 'elgamal', key });
  const device = new Device(record, { assistant: world.url });
  const text = new TextEncoder().encode('a secret');
  const jwe = await encryptTo(device.jwk, text);
  expect(await device.decrypt(jwe, { password: PASSWORD })).toEqual(text);
  if (device.jwk.kty !== 'EC') return;
  const theirs = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A128CBC-HS256' })
    .encrypt(await importJWK({ ...device.jwk }, 'ECDH-ES+A256KW'));
  expect(await device.decrypt(theirs, { password: PASSWORD })).toEqual(text);
});
