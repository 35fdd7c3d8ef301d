import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitLength, byteLength, i2osp, os2ip } from '../../lib/math/integer.ts';

describe('integers as bytes', () => {
  it('come back as they went, at the width asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(i2osp(os2ip(bytes), bytes.length)).toEqual(bytes);
      }),
    );
    expect(i2osp(258n, 4)).toEqual(Uint8Array.of(0, 0, 1, 2));
    expect(os2ip(new Uint8Array())).toBe(0n);
  });

  it('throw where a number does not fit, instead of cutting it off', () => {
    expect(i2osp(255n, 1)).toEqual(Uint8Array.of(255));
    expect(() => i2osp(256n, 1)).toThrow(RangeError);
    expect(() => i2osp(-1n, 1)).toThrow(RangeError);
    expect(() => i2osp(1n, 0)).toThrow(RangeError);
  });

  it('know their length', () => {
    expect([0n, 1n, 255n, 256n].map(bitLength)).toEqual([0, 1, 8, 9]);
    expect(byteLength(1n << 2047n)).toBe(256);
    expect(byteLength(1n << 2048n)).toBe(257);
    expect(() => bitLength(-1n)).toThrow(RangeError);
  });
});
