/** How inputs are bent: as bytes, as JSON, and inside the base64 that other parts are wrapped in. */

/** Whole numbers from 0 up to and without `below`. */
export type Random = (below: number) => number;

/** The longest input that is made, in bytes. */
export const MAX_INPUT = 16_384;

/** A generator that repeats itself for a seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const TOKENS = [
  '.',
  '..',
  '=',
  '==',
  '-',
  '_',
  '+',
  '/',
  '\0',
  '\n',
  ' ',
  '\ufeff',
  '\u{1f600}',
  'ß',
  '\u0131',
  '"',
  '\\',
  '\\ud800',
  '{}',
  '[]',
  'null',
  'true',
  '-0',
  '1e400',
  '9007199254740993',
  '1.0',
  '__proto__',
  'constructor',
  'toString',
  'toJSON',
  'v',
  'op',
  'alg',
  'enc',
  'typ',
  'kid',
  'epk',
  'kty',
  'crv',
  'jwk',
  'crit',
  'zip',
  'd',
  'x',
  'y',
  'n',
  'e',
  'u',
  'exp',
  'ECDH-ES',
  'ECDH-ES+A128KW',
  'A128CBC-HS256',
  'RSA-OAEP-256',
  'dir',
  'none',
  'EdDSA',
  'ES256',
  'PS256',
  'rk-',
  'retrieve',
  'sign',
  'decrypt',
  'retire',
  'elgamal',
  'rsa',
  'P-256',
  'ffdhe2048',
  'X25519',
  'Ed25519',
  'EC',
  'OKP',
  'DH',
  'https://',
  'http://127.1',
  '@',
  '#',
  '?',
  '%2e%2e',
  '-----BEGIN ',
  '-----END ',
  'ENCRYPTED',
  ':',
].map((text) => new TextEncoder().encode(text));
const BYTES = [0, 1, 2, 3, 4, 5, 6, 0x20, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xa0, 0xa1, 0xfe, 0xff];
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1,
  2,
  2 ** 31,
  2 ** 53,
  1e300,
  '',
  ' ',
  'x',
  'A',
  'AA',
  'A'.repeat(43),
  '\ud800',
  '\0',
  [],
  {},
  [[]],
  { length: 1 },
  'retrieve',
  'x'.repeat(2000),
];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Bends an input once or a few times.
 *
 * @param other another input, parts of which may be taken
 */
export function mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bent = input;
  for (let times = 1 + random(3); times > 0; times--) bent = bend(bent, other, random, 0);
  return bent.subarray(0, MAX_INPUT);
}

function bend(input: Uint8Array, other: Uint8Array, random: Random, depth: number): Uint8Array {
  const way = depth < 4 ? random(3) : 0;
  if (way === 1) return bendJson(input, other, random, depth) ?? bendBytes(input, other, random);
  if (way === 2) return bendBase64(input, other, random, depth) ?? bendBytes(input, other, random);
  return bendBytes(input, other, random);
}

function bendBytes(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random(input.length + 1);
  const length = random(Math.min(1 << random(9), input.length - at + 1));
  const from = random(other.length + 1);
  const put = (middle: Uint8Array, skip = 0) =>
    join(input.subarray(0, at), middle, input.subarray(Math.min(at + skip, input.length)));
  switch (random(9)) {
    case 0:
      return put(new Uint8Array(0), length);
    case 1:
      return put(Uint8Array.of((input[at] ?? 0) ^ (1 << random(8))), 1);
    case 2:
      return put(Uint8Array.of(pick(BYTES, random)), random(2));
    case 3:
      return put(Uint8Array.of(random(256)), random(2));
    case 4:
      return put(pick(TOKENS, random), random(2) * length);
    case 5:
      return put(input.subarray(at, at + length));
    case 6:
      return put(other.subarray(from, from + 1 + random(64)), random(2) * length);
    case 7:
      return join(input.subarray(0, at), other.subarray(from));
    default:
      return put(new Uint8Array(1 << random(8)).fill(pick(BYTES, random)), random(2) * length);
  }
}

function bendJson(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  depth: number,
): Uint8Array | undefined {
  // What is before the text may choose among ways to use it.
  const text = decoder.decode(input);
  const start = text.search(/[{[]/);
  if (start < 0) return undefined;
  let root: unknown;
  try {
    root = JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
  let at = root as Record<string, unknown>;
  let names = Object.keys(at);
  for (let down = random(3); down > 0 && names.length > 0; down--) {
    const inner = at[pick(names, random)];
    if (typeof inner !== 'object' || inner === null) continue;
    at = inner as Record<string, unknown>;
    names = Object.keys(at);
  }
  const name = names.length > 0 ? pick(names, random) : 'x';
  const value = at[name];
  switch (random(5)) {
    case 0:
      delete at[name];
      break;
    case 1:
      set(at, name, pick(VALUES, random));
      break;
    case 2:
      set(at, decoder.decode(pick(TOKENS, random)), random(2) ? value : pick(VALUES, random));
      break;
    case 3:
      if (typeof value === 'string')
        set(at, name, decoder.decode(bend(encoder.encode(value), other, random, depth + 1)));
      else if (typeof value === 'number') set(at, name, value + random(3) - 1);
      else if (names.length > 0) set(at, name, at[pick(names, random)]);
      break;
    default:
      if (names.length > 0) set(at, name, at[pick(names, random)]);
  }
  return join(encoder.encode(text.slice(0, start)), encoder.encode(JSON.stringify(root)));
}

function set(at: object, name: string, value: unknown): void {
  // An assignment to __proto__ would make no member.
  Object.defineProperty(at, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Bends what one run of base64, of either alphabet, stands for. */
function bendBase64(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  depth: number,
): Uint8Array | undefined {
  const text = Buffer.from(input).toString('latin1');
  const runs = [...text.matchAll(/[A-Za-z0-9_+/-]{8,}=*/g)];
  if (runs.length === 0) return undefined;
  const run = pick(runs, random);
  const kind = /[+/=]/.test(run[0]) ? 'base64' : 'base64url';
  const inner = bend(new Uint8Array(Buffer.from(run[0], kind)), other, random, depth + 1);
  const before = input.subarray(0, run.index);
  return join(
    before,
    encoder.encode(Buffer.from(inner).toString(kind)),
    input.subarray(run.index + run[0].length),
  );
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random(list.length)] as T;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
