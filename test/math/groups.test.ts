import { checkPrimeSync, createECDH } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AnyGroup, findGroup, GROUP_NAMES, safePrimeOf } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { jacobi, power } from '../../lib/math/modular.ts';
import { p256 } from '../../lib/math/p256.ts';

const groups = GROUP_NAMES.map((name) => findGroup(name) as AnyGroup);
/** Runs of a property: the large groups are slow in BigInt. */
const runs = (group: AnyGroup) => ({
  numRuns: group.name === 'P-256' ? 20 : group.scalarLength <= 256 ? 3 : 1,
});
const scalar = (group: AnyGroup) => fc.bigInt({ min: 1n, max: group.q - 1n });

describe.each(groups.map((group) => [group.name, group] as const))('%s', (_, group) => {
  it('obeys the laws of a group of order q', () => {
    const { generator: g, q } = group;
    fc.assert(
      fc.property(scalar(group), scalar(group), (a, b) => {
        const [x, y] = [group.exp(g, a), group.exp(g, b)];
        expect(group.equals(group.multiply(x, y), group.multiply(y, x))).toBe(true);
        expect(group.equals(group.multiply(x, y), group.exp(g, a + b))).toBe(true);
        expect(group.equals(group.exp(x, b), group.exp(y, a))).toBe(true);
        expect(group.isIdentity(group.multiply(x, group.invert(x)))).toBe(true);
        expect(group.equals(group.exp(g, -a), group.invert(x))).toBe(true);
      }),
      runs(group),
    );
    expect(group.isIdentity(group.exp(g, q))).toBe(true);
    expect(group.isIdentity(group.exp(g, 0n))).toBe(true);
    expect(group.equals(group.exp(g, q + 1n), g)).toBe(true);
    expect(group.isIdentity(group.exp(group.exp(g, 0n), 5n))).toBe(true);
  });

  it('has a prime order, and lengths that fit', () => {
    expect(checkPrimeSync(group.q, { checks: 1 })).toBe(true);
    expect(() => i2osp(group.q, group.scalarLength)).not.toThrow();
    expect(() => i2osp(group.q, group.scalarLength - 1)).toThrow(RangeError);
  });

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(scalar(group), (a) => {
        const x = group.exp(group.generator, a);
        const bytes = group.encode(x);
        expect(bytes).toHaveLength(group.elementLength);
        expect(group.equals(group.decode(bytes) ?? group.generator, x)).toBe(true);
        expect(group.secret(x)).toHaveLength(group.secretLength);
      }),
      runs(group),
    );
  });

  it('neither writes nor reads the identity', () => {
    expect(() => group.encode(group.exp(group.generator, 0n))).toThrow(RangeError);
  });

  it('refuses other lengths', () => {
    const bytes = group.encode(group.generator);
    expect(group.decode(bytes)).toBeDefined();
    expect(group.decode(bytes.subarray(1))).toBeUndefined();
    expect(group.decode(Uint8Array.of(...bytes, 0))).toBeUndefined();
    expect(group.decode(Uint8Array.of(0, ...bytes))).toBeUndefined();
    expect(group.decode(new Uint8Array())).toBeUndefined();
    expect(group.decode(new Uint8Array(group.elementLength))).toBeUndefined();
    expect(group.decode(new Uint8Array(group.elementLength).fill(255))).toBeUndefined();
  });
});

describe('P-256 encodings', () => {
  const bytes = new Uint8Array(createECDH('prime256v1').generateKeys());
  const changed = (at: number, value: number) => bytes.map((byte, i) => (i === at ? value : byte));

  it('are uncompressed alone', () => {
    expect(p256.decode(bytes)).toBeDefined();
    const compressed = Uint8Array.of(2 + ((bytes[64] as number) & 1), ...bytes.subarray(1, 33));
    expect(p256.decode(compressed)).toBeUndefined();
    for (const tag of [0, 2, 3, 5, 6, 7]) expect(p256.decode(changed(0, tag))).toBeUndefined();
    expect(p256.decode(Uint8Array.of(0))).toBeUndefined();
  });

  it('are on the curve, their coordinates below the prime', () => {
    expect(p256.decode(changed(64, (bytes[64] as number) ^ 1))).toBeUndefined();
    const prime = (1n << 256n) - (1n << 224n) + (1n << 192n) + (1n << 96n) - 1n;
    // b is a square, so that the point with x = 0 exists; x = p is another spelling of it.
    const y = os2ip(
      new Uint8Array(Buffer.from('66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4', 'hex')),
    );
    const spelled = (x: bigint) => Uint8Array.of(4, ...i2osp(x, 32), ...i2osp(y, 32));
    expect(p256.decode(spelled(0n))).toBeDefined();
    expect(p256.decode(spelled(prime))).toBeUndefined();
  });
});

describe('RFC 7919', () => {
  it.each([
    ['ffdhe2048', 2048, 560_316n],
    ['ffdhe3072', 3072, 2_625_351n],
    ['ffdhe4096', 4096, 5_736_041n],
  ] as const)('%s: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1', (name, b, x) => {
    const bits = BigInt(b);
    const p = (1n << bits) - (1n << (bits - 64n)) + ((floorOfE(b - 130) + x) << 64n) - 1n;
    expect(safePrimeOf({ name })).toBe(p);
    // Pocklington with base 2, whose q = (p - 1) / 2 is tested above: 2^(p-1) = 1 mod p and gcd(2^2 - 1, p) = 1, so p is prime.
    expect(power(2n, p - 1n, p)).toBe(1n);
    expect(p % 3n).not.toBe(0n);
  });

  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'])('%s: takes squares between 1 and p - 1 alone', (name) => {
    const group = findGroup(name) as AnyGroup;
    const p = safePrimeOf(group) as bigint;
    const decode = (n: bigint) => group.decode(i2osp(n, group.elementLength));
    for (const outside of [0n, 1n, p - 1n, p, p + 2n, p - 2n]) expect(decode(outside)).toBeUndefined();
    expect(jacobi(p - 2n, p)).toBe(-1);
    expect(decode(4n)).toBe(4n);
    const nonSquare = [3n, 5n, 7n, 11n, 13n, 17n, 19n].find((n) => jacobi(n, p) === -1) as bigint;
    expect(decode(nonSquare)).toBeUndefined();
    expect(decode(p - nonSquare)).toBe(p - nonSquare);
  });

  it('is found by its exact names alone', () => {
    for (const name of ['ffdhe1024', 'ffdhe6144', 'FFDHE2048', 'P-384', 'p-256', '', '__proto__']) {
      expect(findGroup(name)).toBeUndefined();
    }
    expect(safePrimeOf({ name: 'P-256' })).toBeUndefined();
  });
});

/** floor(2^bits · e), by the series of 1/k!. */
function floorOfE(bits: number): bigint {
  const extra = 256n;
  let term = 1n << (BigInt(bits) + extra);
  let sum = term;
  for (let k = 1n; term !== 0n; k++) {
    term /= k;
    sum += term;
  }
  return sum >> extra;
}
