import { createHash, createPublicKey, verify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  isSignatureLength,
  readSentJwk,
  readStoredJwk,
  verifySignature,
} from '../../lib/strategy/public-key.ts';
import { TestKey } from './support.ts';

const DATA = new TextEncoder().encode('a login');

/** Signs with the private key 1, whose public key is the curve's generator. */
function signWithOne(data: Uint8Array): { jwk: object; signature: Uint8Array } {
  const { BASE, Fn } = ed25519.Point;
  const a = BASE.toBytes();
  const r = 123_456_789n;
  const R = BASE.multiply(r).toBytes();
  const k = Fn.create(bytesToNumberLE(createHash('sha512').update(R).update(a).update(data).digest()));
  const signature = new Uint8Array([...R, ...numberToBytesLE(Fn.create(r + k), 32)]);
  return { jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(a).toString('base64url') }, signature };
}

describe('a signature', () => {
  it.each(['Ed25519', 'ES256', 'PS256', 'RS256'] as const)(
    'by the key counts, and by no other: %s',
    (alg) => {
      const key = new TestKey(alg);
      const good = key.sign('a login');
      expect(verifySignature(alg, key.jwk, DATA, good)).toBe(true);
      expect(verifySignature(alg, new TestKey(alg).jwk, DATA, good)).toBe(false);
      expect(verifySignature(alg, undefined, DATA, good)).toBe(false);
      expect(verifySignature(alg, key.jwk, new Uint8Array(), good)).toBe(false);
      good[10] = (good[10] as number) ^ 1;
      expect(verifySignature(alg, key.jwk, DATA, good)).toBe(false);
    },
  );

  it('under a stand-in for a missing key proves nothing, though anybody can make one', () => {
    const edwards = signWithOne(DATA);
    const one = createPublicKey({ key: edwards.jwk as never, format: 'jwk' });
    expect(verify(null, DATA, one, edwards.signature)).toBe(true);
    expect(verifySignature('Ed25519', undefined, DATA, edwards.signature)).toBe(false);

    const scalar = new Uint8Array(32);
    scalar[31] = 1;
    const signature = p256.sign(DATA, scalar, { lowS: false });
    expect(p256.verify(signature, DATA, p256.getPublicKey(scalar), { lowS: false })).toBe(true);
    expect(verifySignature('ES256', undefined, DATA, signature)).toBe(false);
  });

  it('of any length and content is judged without an error', () => {
    const rsa = new TestKey('PS256');
    for (const length of [256, 257, 300, 384, 512, 1024])
      for (const byte of [0x00, 0x01, 0xff])
        for (const alg of ['PS256', 'RS256'] as const) {
          expect(isSignatureLength(alg, length)).toBe(true);
          expect(verifySignature(alg, rsa.jwk, DATA, new Uint8Array(length).fill(byte))).toBe(false);
          expect(verifySignature(alg, undefined, DATA, new Uint8Array(length).fill(byte))).toBe(false);
        }
  });
});

describe('a public key', () => {
  it.each(['Ed25519', 'ES256', 'PS256'] as const)('has the thumbprint of RFC 7638: %s', async (alg) => {
    const { jwk } = new TestKey(alg);
    expect(readSentJwk(jwk)?.jkt).toBe(await calculateJwkThumbprint({ ...jwk }));
  });

  it('of an independent implementation has the thumbprint found there', async () => {
    const { readFileSync } = await import('node:fs');
    const path = new URL('../vectors/login-keys.json', import.meta.url);
    const { keys } = JSON.parse(readFileSync(path, 'utf8')) as { keys: { jwk: object; jkt: string }[] };
    expect(keys).toHaveLength(2);
    for (const { jwk, jkt } of keys) expect(readStoredJwk(jwk)?.jkt).toBe(jkt);
  });

  it('that is stored may bear more members than it needs, one that is sent may not', () => {
    const { jwk } = new TestKey('ES256');
    const more = { ...jwk, alg: 'ES256', use: 'sig', key_ops: ['verify'], ext: true };
    expect(readStoredJwk(more)).toEqual(readStoredJwk(jwk));
    expect(readSentJwk(more)).toBeUndefined();
  });

  it.each([
    undefined,
    null,
    1,
    'x',
    [],
    {},
    { kty: 'oct', k: 'AA' },
    { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) },
  ])('is not %o', (jwk) => {
    expect(readStoredJwk(jwk)).toBeUndefined();
    expect(readSentJwk(jwk)).toBeUndefined();
  });
});
