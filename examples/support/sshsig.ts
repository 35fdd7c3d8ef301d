/**
 * Signatures of files that `ssh-keygen -Y verify` (and `git verify-commit`) accepts, made by an RSA key that may be
 * anywhere: all that is asked of it is an RS512 signature over some bytes. The format is PROTOCOL.sshsig of OpenSSH.
 */

/** An RSA public key as a JWK. */
export interface RsaPublicKey {
  readonly n: string;
  readonly e: string;
}

/** Signs bytes with RSASSA-PKCS1-v1_5 and SHA-512 (`RS512`; `rsa-sha2-512` to SSH). */
export type SignRs512 = (data: Uint8Array<ArrayBuffer>, alg: 'RS512') => Promise<Uint8Array> | Uint8Array;

const MAGIC = ascii('SSHSIG');
const HASH = 'sha512';

/**
 * Signs a message for one purpose.
 *
 * @param message what the signature is for, whole
 * @param namespace the purpose, as given to `ssh-keygen -n`: `file`, `git`, or a name with a domain of yours
 * @param key the public key that goes into the signature
 * @param sign makes the signature, on a device or through an assistant
 * @returns the armored signature, the contents of a `.sig` file
 */
export async function sshSignature(
  message: Uint8Array<ArrayBuffer>,
  namespace: string,
  key: RsaPublicKey,
  sign: SignRs512,
): Promise<string> {
  if (!/^[\x21-\x7e]{1,255}$/.test(namespace)) throw new TypeError('namespace must be printable ASCII');
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-512', message));
  const purpose = concat(string(ascii(namespace)), string(new Uint8Array(0)), string(ascii(HASH)));
  const signature = await sign(concat(MAGIC, purpose, string(digest)), 'RS512');
  const tagged = string(concat(string(ascii('rsa-sha2-512')), string(signature)));
  const blob = concat(MAGIC, uint32(1), string(publicKeyBlob(key)), purpose, tagged);
  const lines = base64(blob).match(/.{1,70}/g) ?? [];
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
}

/** The public key as a line of `authorized_keys` or, after the signer's name, of `allowed_signers`. */
export function sshPublicKey(key: RsaPublicKey, comment = ''): string {
  return `ssh-rsa ${base64(publicKeyBlob(key))} ${comment}`.trimEnd();
}

function publicKeyBlob({ n, e }: RsaPublicKey): Uint8Array<ArrayBuffer> {
  return concat(string(ascii('ssh-rsa')), string(mpint(e)), string(mpint(n)));
}

/** A positive integer of a JWK as SSH writes it (RFC 4251 section 5): signed, so a set top bit needs a zero octet. */
function mpint(base64url: string): Uint8Array {
  const bytes = Uint8Array.from(atob(base64url.replace(/-/g, '+').replace(/_/g, '/')), (c) =>
    c.charCodeAt(0),
  );
  return (bytes[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), bytes) : bytes;
}

function string(bytes: Uint8Array): Uint8Array {
  return concat(uint32(bytes.length), bytes);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
