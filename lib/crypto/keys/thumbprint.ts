import { toBase64url, utf8 } from '../../base/bytes.ts';

/**
 * The thumbprint of a public key: SHA-256 over its members in lexicographic order, as base64url.
 *
 * @param members exactly those that the kind of key requires
 * @see RFC 7638
 */
export async function jwkThumbprint(members: Readonly<Record<string, string>>): Promise<string> {
  const sorted = Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
  return toBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(JSON.stringify(sorted)))));
}
