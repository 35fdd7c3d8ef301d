/**
 * The pickup code: 40 random bits in Crockford base32, without which an account's name does not fetch its record. It is
 * shown once and written down, and is worth nothing without the password.
 */
import { randomBytes } from '../base/bytes.ts';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LENGTH = 8;

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
 * @returns the code, or `none`, which is not a code
 */
export function readPickupCode(typed: string): string {
  const code = typed
    .toUpperCase()
    .replace(/[\s\-–—]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  return FORM.test(code) ? code : 'none';
}
