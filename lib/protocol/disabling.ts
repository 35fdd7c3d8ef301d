/**
 * Disabling a key (docs/protocol.md section 6; the paper's s-disable).
 *
 * The owner keeps t off the device; its hash u stands in the ticket. Only a holder of t can name u. So
 * the assistant needs to know neither device nor user, and cannot disable a key by itself.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { concat, equalBytes, fromBase64url, toBase64url, utf8 } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { bytes, seconds } from '../base/json.ts';
import { assistantUrl, parseUrl } from '../base/url.ts';

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

/** Entries of a page of the list, unless it is the list's end. */
export const FEED_PAGE_SIZE = 1000;

/** A page of the public list of disabling secrets. */
export const FEED_PAGE = v.strictObject({
  disabled: v.pipe(v.array(bytes(SECRET_LENGTH)), v.maxLength(FEED_PAGE_SIZE)),
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
const CHECK_LENGTH = 2;
const MAX_TYPED = 1024;
const ASSISTANT_LABEL = utf8('roaming-key/1 assistant\0');
const CODE_LABEL = utf8('roaming-key/1 code\0');

/**
 * The kit as a code to print: 32 characters of Crockford base32 in groups of four, which spell t ‖ w ‖ s. w names the
 * assistant, s finds typing errors.
 *
 * @throws RoamingKeyError `bad_kit` where the kit has no disabling secret or no URL
 * @example
 * disablingCode(kit) // '000G-40R4-0M30-E209-185G-R38E-1ZC1-308J'
 */
export function disablingCode({ t: text, assistant }: Pick<DisablingKit, 't' | 'assistant'>): string {
  const t = fromBase64url(text);
  if (t?.length !== SECRET_LENGTH) throw new RoamingKeyError('bad_kit', 'the kit holds no disabling secret');
  const w = assistantCheck(t, assistant.url);
  return (toCrockford(concat(t, w, typingCheck(t, w))).match(/.{4}/g) as string[]).join('-');
}

/** w: the first bytes of SHA-256("roaming-key/1 assistant" ‖ 0x00 ‖ t ‖ url). */
function assistantCheck(t: Uint8Array, url: string): Uint8Array {
  const href = parseUrl(url)?.href.replace(/\/+$/, '');
  if (href === undefined) throw new RoamingKeyError('bad_kit', 'the kit names no URL of an assistant');
  return sha256(concat(ASSISTANT_LABEL, t, utf8(href))).subarray(0, CHECK_LENGTH);
}

/** s: the first bytes of SHA-256("roaming-key/1 code" ‖ 0x00 ‖ t ‖ w). */
function typingCheck(t: Uint8Array, w: Uint8Array): Uint8Array {
  return sha256(concat(CODE_LABEL, t, w)).subarray(0, CHECK_LENGTH);
}

/** A code as it was read. */
export interface ReadCode {
  /** The disabling secret, 16 bytes. */
  readonly t: Uint8Array<ArrayBuffer>;
  /** Whether it is a code of the first form, of 29 characters, which names no assistant. */
  readonly isOld: boolean;
}

/**
 * Reads a code as it was typed: case, blanks, dashes, invisible characters, full width, O for 0, I and L for 1 are
 * forgiven.
 *
 * @param url the assistant that the code is to be sent to; without it, that is not compared
 * @throws RoamingKeyError `bad_kit` for a typing error, `wrong_assistant` where the code belongs to another assistant
 */
export function parseDisablingCode(text: string, url?: string): ReadCode {
  if (text.length > MAX_TYPED) throw wrongCode('is too long');
  const code = normaliseCode(text);
  const bytes = fromCrockford(code);
  if (!bytes) throw wrongCode('has a character that no code has');
  if (code.length === 29) return { t: readOldCode(bytes), isOld: true };
  if (code.length !== 32) throw wrongCode(`has ${code.length} characters instead of 32`);
  const [t, w, s] = [bytes.slice(0, 16), bytes.slice(16, 18), bytes.slice(18)];
  if (!equalBytes(s, typingCheck(t, w))) throw wrongCode('was mistyped');
  if (url !== undefined && !equalBytes(w, assistantCheck(t, url)))
    throw new RoamingKeyError('wrong_assistant', 'this disabling code belongs to a key at another assistant');
  return { t, isOld: false };
}

/** A code of the first form: t, the first two bytes of SHA-256(t), one zero bit. */
function readOldCode(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const t = bytes.slice(0, SECRET_LENGTH);
  const sum = concat(sha256(t).subarray(0, CHECK_LENGTH), Uint8Array.of(0));
  if (!equalBytes(bytes.subarray(SECRET_LENGTH), sum)) throw wrongCode('was mistyped');
  return t;
}

function normaliseCode(text: string): string {
  return text
    .replace(/[\p{Zs}\p{Pd}\p{Cc}\p{Cf}\u2212]/gu, '')
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
}

function toCrockford(bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let code = '';
  for (let shift = BigInt(8 * bytes.length - 5); shift >= 0n; shift -= 5n)
    code += CROCKFORD[Number((bits >> shift) & 31n)];
  return code;
}

/** The bytes that a code spells, zero bits at its end; `undefined` where a character is not of the alphabet. */
function fromCrockford(code: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(Math.ceil((code.length * 5) / 8));
  for (let i = 0; i < code.length; i++) {
    const value = CROCKFORD.indexOf(code[i] as string);
    if (value < 0) return undefined;
    for (let bit = 0; bit < 5; bit++) {
      const at = 5 * i + bit;
      if ((value >> (4 - bit)) & 1) bytes[at >> 3] = (bytes[at >> 3] as number) | (0x80 >> (at & 7));
    }
  }
  return bytes;
}

function wrongCode(why: string): RoamingKeyError {
  return new RoamingKeyError('bad_kit', `the disabling code ${why}`);
}

/**
 * A kit made from a code and the assistant that it is for.
 *
 * @throws RoamingKeyError `bad_kit`; `wrong_assistant` where the code names another assistant, unless `hasMoved`
 */
export function kitFromCode(
  code: string,
  url: string,
  { hasMoved = false }: { readonly hasMoved?: boolean } = {},
): DisablingKit {
  const { t } = parseDisablingCode(code, hasMoved ? undefined : url);
  return parseKit({ version: 1, assistant: { url }, t: toBase64url(t) });
}
