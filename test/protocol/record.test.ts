import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DeviceRecord, parseRecord } from '../../lib/protocol/record.ts';
import { b64, random } from '../attacks/support.ts';
import { vectors } from '../support/vectors.ts';

const kdf = { name: 'argon2id', t: 3, m: 65_536, p: 4 } as const;
const records: DeviceRecord[] = [
  { ...vectors.retrieve.record, kdf },
  { ...vectors.rsa.record, kdf },
];
const bad = expect.objectContaining({ code: 'bad_record' });

describe.each(records)('a record of scheme $scheme', (record) => {
  it('is read as it is, from what JSON made of it', () => {
    expect(parseRecord(JSON.parse(JSON.stringify(record)))).toEqual(record);
  });

  it('is none with any member missing, surplus or of another kind, at any depth', () => {
    const paths = [[], ['kdf'], ['jwk'], ['assistant'], ['assistant', 'jwk']] as const;
    for (const path of paths) {
      const names = Object.keys(path.reduce<object>((at, name) => at[name as never], record));
      for (const name of names) {
        // A ticket is opaque to the device: any text will do.
        const text = name === 'ticket' ? '' : 'AA';
        for (const value of [undefined, null, '', {}, [], -1, text, { toString: 'x' }]) {
          expect(() => parseRecord(put(record, [...path, name], value))).toThrow(bad);
        }
      }
      expect(() => parseRecord(put(record, [...path, 'extra'], 1))).toThrow(bad);
      const text = JSON.stringify(put(record, [...path, 'extra'], 1)).replace('"extra"', '"__proto__"');
      expect(() => parseRecord(JSON.parse(text))).toThrow(bad);
    }
  });

  it('that was made by chance is none, and no other error than bad_record comes of it', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('version', 'scheme', 'salt', 'a', 'u', 'kdf', 'ticket', 'jwk', 'assistant'),
        (value, name) => {
          expect(() => parseRecord(value)).toThrow(bad);
          if (JSON.stringify(value) === JSON.stringify(record[name as keyof DeviceRecord])) return;
          // A ticket is opaque to the device: any text will do.
          if (name === 'ticket' && typeof value === 'string' && value !== '') return;
          expect(() => parseRecord({ ...record, [name]: value })).toThrow(bad);
        },
      ),
    );
  });
});

function put(record: object, [name, ...path]: readonly string[], value: unknown): object {
  const all = record as Record<string, object>;
  const key = name as string;
  return { ...all, [key]: path.length === 0 ? value : put(all[key] as object, path, value) };
}

const [record] = records as [DeviceRecord];

it('says why it is refused, and shows nothing of it', () => {
  const told = (value: unknown) => {
    try {
      parseRecord(value);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  expect(told({ ...record, kdf: { ...kdf, m: 8 } })).toMatch(/password protection is too weak or too costly/);
  expect(told({ ...record, version: 2 })).toMatch(/version/);
  const message = told({ ...record, salt: 'my salt' });
  expect(message).toMatch(/damaged \(salt\)/);
  expect(message).not.toContain('my salt');
});

it('of the vectors’ KDF lies below the floor and is refused', () => {
  expect(() => parseRecord(vectors.retrieve.record)).toThrow(bad);
});

it('has a key that fits its scheme', () => {
  const { jwk } = records[1] as DeviceRecord;
  expect(() => parseRecord({ ...record, scheme: 'rsa' })).toThrow(bad);
  expect(() => parseRecord({ ...record, scheme: 'elgamal' })).toThrow(bad);
  expect(() => parseRecord({ ...record, scheme: 'retrieve', jwk })).not.toThrow();
  expect(() => parseRecord({ ...record, jwk: { ...record.jwk, d: b64(random(32)) } })).toThrow(bad);
});

it.each([
  'http://assistant.example',
  'https://u:p@assistant.example',
  'https://assistant.example/?',
  'assistant',
])('does not send a password’s verifier to %s', (url) => {
  expect(() => parseRecord({ ...record, assistant: { ...record.assistant, url } })).toThrow(bad);
});
