import { fromBase64url, toBase64url } from '../../base/bytes.ts';
import type { RoamingKeyError } from '../../base/errors.ts';
import { badKey } from './private-jwk.ts';

/** What stands between one BEGIN and its END line. */
export interface PemBlock {
  /** As in `PRIVATE KEY`. */
  readonly label: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The longest text taken, in characters; an RSA key of 8192 bits needs about 6500. */
export const MAX_PEM = 32_768;

const BEGIN = '-----BEGIN ';
const LABEL = /^[A-Z0-9 ]{1,40}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads a PEM text that holds one private key, with any explanation, certificate or public key around it.
 *
 * @throws RoamingKeyError `bad_key` if there is no block or more than one private key, if it is encrypted, or not
 *   canonical base64
 * @see RFC 7468
 */
export function readPem(text: string): PemBlock {
  if (text.length > MAX_PEM) throw badKey('too long for a private key');
  if (text.startsWith('PuTTY-User-Key-File-'))
    throw badKey("in PuTTY's own format: export it with `puttygen key.ppk -O private-openssh-new -o key`");
  const begins = [...text.matchAll(/-----BEGIN [A-Z0-9 ]{1,40}-----/g)];
  const keys = begins.filter(([line]) => line.endsWith('PRIVATE KEY-----'));
  if (keys.length > 1) throw badKey('more than one private key: pass one alone');
  const begin = (keys[0] ?? begins[0])?.index ?? text.indexOf(BEGIN);
  if (begin < 0) throw badKey('no PEM text');
  const labelEnd = text.indexOf('-----', begin + BEGIN.length);
  const label = text.slice(begin + BEGIN.length, Math.max(labelEnd, 0));
  if (!LABEL.test(label)) throw badKey('a damaged PEM text');
  const end = text.indexOf(`-----END ${label}-----`, labelEnd + 5);
  if (end < 0) throw badKey('a damaged PEM text: no END line');
  const body = text.slice(labelEnd + 5, end);
  // A header line of RFC 1421, as in `Proc-Type: 4,ENCRYPTED`; base64 has no colon.
  if (label.startsWith('ENCRYPTED') || (body.includes(':') && body.includes('ENCRYPTED'))) throw encrypted();
  const base64 = body.replace(/[ \t\r\n]/g, '');
  const bytes =
    base64.length % 4 === 0 && BASE64.test(base64)
      ? fromBase64url(base64.replace(/=/g, '').replace(/\+/g, '-').replace(/\//g, '_'))
      : undefined;
  if (!bytes?.length) throw badKey('a damaged PEM text: not base64');
  return { label, bytes };
}

/** Writes one PEM block, `width` characters a line. */
export function writePem(label: string, bytes: Uint8Array, width = 64): string {
  const text = toBase64url(bytes).replace(/-/g, '+').replace(/_/g, '/');
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, '=');
  const lines: string[] = [];
  for (let at = 0; at < padded.length; at += width) lines.push(padded.slice(at, at + width));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The error for keys that lie under a passphrase. */
export function encrypted(): RoamingKeyError {
  return badKey(
    'encrypted: decrypt it first, with `openssl pkcs8 -in key.pem -topk8 -nocrypt` or `ssh-keygen -p -N "" -f key`',
  );
}
