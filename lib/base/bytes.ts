const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const encoder = new TextEncoder();

/** Bytes of an ASCII or UTF-8 string. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text) as Uint8Array<ArrayBuffer>;
}

/** The character of each of the 64 digits. */
const CHARACTERS = utf8(ALPHABET);
/** The digit of each ASCII character, -1 for other characters. */
const DIGITS = Int8Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));
const ascii = new TextDecoder();

/** base64url without padding (RFC 4648 section 5). */
export function toBase64url(bytes: Uint8Array): string {
  const { length } = bytes;
  const codes = new Uint8Array(4 * Math.ceil(length / 3));
  for (let from = 0, to = 0; from < length; from += 3, to += 4) {
    // Beyond the end there are zeros, whose characters are left out below.
    const three = ((bytes[from] as number) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    codes[to] = CHARACTERS[three >> 18] as number;
    codes[to + 1] = CHARACTERS[(three >> 12) & 63] as number;
    codes[to + 2] = CHARACTERS[(three >> 6) & 63] as number;
    codes[to + 3] = CHARACTERS[three & 63] as number;
  }
  return ascii.decode(codes.subarray(0, Math.ceil((length * 4) / 3)));
}

/**
 * Decodes base64url strictly: no padding, no blanks, no stray bits, so that every value has one spelling.
 *
 * @returns the bytes, or `undefined` where `text` is not the canonical spelling of any.
 */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const { length } = text;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  // Negative as soon as one character is outside the alphabet.
  let digits = 0;
  let four = 0;
  for (let from = 0, to = 0; from < length; from += 4, to += 3) {
    four = 0;
    for (let i = from; i < from + 4; i++) {
      const digit = i < length ? (DIGITS[text.charCodeAt(i)] ?? -1) : 0;
      digits |= digit;
      four = (four << 6) | digit;
    }
    // What does not fit the end is dropped.
    bytes[to] = four >> 16;
    bytes[to + 1] = four >> 8;
    bytes[to + 2] = four;
  }
  const strays = [0, 0, 0xffff, 0xff][length % 4] as number;
  return digits >= 0 && (four & strays) === 0 ? bytes : undefined;
}

/** Joins byte strings. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** SHA-256: 32 bytes. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** XOR of two byte strings of one length. */
export function xor(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  if (a.length !== b.length) throw new RangeError('xor: lengths differ');
  const out = new Uint8Array(a.length);
  for (let i = 0; i < a.length; i++) out[i] = (a[i] as number) ^ (b[i] as number);
  return out;
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** Overwrites buffers that held secrets. Strings and bigints cannot be wiped: the engine may have copied them. */
export function wipe(...buffers: readonly (Uint8Array | undefined)[]): void {
  for (const buffer of buffers) buffer?.fill(0);
}

/** `length` fresh random bytes from the platform's generator. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
