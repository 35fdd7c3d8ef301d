import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inverse, jacobi, mod, power } from '../../lib/math/modular.ts';

const big = fc.bigInt({ min: 0n, max: 1n << 256n });
const modulus = fc.bigInt({ min: 2n, max: 1n << 256n });
const ODD_PRIMES = [3n, 5n, 7n, 11n, 13n, 101n, 257n, 65_537n, (1n << 127n) - 1n];

describe('modular arithmetic', () => {
  it('reduces to between 0 and the modulus', () => {
    expect(mod(-1n, 7n)).toBe(6n);
    expect(mod(14n, 7n)).toBe(0n);
  });

  it('raises to powers as repeated multiplication does', () => {
    fc.assert(
      fc.property(big, fc.integer({ min: 0, max: 300 }), modulus, (base, exponent, n) => {
        expect(power(base, BigInt(exponent), n)).toBe(base ** BigInt(exponent) % n);
      }),
    );
  });

  it('turns sums of exponents into products', () => {
    fc.assert(
      fc.property(big, big, big, modulus, (base, a, b, n) => {
        expect(power(base, a + b, n)).toBe((power(base, a, n) * power(base, b, n)) % n);
      }),
    );
  });

  it('refuses what has no power', () => {
    expect(() => power(2n, -1n, 7n)).toThrow(RangeError);
    expect(() => power(2n, 1n, 1n)).toThrow(RangeError);
    expect(power(0n, 0n, 7n)).toBe(1n);
    expect(power(10n, 1n, 7n)).toBe(3n);
    expect(power(-1n, 1n, 7n)).toBe(6n);
  });

  it('inverts, or says that there is no inverse', () => {
    fc.assert(
      fc.property(big, modulus, (a, n) => {
        const found = inverse(a, n);
        if (found === undefined) return;
        expect((found * a) % n).toBe(1n);
        expect(found < n && found >= 0n).toBe(true);
      }),
    );
    expect(inverse(6n, 9n)).toBeUndefined();
    expect(inverse(0n, 9n)).toBeUndefined();
    expect(inverse(2n, 9n)).toBe(5n);
  });

  it("tells squares from the rest as Euler's criterion does", () => {
    fc.assert(
      fc.property(big, fc.constantFrom(...ODD_PRIMES), (a, p) => {
        const euler = power(a, (p - 1n) / 2n, p);
        expect(mod(BigInt(jacobi(a, p)), p)).toBe(euler);
      }),
    );
  });

  it('multiplies Jacobi symbols over composite moduli', () => {
    fc.assert(
      fc.property(big, fc.constantFrom(...ODD_PRIMES), fc.constantFrom(...ODD_PRIMES), (a, p, q) => {
        expect(jacobi(a, p * q)).toBe(jacobi(a, p) * jacobi(a, q) || 0);
      }),
    );
    expect(() => jacobi(1n, 8n)).toThrow(RangeError);
    expect(() => jacobi(1n, -3n)).toThrow(RangeError);
  });
});
