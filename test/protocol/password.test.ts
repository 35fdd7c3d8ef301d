import { hkdfSync } from 'node:crypto';
import { argon2id as nobleArgon2id } from '@noble/hashes/argon2.js';
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { equalBytes, toBase64url } from '../../lib/base/bytes.ts';
import {
  type Argon2id,
  argon2idInline,
  DEFAULT_KDF,
  deviceShare,
  KDF_PARAMETERS,
  normalisePassword,
  stretchPassword,
  verifier,
} from '../../lib/protocol/password.ts';
import { random } from '../attacks/support.ts';
import { CHEAP_KDF } from '../support/world.ts';

const text = (password: string) => new TextDecoder().decode(normalisePassword(password));
const bad = expect.objectContaining({ code: 'bad_password' });

describe('a password', () => {
  it('has one form: blanks are blanks and accents are composed, and nothing else is changed', () => {
    expect(text('a\u00a0b\u2003c\u3000d')).toBe('a b c d');
    expect(text('A\u030a')).toBe('\u00c5');
    expect(text('\u212b')).toBe('\u00c5');
    // OpaqueString folds neither case nor width nor trims, and takes what identifiers must not have.
    for (const same of [
      'ABC',
      'ﬀ',
      'Ａ',
      ' x ',
      '\u200b',
      '\u00ad',
      '\ue000',
      '\u{1F600}',
      'πß٣',
      '\u0378',
    ]) {
      expect(text(same)).toBe(same);
    }
  });

  it('has that form after having been brought into it once more', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (password) => {
        let once: string;
        try {
          once = text(password);
        } catch (error) {
          expect(error).toEqual(bad);
          return;
        }
        expect(text(once)).toBe(once);
        expect(text(password.normalize('NFD'))).toBe(once);
      }),
    );
  });

  it.each([
    '',
    '\u0000',
    'a\tb',
    'a\nb',
    '\u007f',
    '\u0085',
    '\ud800',
    'a\udc00b',
    '\udc00\ud800',
    'x'.repeat(1025),
    'é'.repeat(513),
    '\u{1F600}'.repeat(257),
    'x'.repeat(5000),
  ])('%j is refused', (password) => {
    expect(() => normalisePassword(password)).toThrow(bad);
  });

  it('may have as many bytes as its form says, not as many as were typed', () => {
    expect(normalisePassword('x'.repeat(1024))).toHaveLength(1024);
    expect(normalisePassword('\u{1F600}'.repeat(256))).toHaveLength(1024);
    // 341 syllables of three letters each: 3069 bytes as typed, 1023 composed.
    expect(normalisePassword('\u1112\u1161\u11ab'.repeat(341))).toHaveLength(1023);
    expect(normalisePassword('\u3000'.repeat(1024))).toHaveLength(1024);
  });

  it('that is no string is a mistake of the programmer’s', () => {
    expect(() => normalisePassword(undefined as never)).toThrow(TypeError);
    expect(() => normalisePassword(new Uint8Array(3) as never)).toThrow(TypeError);
  });
});

describe('KDF parameters', () => {
  const kdf = (change: object) => v.is(KDF_PARAMETERS, { ...DEFAULT_KDF, ...change });

  it.each([
    {},
    { t: 2, m: 19_456, p: 1 },
    { t: 1, m: 38_912 },
    { t: 64, m: 65_536 },
    { t: 4, m: 2 ** 20 },
    { p: 16 },
  ])('%j are fine', (change) => {
    expect(kdf(change)).toBe(true);
  });

  it.each([
    { m: 19_455 },
    { t: 1, m: 19_456 },
    { t: 1, m: 38_911 },
    { t: 64, m: 65_537 },
    { t: 5, m: 2 ** 20 },
    { t: 1, m: 2 ** 20 + 1 },
    { t: 65 },
    { t: 0 },
    { t: -3 },
    { t: 3.5 },
    { t: '3' },
    { p: 0 },
    { p: 17 },
    { m: Number.NaN },
    { name: 'argon2i' },
    { name: 'scrypt' },
    { salt: 'x' },
  ])('%j are refused: they would weaken or exhaust', (change) => {
    expect(kdf(change)).toBe(false);
  });
});

describe('K', () => {
  it('is Argon2id of version 0x13 as another library computes it', async () => {
    const salt = random(32);
    const ours = await stretchPassword('pass\u00a0word', salt, { name: 'argon2id', t: 1, m: 64, p: 2 });
    const theirs = nobleArgon2id('pass word', salt, { t: 1, m: 64, p: 2, dkLen: 32 });
    expect(equalBytes(ours, theirs)).toBe(true);
  });

  it('leaves no password behind, even where computing it fails', async () => {
    const seen: Uint8Array[] = [];
    const failing: Argon2id = async (password) => {
      seen.push(password);
      throw new Error('out of memory');
    };
    await expect(stretchPassword('secret', random(32), DEFAULT_KDF, failing)).rejects.toThrow(
      'out of memory',
    );
    expect(seen[0]).toEqual(new Uint8Array(6));
  });

  it('depends on salt and cost', async () => {
    const salt = random(32);
    const kdf = { name: 'argon2id', ...CHEAP_KDF } as const;
    const all = await Promise.all([
      stretchPassword('x', salt, kdf, argon2idInline),
      stretchPassword('x', random(32), kdf),
      stretchPassword('x', salt, { ...kdf, p: 2 }),
      stretchPassword('y', salt, kdf),
    ]);
    expect(new Set(all.map(toBase64url)).size).toBe(4);
  });
});

describe('what is made of K', () => {
  const k = random(32);

  it('is HKDF-Expand and not HKDF: WebCrypto’s, which extracts first, gives something else', () => {
    const full = Buffer.from(hkdfSync('sha256', k, '', 'roaming-key/1 verifier', 32));
    expect(equalBytes(verifier(k), full)).toBe(false);
    expect(verifier(k)).toHaveLength(32);
  });

  it('is different for each use, and a shorter share is the beginning of a longer one', () => {
    const shares = (['retrieve', 'rsa', 'elgamal'] as const).map((scheme) =>
      toBase64url(deviceShare(k, scheme, 32)),
    );
    expect(new Set([...shares, toBase64url(verifier(k))]).size).toBe(4);
    expect(deviceShare(k, 'retrieve', 8160)).toHaveLength(8160);
    expect(() => deviceShare(k, 'retrieve', 8161)).toThrow();
    expect(deviceShare(k, 'retrieve', 100).slice(0, 48)).toEqual(deviceShare(k, 'retrieve', 48));
  });
});
