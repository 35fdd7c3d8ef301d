/**
 * The pickup code: 40 random bits in Crockford base32, which keep a record from everybody who knows no more than the
 * account's name. It is no password: it is written down, shown once, and worth nothing without the password.
 */
import { randomBytes } from '../base/bytes.ts';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;

/** The longest text that is taken for a typed code, in characters. */
export const MAX_TYPED_CODE = 64;

/** Makes a code of 8 characters. */
export function makePickupCode(random: (length: number) => Uint8Array = randomBytes): string {
  const bytes = random(LENGTH);
  // 256 is a multiple of 32: every character is as likely as any other.
  return Array.from(bytes, (byte) => CROCKFORD[byte & 31]).join('');
}

const FORM = new RegExp(`^[${CROCKFORD}]{${LENGTH}}$`);

/**
 * Reads a code as it was typed: case, blanks, dashes, O for 0, I and L for 1 are forgiven.
 *
 * @returns the code; for what can be none, a text that is none
 */
export function readPickupCode(typed: string): string {
  const code = typed
    .toUpperCase()
    .replace(/[\s\-–—]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  return FORM.test(code) ? code : 'none';
}
