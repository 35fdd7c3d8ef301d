import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { toBase64url, utf8 } from '../../lib/base/bytes.ts';
import { bytes, readPayload, seconds } from '../../lib/base/json.ts';

const read = (text: string | Uint8Array) =>
  readPayload(typeof text === 'string' ? utf8(text) : text, v.looseObject({}));

/** valibot leaves these names out of a record whose names are free, as no schema of the protocol has them. */
const memberName = fc.string().filter((name) => !['__proto__', 'prototype', 'constructor'].includes(name));

describe('a payload', () => {
  it('is read if it is spelled as JSON.stringify spells it', () => {
    fc.assert(
      fc.property(fc.dictionary(memberName, fc.jsonValue()), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(read(text))).toBe(text);
      }),
    );
  });

  it('is read in one spelling only', () => {
    fc.assert(
      fc.property(
        fc.dictionary(memberName, fc.jsonValue(), { minKeys: 1 }),
        fc.nat(),
        fc.constantFrom(' ', '\t', '\n', '\r', '0', ','),
        (value, at, stray) => {
          const text = JSON.stringify(value);
          const from = at % (text.length + 1);
          const changed = text.slice(0, from) + stray + text.slice(from);
          const taken = read(changed);
          if (taken) expect(JSON.stringify(taken)).toBe(changed);
        },
      ),
    );
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"a":2}',
    '{"b":{"a":1,"a":1}}',
    '{"\\u0061":1}',
    '{"a":"\\/"}',
    '{"a":1.0}',
    '{"a":1e2}',
    '{"a":-0}',
    '{"a":1E400}',
    '{"a":9007199254740993}',
    '{"a":0.1e1}',
    ' {}',
    '{} ',
    '\ufeff{}',
    '{"2":0,"1":0}',
    '',
    '{',
    'undefined',
    'NaN',
  ])('%s is none', (text) => {
    expect(read(text)).toBeUndefined();
  });

  it('that is not UTF-8 is none', () => {
    for (const hex of ['ff', '7b22c3287d', 'eda080', 'f08080af', 'c0af', 'f4908080', '7b22612200']) {
      expect(read(new Uint8Array(Buffer.from(hex, 'hex')))).toBeUndefined();
    }
    expect(read('{"a":"\\ud800"}')).toEqual({ a: '\ud800' });
  });

  it('that is deep is no harm', () => {
    expect(read('['.repeat(100_000))).toBeUndefined();
    expect(read('{"a":'.repeat(50_000) + '1'.padEnd(50_001, '}'))).toBeUndefined();
  });
});

describe('bytes', () => {
  it('are of the length that was asked for', () => {
    for (let length = 0; length < 40; length++) {
      const text = toBase64url(new Uint8Array(length));
      expect(v.is(bytes(16), text)).toBe(length === 16);
      expect(v.is(bytes(1, 32), text)).toBe(length >= 1 && length <= 32);
    }
  });

  it.each([undefined, null, 1, {}, [], ['AA'], 'A', 'AB', 'AA=', 'A A', true])('%j are none', (value) => {
    expect(v.is(bytes(1, 8), value)).toBe(false);
  });
});

it('seconds are whole, safe and not before the epoch', () => {
  for (const good of [0, 1, 1_800_000_000, Number.MAX_SAFE_INTEGER]) expect(v.is(seconds, good)).toBe(true);
  for (const bad of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n]) {
    expect(v.is(seconds, bad)).toBe(false);
  }
});
