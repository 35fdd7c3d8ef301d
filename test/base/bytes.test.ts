import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concat,
  equalBytes,
  fromBase64url,
  randomBytes,
  toBase64url,
  utf8,
  wipe,
  xor,
} from '../../lib/base/bytes.ts';

const bytes = fc.uint8Array({ maxLength: 80 });

describe('base64url', () => {
  it('is what Node writes and reads', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = toBase64url(value);
        expect(text).toBe(Buffer.from(value).toString('base64url'));
        expect(fromBase64url(text)).toEqual(new Uint8Array(value));
      }),
    );
  });

  it('has one spelling for every value: whatever else is read by others is refused', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 24 }),
        fc.nat(),
        fc.constantFrom('=', '==', ' ', '\n', '+', '/', '\0', 'é'),
        (text, at, stray) => {
          const read = fromBase64url(text);
          if (read) expect(toBase64url(read)).toBe(text);
          const spelled = toBase64url(utf8(text));
          const from = at % (spelled.length + 1);
          expect(fromBase64url(spelled.slice(0, from) + stray + spelled.slice(from))).toBeUndefined();
        },
      ),
    );
  });

  it.each(['A', 'AAAAA', 'AB', 'AAB', '=', 'AA==', 'AA=', ' AA', 'AA\n', 'A+', 'A/'])(
    'refuses %j',
    (text) => {
      expect(fromBase64url(text)).toBeUndefined();
    },
  );

  it.each([8191, 8192, 8193, 100_000])('is right for %d bytes too', (length) => {
    const value = new Uint8Array(length).map((_, i) => (i * 7) ^ (i >> 8));
    expect(toBase64url(value)).toBe(Buffer.from(value).toString('base64url'));
    expect(fromBase64url(toBase64url(value))).toEqual(value);
  });

  it('knows the empty string as no bytes', () => {
    expect(fromBase64url('')).toEqual(new Uint8Array(0));
  });
});

describe('bytes', () => {
  it('are joined, compared and combined', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Buffer.from(concat(a, b))).toEqual(Buffer.concat([a, b]));
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(equalBytes(a, new Uint8Array(a))).toBe(true);
        if (a.length === b.length) expect(xor(xor(a, b), b)).toEqual(new Uint8Array(a));
        else expect(() => xor(a, b)).toThrow(RangeError);
      }),
    );
  });

  it('differ by any one bit', () => {
    const a = randomBytes(32);
    for (let bit = 0; bit < 256; bit++) {
      const b = new Uint8Array(a);
      b[bit >> 3] = (b[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(equalBytes(a, b)).toBe(false);
    }
  });

  it('are wiped where they lie, also in part of a buffer', () => {
    const all = new Uint8Array(8).fill(7);
    wipe(all.subarray(2, 4), undefined);
    expect([...all]).toEqual([7, 7, 0, 0, 7, 7, 7, 7]);
  });

  it('are fresh each time', () => {
    const seen = new Set(Array.from({ length: 200 }, () => toBase64url(randomBytes(16))));
    expect(seen.size).toBe(200);
  });
});
