import { expect, it } from 'vitest';
import { fromBase64url, toBase64url } from '../../lib/base/bytes.ts';

it.each([8191, 8192, 8193, 100_000])('base64url of %i bytes is what Node makes of them', (length) => {
  const bytes = new Uint8Array(length).map((_, i) => i * 7 + (i >> 8));
  const text = Buffer.from(bytes).toString('base64url');
  expect(toBase64url(bytes)).toBe(text);
  expect(fromBase64url(text)).toEqual(bytes);
});
