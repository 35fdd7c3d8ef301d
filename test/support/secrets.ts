/** Looking for secrets: in every place, in every spelling. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import { onTestFinished, vi } from 'vitest';

const WINDOW = 12;

/** A secret number, or the bytes of another secret. */
export type Secret = readonly [name: string, value: bigint | Uint8Array];

/** Everything in which a secret may be looked for: the bytes as they are, and all that they spell in some code. */
export function hay(data: Buffer): { readonly bytes: Buffer; readonly text: string } {
  // Twice, since a member in base64url may stand in a payload in base64url.
  const outer = decoded(data);
  return { bytes: Buffer.concat([data, ...outer, ...outer.flatMap(decoded)]), text: data.toString('latin1') };
}

const CODES: readonly (readonly [RegExp, (part: string) => Buffer])[] = [
  [/[A-Za-z0-9_-]{16,}/g, (part) => Buffer.from(part, 'base64url')],
  [/[A-Za-z0-9+/]{16,}/g, (part) => Buffer.from(part, 'base64')],
  [/(?:[0-9a-fA-F]{2}[ :]?){8,}/g, (part) => Buffer.from(part.replace(/[ :]/g, ''), 'hex')],
  [/\d{1,3}(?:,\s*\d{1,3}){8,}/g, (part) => Buffer.from(part.split(',').map(Number))],
  // JSON.stringify of a typed array: {"0":1,"1":2…}
  [
    /"\d+":\d{1,3}(?:,"\d+":\d{1,3}){8,}/g,
    (part) => Buffer.from(part.split(',').map((pair) => Number(pair.split(':')[1]))),
  ],
];

function decoded(data: Buffer): Buffer[] {
  const text = data.toString('latin1');
  return CODES.flatMap(([pattern, read]) => [...text.matchAll(pattern)].map(([part]) => read(part)));
}

/** Whether a part of the secret, and be it a twelfth, is anywhere in there. */
export function holds(place: ReturnType<typeof hay>, value: Secret[1]): boolean {
  const whole = Buffer.from(bytesOf(value));
  const room = Math.max(0, whole.length - WINDOW);
  const windows = [0, Math.floor(room / 2), room].map((start) => whole.subarray(start, start + WINDOW));
  const backwards = windows.map((window) => Buffer.from(window).reverse());
  if ([...windows, ...backwards].some((window) => place.bytes.includes(window))) return true;
  // What is short is short in any code, and not taken for one.
  const codes = whole.length > WINDOW ? [] : (['base64', 'base64url', 'hex'] as const);
  if (codes.some((code) => place.text.includes(whole.toString(code)))) return true;
  if (typeof value !== 'bigint') return false;
  // A decimal number shows no byte of itself; a hexadecimal one of odd length shows others.
  const spelled = [value.toString(10).slice(0, 30), value.toString(16).slice(1, 31)];
  return spelled.some((digits) => place.text.toLowerCase().includes(digits));
}

/** A secret's bytes. */
export function bytesOf(value: Secret[1]): Uint8Array {
  return typeof value === 'bigint' ? toBytes(value) : value;
}

export function toBytes(value: bigint): Uint8Array {
  const digits = value.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
}

/** Takes down everything that is written to the console or past it. */
export function captureOutput(): string[] {
  const written: string[] = [];
  const take = (...values: unknown[]) => {
    written.push(
      values.map((value) => (typeof value === 'string' ? value : inspect(value, { depth: 9 }))).join(' '),
    );
    return true;
  };
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
    vi.spyOn(console, method).mockImplementation(take);
  }
  vi.spyOn(process.stdout, 'write').mockImplementation(take as never);
  vi.spyOn(process.stderr, 'write').mockImplementation(take as never);
  onTestFinished(() => void vi.restoreAllMocks());
  return written;
}

/** All files of a folder, byte for byte. */
export const filesOf = (folder: string) =>
  Buffer.concat(readdirSync(folder).map((name) => readFileSync(path.join(folder, name))));

/** Values as a log might show them, however deep. */
export const text = (...values: unknown[]) =>
  Buffer.from(
    values
      .map((value) => {
        const seen = inspect(value, {
          depth: 12,
          showHidden: true,
          maxArrayLength: null,
          maxStringLength: null,
        });
        return typeof value === 'string' ? value : `${JSON.stringify(value)}\n${seen}`;
      })
      .join('\n'),
  );
