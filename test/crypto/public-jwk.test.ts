import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { base64url, calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { readPublicJwk, thumbprint } from '../../lib/crypto/keys/public-jwk.ts';

/** RFC 8037 appendix A.2 and RFC 7638 section 3.1; the P-256 key of RFC 7515 appendix A.3. */
const ED25519 = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const P256 = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
const RSA = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
};
const DH = { kty: 'DH', group: 'ffdhe2048', y: base64url.encode(new Uint8Array(256).fill(7)) };

const edit = (text: string, change: (bytes: Uint8Array) => Uint8Array) =>
  base64url.encode(change(base64url.decode(text)));
const resize = (text: string, length: number) =>
  edit(text, (bytes) => Uint8Array.from({ length }, (_, i) => bytes[i] ?? 1));

describe('public JWKs', () => {
  it.each([ED25519, P256, RSA, DH])('reads $kty', async (jwk) => {
    expect(await readPublicJwk(JSON.parse(JSON.stringify(jwk)))).toStrictEqual(jwk);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'AAAA'],
    ['an array', [ED25519]],
    ['no kty', { crv: 'Ed25519', x: ED25519.x }],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['X25519', { ...ED25519, crv: 'X25519' }],
    ['P-384', { ...P256, crv: 'P-384' }],
    ['another group', { ...DH, group: 'ffdhe6144' }],
    ['a member too many', { ...ED25519, kid: 'a' }],
    ['a private member', { ...ED25519, d: ED25519.x }],
    ['a private member of RSA', { ...RSA, d: RSA.n }],
    ['a private member of DH', { ...DH, x: DH.y }],
    ['a missing member', { kty: 'EC', crv: 'P-256', x: P256.x }],
    ['a number for a text', { ...RSA, e: 65537 }],
    ['padding', { ...ED25519, x: `${ED25519.x}=` }],
    ['stray bits', { ...ED25519, x: `${ED25519.x.slice(0, -1)}p` }],
    ['a short point', { ...ED25519, x: resize(ED25519.x, 31) }],
    ['a long coordinate', { ...P256, y: resize(P256.y, 33) }],
    ['a point off the curve', { ...P256, y: edit(P256.y, (b) => b.fill((b[31] as number) ^ 1, 31)) }],
    ['the point (0, 0)', { ...P256, x: resize('', 32).replace(/./g, 'A'), y: 'A'.repeat(43) }],
    ['a modulus of 2040 bits', { ...RSA, n: resize(RSA.n, 255) }],
    ['a modulus of 2047 bits', { ...RSA, n: edit(RSA.n, (b) => b.fill(0x7f, 0, 1)) }],
    ['a modulus of 8200 bits', { ...RSA, n: resize(RSA.n, 1025) }],
    ['an even modulus', { ...RSA, n: edit(RSA.n, (b) => b.fill(2, 255)) }],
    ['a modulus with a leading zero', { ...RSA, n: edit(RSA.n, (b) => Uint8Array.of(0, ...b)) }],
    ['e = 3', { ...RSA, e: 'Aw' }],
    ['an even e', { ...RSA, e: 'AQAC' }],
    ['e with a leading zero', { ...RSA, e: 'AAEAAQ' }],
    ['e of nine bytes', { ...RSA, e: resize('', 9) }],
    ['an endless modulus', { ...RSA, n: 'A'.repeat(1_000_000) }],
    ['y of another length', { ...DH, y: resize(DH.y, 255) }],
    ['y of another group', { ...DH, group: 'ffdhe3072' }],
  ])('refuses %s', async (_, value) => {
    await expect(readPublicJwk(value)).rejects.toMatchObject({ code: 'bad_key' });
  });

  it('refuses Ed25519 points under which anybody could sign, and second spellings', async () => {
    // Every multiple of a point of order 8, in each spelling of 32 bytes that stands for it.
    const order8 = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    const encodings = Array.from({ length: 8 }, (_, k) =>
      (k === 0 ? ed25519.Point.ZERO : order8.multiplyUnsafe(BigInt(k))).toBytes(),
    );
    expect(order8.multiplyUnsafe(8n).is0()).toBe(true);
    expect(new Set(encodings.map((bytes) => base64url.encode(bytes))).size).toBe(8);
    const shifted = Array.from({ length: 19 }, (_, k) => {
      const bytes = new Uint8Array(32).fill(0xff); // p + k, for k below 19
      bytes[0] = 0xed + k;
      bytes[31] = 0x7f;
      return bytes;
    });
    for (const bytes of [...encodings, ...shifted]) {
      for (const sign of [0, 0x80]) {
        const x = base64url.encode(bytes.map((byte, i) => (i === 31 ? (byte & 0x7f) | sign : byte)));
        await expect(readPublicJwk({ ...ED25519, x })).rejects.toMatchObject({ code: 'bad_key' });
      }
    }
  });

  it('takes every Ed25519 key that there is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (seed) => {
        const x = base64url.encode(ed25519.getPublicKey(seed));
        expect(await readPublicJwk({ ...ED25519, x })).toEqual({ ...ED25519, x });
      }),
      { numRuns: 50 },
    );
  });

  it('answers anything with a key or with bad_key', async () => {
    const member = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.constantFrom(ED25519.x, P256.y, RSA.n, 'AQAB'),
    );
    const shaped = fc.record(
      {
        kty: fc.constantFrom('OKP', 'EC', 'RSA', 'DH', '__proto__'),
        crv: fc.constantFrom('Ed25519', 'P-256'),
        group: fc.constantFrom('ffdhe2048', 'constructor'),
        x: member,
        y: member,
        n: member,
        e: member,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything({ withNullPrototype: true }), shaped), async (value) => {
        await readPublicJwk(value).catch((error: unknown) => {
          expect(isRoamingKeyError(error, 'bad_key')).toBe(true);
        });
      }),
    );
  });
});

describe('thumbprints', () => {
  it('are those of RFC 7638 and RFC 8037', async () => {
    expect(await thumbprint(await readPublicJwk(RSA))).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
    expect(await thumbprint(await readPublicJwk(ED25519))).toBe(
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    );
  });

  it('take the members of DH in lexicographic order', async () => {
    const jwk = await readPublicJwk({ y: DH.y, kty: 'DH', group: 'ffdhe2048' });
    const text = `{"group":"ffdhe2048","kty":"DH","y":"${DH.y}"}`;
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
    expect(await thumbprint(jwk)).toBe(base64url.encode(new Uint8Array(hash)));
  });

  it('agree with jose on P-256', async () => {
    expect(await thumbprint(await readPublicJwk(P256))).toBe(await calculateJwkThumbprint(P256));
  });
});
