import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ContentEncryption,
  contentEncryptionLengths,
  isContentEncryption,
  openContent,
  sealContent,
  unwrapKey,
} from '../../lib/crypto/jwe/jwe-content.ts';

const ENCS = ['A128GCM', 'A192GCM', 'A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'] as const;
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const damaged = expect.objectContaining({ code: 'invalid_request' });

function material(enc: ContentEncryption) {
  const { cekLength, ivLength } = contentEncryptionLengths(enc);
  return { cek: new Uint8Array(randomBytes(cekLength)), iv: new Uint8Array(randomBytes(ivLength)) };
}

describe.each(ENCS)('content encrypted with %s', (enc) => {
  it('opens to what was sealed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.uint8Array(), async (plaintext, aad) => {
        const { cek, iv } = material(enc);
        const sealed = await sealContent(enc, cek, iv, aad, plaintext);
        expect(sealed.tag).toHaveLength(contentEncryptionLengths(enc).tagLength);
        expect(await openContent(enc, cek, aad, sealed)).toEqual(plaintext);
      }),
      { numRuns: 10 },
    );
  });

  it('does not open with anything changed', async () => {
    const { cek, iv } = material(enc);
    const aad = new Uint8Array(randomBytes(20));
    const sealed = await sealContent(enc, cek, iv, aad, new Uint8Array(40));
    const flipped = (data: Uint8Array, at = data.length - 1) =>
      data.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const attempts = [
      () => openContent(enc, flipped(cek, 0), aad, sealed),
      // The second half is AES's own with CBC: the tag does not depend on it, and wrong padding fits once in 256 times.
      () => openContent(enc, flipped(cek, cek.length / 2 - 1), aad, sealed),
      () => openContent(enc, cek, flipped(aad), sealed),
      () => openContent(enc, cek, aad, { ...sealed, iv: flipped(sealed.iv) }),
      () => openContent(enc, cek, aad, { ...sealed, ciphertext: flipped(sealed.ciphertext) }),
      () => openContent(enc, cek, aad, { ...sealed, ciphertext: sealed.ciphertext.subarray(16) }),
      () => openContent(enc, cek, aad, { ...sealed, ciphertext: new Uint8Array() }),
      () => openContent(enc, cek, aad, { ...sealed, tag: flipped(sealed.tag) }),
      // A short tag would be quick to guess.
      () => openContent(enc, cek, aad, { ...sealed, tag: sealed.tag.subarray(0, 12) }),
      () => openContent(enc, cek, aad, { ...sealed, tag: new Uint8Array() }),
      () => openContent(enc, cek, aad, { ...sealed, iv: sealed.iv.subarray(1) }),
      () => openContent(enc, cek.subarray(1), aad, sealed),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toEqual(damaged);
  });
});

describe('published values', () => {
  it('A128CBC-HS256 of RFC 7518 appendix B.1', async () => {
    const cek = Uint8Array.from({ length: 32 }, (_, i) => i);
    const iv = bytes('1af38c2dc2b96ffdd86694092341bc04');
    const aad = new TextEncoder().encode('The second principle of Auguste Kerckhoffs');
    const plaintext = new TextEncoder().encode(
      'A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience',
    );
    const sealed = await sealContent('A128CBC-HS256', cek, iv, aad, plaintext);
    expect(Buffer.from(sealed.tag).toString('hex')).toBe('652c3fa36b0a7c5b3219fab3a30bc1c4');
    expect(Buffer.from(sealed.ciphertext.slice(0, 16)).toString('hex')).toBe(
      'c80edfa32ddf39d5ef00c0b468834279',
    );
  });

  it('AES key unwrapping of RFC 3394 section 4', async () => {
    const data = '00112233445566778899aabbccddeeff';
    const vectors = [
      ['000102030405060708090a0b0c0d0e0f', '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'],
      [
        '000102030405060708090a0b0c0d0e0f1011121314151617',
        '96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d',
      ],
      [
        '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
        '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7',
      ],
    ] as const;
    for (const [kek, wrapped] of vectors) {
      expect(Buffer.from(await unwrapKey(bytes(kek), bytes(wrapped))).toString('hex')).toBe(data);
      const changed = bytes(wrapped);
      changed[0] = (changed[0] as number) ^ 1;
      await expect(unwrapKey(bytes(kek), changed)).rejects.toEqual(damaged);
      await expect(unwrapKey(bytes(kek), new Uint8Array())).rejects.toEqual(damaged);
    }
  });

  it('go by their exact names', () => {
    expect(ENCS.every(isContentEncryption)).toBe(true);
    for (const name of ['A512GCM', 'a256gcm', 'constructor', '', null])
      expect(isContentEncryption(name)).toBe(false);
  });
});
