import { describe, expect, it } from 'vitest';
import { fromBase64url, toBase64url, utf8 } from '../../lib/base/bytes.ts';
import { concatKdf } from '../../lib/crypto/jwe/concat-kdf.ts';
import { hex, toHex, vectors } from '../support/vectors.ts';

const { derivations } = vectors;

describe('Concat KDF', () => {
  it('gives the key of RFC 7518 appendix C', async () => {
    const z = fromBase64url('nlbZHYFxNdNyg0KDv4QmnPsxbqPagGpI9tqneYz-kMQ') as Uint8Array;
    const key = await concatKdf(z, { algorithm: 'A128GCM', bits: 128, apu: utf8('Alice'), apv: utf8('Bob') });
    expect(toBase64url(key)).toBe('VqqN6vgjbSBcIijNcacQGg');
  });

  it('equals the independent implementation', async () => {
    const { Z, alg, bits, out } = derivations.concatKdf;
    const key = await concatKdf(hex(Z), { algorithm: alg, bits });
    expect(toHex(key)).toBe(out);
  });

  it('goes on for keys longer than the hash, and binds all it is given', async () => {
    const z = new Uint8Array(32).fill(17);
    const long = await concatKdf(z, { algorithm: 'A256CBC-HS512', bits: 512 });
    expect(long).toHaveLength(64);
    expect(long.slice(0, 32)).not.toEqual(long.slice(32));
    const contexts = [
      { algorithm: 'A256GCM', bits: 256 },
      { algorithm: 'A128CBC-HS256', bits: 256 },
      { algorithm: 'A256GCM', bits: 256, apu: utf8('ab') },
      { algorithm: 'A256GCM', bits: 256, apv: utf8('ab') },
      { algorithm: 'A256GCM', bits: 256, apu: utf8('a'), apv: utf8('b') },
    ];
    const keys = await Promise.all(contexts.map((context) => concatKdf(z, context)));
    expect(new Set(keys.map((key) => toBase64url(key))).size).toBe(contexts.length);
  });
});
