import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { os2ip } from '../../lib/math/integer.ts';
import { complementShare, elgamalDeviceShare, rsaDeviceShare } from '../../lib/math/shares.ts';

describe('additive shares', () => {
  it('add up to the secret modulo the order, whatever the device share', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 1n << 300n }),
        fc.bigInt({ min: 0n, max: 1n << 300n }),
        fc.bigInt({ min: 2n, max: 1n << 256n }),
        (secret, share, order) => {
          const complement = complementShare(secret, share, order);
          expect(complement >= 0n && complement < order).toBe(true);
          expect((share + complement) % order).toBe(secret % order);
        },
      ),
    );
  });

  it('come from password material of one length', () => {
    const f = new Uint8Array(272).fill(255);
    expect(rsaDeviceShare(f, 256)).toBe(os2ip(f));
    expect(elgamalDeviceShare(new Uint8Array(48).fill(255), { q: 1009n, scalarLength: 32 })).toBe(
      ((1n << 384n) - 1n) % 1009n,
    );
    expect(() => rsaDeviceShare(f, 384)).toThrow(RangeError);
    expect(() => rsaDeviceShare(f.subarray(1), 256)).toThrow(RangeError);
    expect(() => elgamalDeviceShare(f, { q: 1009n, scalarLength: 32 })).toThrow(RangeError);
  });
});
