import { execFileSync } from 'node:child_process';
import { checkPrimeSync, generatePrimeSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import {
  checkRsaNumbers,
  checkRsaPrimes,
  generateRsaKey,
  type RsaBits,
  type RsaComponents,
  rsaComponents,
  rsaPublicJwk,
} from '../../lib/crypto/keys/rsa-key.ts';
import { isAbsent } from '../support/binaries.ts';
import { pem, pkcs1, pkcs8 } from '../support/der.ts';

// Drawing primes and running other programs takes as long as it takes.
interface Numbers extends RsaComponents {
  readonly dp: bigint;
  readonly dq: bigint;
  readonly qi: bigint;
}

const prime = (bits: number) => generatePrimeSync(bits, { bigint: true });
const random = (bits: number) =>
  BigInt(`0x${randomBytes(bits / 8).toString('hex')}`) | (3n << BigInt(bits - 2)) | 1n;
const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

/** The inverse of `a` modulo `m`, or 0 where there is none. */
function inverse(a: bigint, m: bigint): bigint {
  let [r, s, x, y] = [m, a % m, 0n, 1n];
  while (s !== 0n) [r, s, x, y] = [s, r % s, y, x - (r / s) * y];
  return r === 1n ? ((x % m) + m) % m : 0n;
}

/** A key that is consistent, whatever p and q are. */
function keyOf(p: bigint, q: bigint, e = 65537n, modulus = (p - 1n) * (q - 1n)): Numbers {
  const d = inverse(e, modulus);
  return { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
}

function consistent(draw: () => bigint, e = 65537n): Numbers {
  for (;;) {
    const key = keyOf(draw(), draw(), e);
    if (key.d !== 0n && key.qi !== 0n) return key;
  }
}

const text = (value: bigint) => {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex').toString('base64url');
};
const jwkOf = ({ n, e, d, p, q, dp, dq, qi }: Numbers) => ({
  kty: 'RSA' as const,
  n: text(n),
  e: text(e),
  d: text(d),
  p: text(p),
  q: text(q),
  dp: text(dp),
  dq: text(dq),
  qi: text(qi),
});
const derOf = ({ n, e, d, p, q, dp, dq, qi }: Numbers) => pkcs1(0n, n, e, d, p, q, dp, dq, qi);

const good = consistent(() => prime(1024));
const components = { n: good.n, e: good.e, d: good.d, p: good.p, q: good.q };

describe('RSA keys as numbers', () => {
  it('are the same from every form', async () => {
    const forms = [
      pem('RSA PRIVATE KEY', derOf(good)),
      pem('PRIVATE KEY', pkcs8(derOf(good))),
      pkcs8(derOf(good)),
      jwkOf(good),
      { ...jwkOf(good), kid: 'mine', alg: 'PS256', use: 'sig', key_ops: ['sign'], ext: true },
      await crypto.subtle.importKey('jwk', jwkOf(good), { name: 'RSA-OAEP', hash: 'SHA-1' }, true, [
        'decrypt',
      ]),
    ];
    for (const form of forms) expect(await rsaComponents(form)).toEqual(components);
    expect(rsaPublicJwk(components)).toEqual({ kty: 'RSA', n: text(good.n), e: 'AQAB' });
  });

  it('take d modulo φ(n) and modulo lcm(p−1, q−1)', async () => {
    const [p1, q1] = [good.p - 1n, good.q - 1n];
    const short = keyOf(good.p, good.q, 65537n, (p1 * q1) / gcd(p1, q1));
    expect(short.d).toBeLessThan(good.d + 1n);
    expect((await rsaComponents(jwkOf(short))).d).toBe(short.d);
  });

  it.each<RsaBits>([2048, 3072])('are generated with %i bits', async (bits) => {
    const key = await generateRsaKey(bits);
    expect(key.n.toString(2)).toHaveLength(bits);
    expect(key.p * key.q).toBe(key.n);
    expect((key.e * key.d) % (key.p - 1n)).toBe(1n);
    expect((key.e * key.d) % (key.q - 1n)).toBe(1n);
    checkRsaPrimes(key);
  });

  it('are not generated in other sizes', async () => {
    await expect(generateRsaKey(1024 as RsaBits)).rejects.toThrow(RangeError);
  });

  it('have 2048 to 8192 bits', () => {
    // Random odd factors: sizes are judged before primality.
    const largest = consistent(() => random(4096));
    expect(largest.n.toString(2)).toHaveLength(8192);
    expect(checkRsaNumbers(jwkOf(largest)).n).toBe(largest.n);
    expect(derOf(largest).length).toBeLessThan(8160);
    const longer = consistent(() => random(4104));
    expect(() => checkRsaNumbers(jwkOf(longer))).toThrow(expect.objectContaining({ code: 'bad_key' }));
  });
});

/** An INTEGER as careless programs write it: a set top bit makes it negative. */

describe('hostile RSA keys', () => {
  const { n, e, d, p, q, dp, dq, qi } = good;
  const near = (() => {
    let next = p + 2n;
    while (!checkPrimeSync(next) || inverse(e, next - 1n) === 0n) next += 2n;
    return keyOf(p, next);
  })();
  const unbalanced = (() => {
    const sizes = [1600, 512];
    return consistent(() => {
      const bits = sizes.shift() as number;
      sizes.push(bits);
      return prime(bits);
    });
  })();
  const fitsOne = d + (p - 1n) < n ? d + (p - 1n) : d - (p - 1n);

  it.each<[string, Numbers]>([
    ['1024 bits', consistent(() => prime(512))],
    ['e = 3', consistent(() => prime(1024), 3n)],
    ['e = 1', keyOf(p, q, 1n)],
    ['an even e', { ...good, e: 65538n }],
    ['e of 33 bits', consistent(() => prime(1024), 2n ** 32n + 1n)],
    ['e of 2048 bits', { ...good, e: d, d: e, dp: e % (p - 1n), dq: e % (q - 1n) }],
    ['d that is another', { ...good, d: d + 2n }],
    ['d with consistent CRT numbers that is another', { ...good, d: d + 2n, dp: dp + 2n, dq: dq + 2n }],
    ['d that fits one prime alone', { ...good, d: fitsOne, dq: fitsOne % (q - 1n) }],
    ['d beyond n', { ...good, d: d + (p - 1n) * (q - 1n) * 2n }],
    ['another dp', { ...good, dp: dp ^ 2n }],
    ['another dq', { ...good, dq: dq ^ 2n }],
    ['dp that is not reduced', { ...good, dp: dp + p - 1n }],
    ['another qi', { ...good, qi: qi ^ 2n }],
    ['qi that is not reduced', { ...good, qi: qi + p }],
    ['primes in the wrong order for qi', { ...good, p: q, q: p, dp: dq, dq: dp }],
    ['n of other primes', { ...good, n: n + 2n }],
    ['p = n and q = 1', { ...good, p: n, q: 1n, dp: d, dq: 1n }],
    ['p = 1 and q = n', { ...good, p: 1n, q: n, dp: 1n, dq: d, qi: 1n }],
    [
      'p = q',
      { ...keyOf(p, p), d: inverse(e, p - 1n), dp: inverse(e, p - 1n), dq: inverse(e, p - 1n), qi: 1n },
    ],
    ['factors so close that √n finds them', near],
    ['a factor so small that it is found', unbalanced],
    ['a composite factor', consistent(() => prime(512) * prime(512))],
    ['a factor that is even', keyOf(p, prime(1025) - 1n)],
  ])('with %s are refused', async (_, key) => {
    for (const form of [jwkOf(key), pkcs8(derOf(key)), pem('RSA PRIVATE KEY', derOf(key))]) {
      await expect(rsaComponents(form)).rejects.toMatchObject({ code: 'bad_key' });
    }
  });

  it.each([
    ['zero for d', pkcs1(0n, n, e, 0n, p, q, dp, dq, qi)],
    ['a negative n', pkcs1(0n, -n, e, d, p, q, dp, dq, qi)],
    ['two negative primes', pkcs1(0n, n, e, d, -p, -q, dp, dq, qi)],
    ['a negative d', pkcs1(0n, n, e, d - (p - 1n) * (q - 1n), p, q, dp, dq, qi)],
    ['version 1', pkcs1(1n, n, e, d, p, q, dp, dq, qi)],
    ['a number too many', pkcs1(0n, n, e, d, p, q, dp, dq, qi, 1n)],
    ['a number too few', pkcs1(0n, n, e, d, p, q, dp, dq)],
    ['surplus bytes', new Uint8Array([...derOf(good), 0])],
    ['10000 bits', derOf(consistent(() => random(5000)))],
    ['60000 bits', pkcs1(0n, 2n ** 60000n - 1n, e, d, p, q, dp, dq, qi)],
    ['nothing in it', pkcs1()],
  ])('with %s are refused', async (_, key) => {
    for (const form of [pkcs8(key), pem('RSA PRIVATE KEY', key)]) {
      await expect(rsaComponents(form)).rejects.toMatchObject({ code: 'bad_key' });
    }
  });

  it('with more or fewer members in the JWK are refused', async () => {
    const { qi: _qi, ...short } = jwkOf(good);
    const { p: _p, q: _q, dp: _dp, dq: _dq, ...shortest } = short;
    const third = { ...jwkOf(good), oth: [{ r: 'AQAB', d: 'AQAB', t: 'AQAB' }] };
    const padded = {
      ...jwkOf(good),
      d: Buffer.concat([Buffer.of(0), Buffer.from(jwkOf(good).d, 'base64url')]),
    };
    for (const jwk of [short, shortest, third, { ...padded, d: padded.d.toString('base64url') }]) {
      await expect(rsaComponents(jwk)).rejects.toMatchObject({ code: 'bad_key' });
    }
  });

  it('that are Carmichael numbers or strong pseudoprimes do not pass for primes', () => {
    // 3215031751 is a strong pseudoprime to bases 2, 3, 5 and 7; the others are Carmichael numbers.
    for (const composite of [561n, 41041n, 825265n, 3215031751n, 1590231231043178376951698401n]) {
      expect(() => checkRsaPrimes({ p: composite, q: 65537n })).toThrow('not prime');
    }
    for (const small of [5n, 7n, 65537n, 2n ** 127n - 1n]) checkRsaPrimes({ p: small, q: small });
  });

  it.skipIf(isAbsent('openssl'))('with three primes are refused', async () => {
    for (const form of [['-traditional'], []]) {
      const key = execFileSync('openssl', ['genrsa', '-primes', '3', ...form, '2048'], { stdio: 'pipe' });
      await expect(rsaComponents(key)).rejects.toMatchObject({
        code: 'bad_key',
        message: expect.stringContaining('two primes'),
      });
    }
  });

  it('of other kinds are refused', async () => {
    const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    await expect(rsaComponents(privateKey)).rejects.toMatchObject({ code: 'bad_key' });
  });

  it('never end in anything but bad_key', async () => {
    const bytes = pkcs8(derOf(good));
    // Version 2 of PKCS#8 may do without a public key (RFC 5958 section 2), and so is the same key.
    const isOtherVersion = (at: number, bits: number) => at === 6 && bits === 1;
    const change = fc.record({ at: fc.nat(bytes.length - 1), bits: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, bits }) => {
        fc.pre(!isOtherVersion(at, bits));
        const error: unknown = await rsaComponents(
          bytes.map((byte, i) => (i === at ? byte ^ bits : byte)),
        ).catch((e: unknown) => e);
        expect(isRoamingKeyError(error, 'bad_key')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
