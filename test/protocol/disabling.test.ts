import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { fromBase64url } from '../../lib/base/bytes.ts';
import {
  disablingCode,
  disablingName,
  FEED_PAGE,
  kitFromCode,
  parseDisablingCode,
  parseKit,
} from '../../lib/protocol/disabling.ts';
import { b64, random } from '../attacks/support.ts';
import { vectors2 } from '../support/vectors.ts';

const URL_OF = 'https://assistant.example';
const OLD_CODE = '000G4-0R40M-30E20-9185G-R38E1-YZ4A';
const codeOf = (t: Uint8Array) => disablingCode({ t: b64(t), assistant: { url: URL_OF } });
const bad = expect.objectContaining({ code: 'bad_kit' });
const secret = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('a code', () => {
  it('reads as what it was made of, however it is typed', () => {
    fc.assert(
      fc.property(secret, fc.nat(), (t, seed) => {
        const code = codeOf(t);
        expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
        for (const typed of [
          code,
          code.toLowerCase(),
          code.replaceAll('-', ''),
          code.replaceAll('-', ' – '),
          code.replaceAll('0', 'O'),
          code.replaceAll('0', 'o'),
          code.replaceAll('1', seed % 2 ? 'l' : 'I'),
          code.replaceAll('1', 'i'),
          ` \t${code}\n`,
          code.replaceAll('-', '\u2011'),
          code.replaceAll('-', '\u2212'),
          code.replaceAll('-', '\u200b\u00ad\u3000'),
          code.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)),
        ]) {
          expect(parseDisablingCode(typed, URL_OF)).toEqual({ t: new Uint8Array(t), isOld: false });
        }
      }),
    );
  });

  it('with one character mistyped, or two neighbours exchanged, is noticed but for one in 65,536', () => {
    const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    let tried = 0;
    let missed = 0;
    const t = random(16);
    const code = codeOf(t).replaceAll('-', '');
    const attempt = (typed: string) => {
      if (typed === code) return;
      tried += 1;
      try {
        parseDisablingCode(typed);
        missed += 1;
      } catch (error) {
        expect(error).toEqual(bad);
      }
    };
    for (let at = 0; at < code.length; at++) {
      for (const other of alphabet) attempt(code.slice(0, at) + other + code.slice(at + 1));
      if (at > 0) attempt(code.slice(0, at - 1) + code.charAt(at) + code.charAt(at - 1) + code.slice(at + 1));
    }
    expect(tried).toBeGreaterThan(980);
    expect(missed).toBeLessThanOrEqual(2);
  });

  it('of the first form has no second spelling by the zero bit at its end', () => {
    for (const odd of ['B', 'C', 'T'])
      expect(() => parseDisablingCode(OLD_CODE.slice(0, -1) + odd)).toThrow(bad);
    expect(parseDisablingCode(OLD_CODE).isOld).toBe(true);
  });

  it('is refused at another assistant, and by a typing error first', () => {
    const code = codeOf(random(16));
    const wrong = expect.objectContaining({ code: 'wrong_assistant', status: 0 });
    for (const url of ['https://assistant.example/rk', 'https://assistant.exampl', 'http://localhost:3000'])
      expect(() => parseDisablingCode(code, url)).toThrow(wrong);
    for (const url of ['https://ASSISTANT.example:443/', 'https://assistant.example//'])
      expect(parseDisablingCode(code, url).isOld).toBe(false);
    expect(parseDisablingCode(code).isOld).toBe(false);
    expect(() => kitFromCode(code, 'https://assistant.example/rk')).toThrow(wrong);
    expect(kitFromCode(code, 'https://moved.example', { hasMoved: true }).assistant.url).toBe(
      'https://moved.example',
    );
    const mistyped = code.slice(0, -1) + (code.endsWith('0') ? '1' : '0');
    expect(() => parseDisablingCode(mistyped, 'https://other.example')).toThrow(bad);
  });

  it.each<{ t: string; url: string; code: string }>(vectors2.code)(
    '$code is that of the independent implementation for $url',
    ({ t, url, code }) => {
      const kit = { t: b64(Buffer.from(t, 'hex')), assistant: { url } };
      expect(disablingCode(kit)).toBe(code);
      expect(parseDisablingCode(code, url).t).toEqual(new Uint8Array(Buffer.from(t, 'hex')));
    },
  );

  it.each([
    '',
    'x',
    '0'.repeat(28),
    '0'.repeat(30),
    'U'.repeat(29),
    '\u0660'.repeat(29),
    '0'.repeat(31),
    '0'.repeat(33),
    '0'.repeat(10_000),
    `${OLD_CODE}${' '.repeat(1024)}x`,
    '🔑'.repeat(29),
    '!'.repeat(29),
  ])('%j is none', (code) => {
    expect(() => parseDisablingCode(code)).toThrow(bad);
  });

  it('that was made by chance is none, and no other error comes of it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        expect(() => parseDisablingCode(text)).toThrow(bad);
      }),
    );
  });
});

describe('a kit', () => {
  const kit = { version: 1, assistant: { url: URL_OF }, t: b64(random(16)) } as const;

  it('is read as it is, and made from a code', () => {
    expect(parseKit(JSON.parse(JSON.stringify(kit)))).toEqual(kit);
    expect(kitFromCode(disablingCode(kit), URL_OF)).toEqual(kit);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', JSON.stringify(kit)],
    ['of another version', { ...kit, version: 2 }],
    ['without secret', { ...kit, t: undefined }],
    ['with a longer secret', { ...kit, t: b64(random(17)) }],
    ['with a padded secret', { ...kit, t: `${kit.t}==` }],
    ['for an assistant in clear', { ...kit, assistant: { url: 'http://assistant.example' } }],
    ['with a key', { ...kit, assistant: { url: URL_OF, jwk: {} } }],
    ['with more', { ...kit, u: 'x' }],
  ])('that is %s is none', (_name, value) => {
    expect(() => parseKit(value)).toThrow(bad);
  });

  it('of another assistant’s URL is refused with the code as well', () => {
    expect(() => kitFromCode(disablingCode(kit), 'http://assistant.example', { hasMoved: true })).toThrow(
      bad,
    );
    expect(() => disablingCode({ ...kit, t: 'AA' })).toThrow(bad);
    expect(() => disablingCode({ ...kit, assistant: { url: 'assistant' } })).toThrow(bad);
  });
});

it('u names t and tells nothing of it', () => {
  const t = random(16);
  expect(b64(disablingName(t))).toHaveLength(43);
  expect(b64(disablingName(t))).not.toContain(b64(t).slice(0, 8));
  expect(disablingName(t)).not.toEqual(disablingName(random(16)));
  expect(() => disablingName(random(15))).toThrow(RangeError);
});

it('a page of the feed holds secrets of the right size and a cursor', () => {
  const t = b64(random(16));
  const page = v.parse(FEED_PAGE, { disabled: [t], next: 'x' });
  expect(page.disabled[0]).toEqual(fromBase64url(t));
  for (const wrong of [
    { disabled: [b64(random(32))], next: 'x' },
    { disabled: t, next: 'x' },
    { disabled: [t] },
    { disabled: [t], next: 5 },
    { disabled: [t], next: 'x'.repeat(257) },
    { disabled: [t], next: 'x', more: true },
    { disabled: Array.from({ length: 1001 }, () => t), next: 'x' },
  ]) {
    expect(v.is(FEED_PAGE, wrong)).toBe(false);
  }
});
