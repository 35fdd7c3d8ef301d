/**
 * Disabling a key (docs/protocol.md section 6; the paper's s-disable).
 *
 * The owner keeps t off the device; its hash u stands in the ticket. Whoever shows t names u, and nobody else can:
 * so the assistant needs to know neither device nor user, and cannot itself disable a key it does not like.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { concat, fromBase64url, toBase64url, utf8 } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { bytes, seconds } from '../base/json.ts';
import { assistantUrl } from '../base/url.ts';

const LABEL = utf8('roaming-key/1 disable');
const SECRET_LENGTH = 16;

/** What the owner keeps elsewhere: the disabling secret and where to send it. */
export interface DisablingKit {
  readonly version: 1;
  readonly assistant: { readonly url: string };
  /** The disabling secret t: 16 bytes, base64url. */
  readonly t: string;
}

/** u = SHA-256("roaming-key/1 disable" ‖ t), the public name under which a key can be disabled. */
export function disablingName(t: Uint8Array): Uint8Array<ArrayBuffer> {
  if (t.length !== SECRET_LENGTH) throw new RangeError(`t must have ${SECRET_LENGTH} bytes`);
  return sha256(concat(LABEL, t)) as Uint8Array<ArrayBuffer>;
}

/** The request {"v":1,"t","rho","iat"}, sealed to a current key of the assistant with typ `rk-disable+jwe`. */
export const DISABLE_REQUEST = v.strictObject({
  v: v.literal(1),
  t: bytes(SECRET_LENGTH),
  rho: bytes(32),
  iat: seconds,
});

/** The answer under rho that alone tells the owner that the mark is set. */
export const DISABLE_RESPONSE = v.strictObject({
  v: v.literal(1),
  op: v.literal('disable'),
  disabled: v.literal(true),
  now: seconds,
});

/** A page of the public list of disabling secrets. */
export const FEED_PAGE = v.strictObject({
  disabled: v.pipe(v.array(bytes(SECRET_LENGTH)), v.maxLength(10_000)),
  next: v.pipe(v.string(), v.maxLength(256)),
});

const KIT = v.strictObject({
  version: v.literal(1),
  assistant: v.strictObject({ url: assistantUrl }),
  t: v.pipe(
    v.string(),
    v.check((text) => fromBase64url(text)?.length === SECRET_LENGTH),
  ),
});

/**
 * Reads a disabling kit.
 *
 * @throws RoamingKeyError `bad_kit` if it is damaged, of another version, or names no https (or loopback) assistant
 */
export function parseKit(value: unknown): DisablingKit {
  const kit = v.safeParse(KIT, value);
  if (!kit.success) throw new RoamingKeyError('bad_kit', 'this is not a disabling kit, or it is damaged');
  return kit.output;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * The disabling secret as a code to print: 29 characters of Crockford base32 in groups of five, the last two bytes a
 * checksum (the first of SHA-256(t)), padded by one zero bit.
 *
 * @example
 * disablingCode(kit) // '000G4-0R40M-30E20-9185G-R38E1-YZ4A'
 */
export function disablingCode(kit: Pick<DisablingKit, 't'>): string {
  const t = fromBase64url(kit.t);
  if (t?.length !== SECRET_LENGTH) throw new RoamingKeyError('bad_kit', 'the kit holds no disabling secret');
  let bits = 0n;
  for (const byte of concat(t, sha256(t).subarray(0, 2))) bits = (bits << 8n) | BigInt(byte);
  bits <<= 1n;
  let code = '';
  for (let shift = 140n; shift >= 0n; shift -= 5n) code += CROCKFORD[Number((bits >> shift) & 31n)];
  return (code.match(/.{1,5}/g) as string[]).join('-');
}

/**
 * Reads a code as it was typed: case, blanks, dashes, O for 0, I and L for 1 are forgiven.
 *
 * @returns t, 16 bytes
 * @throws RoamingKeyError `bad_kit` if it has another length, foreign characters or a wrong checksum
 */
export function parseDisablingCode(code: string): Uint8Array<ArrayBuffer> {
  const wrong = (why: string) => new RoamingKeyError('bad_kit', `the disabling code ${why}`);
  const text = code
    .slice(0, 256)
    .toUpperCase()
    .replace(/[\s\-–—]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  if (text.length !== 29) throw wrong(`has ${text.length} characters instead of 29`);
  let bits = 0n;
  for (const character of text) {
    const value = CROCKFORD.indexOf(character);
    if (value < 0) throw wrong('has a character that no code has');
    bits = (bits << 5n) | BigInt(value);
  }
  if (bits & 1n) throw wrong('was mistyped');
  bits >>= 1n;
  const decoded = new Uint8Array(18);
  for (let i = 17; i >= 0; i--, bits >>= 8n) decoded[i] = Number(bits & 255n);
  const t = decoded.slice(0, SECRET_LENGTH);
  const sum = sha256(t);
  if (decoded[16] !== sum[0] || decoded[17] !== sum[1]) throw wrong('was mistyped');
  return t;
}

/** A kit made from a code and the assistant that it is for. */
export function kitFromCode(code: string, url: string): DisablingKit {
  return parseKit({ version: 1, assistant: { url }, t: toBase64url(parseDisablingCode(code)) });
}
