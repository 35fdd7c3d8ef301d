/** Public keys, certificates and signatures as SSH sends them, on `node:crypto`. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { concat, toBase64url, utf8 } from '../../base/bytes.ts';
import { strings } from '../../crypto/ssh/encoding.ts';
import { Reader } from '../../crypto/ssh/openssh-key.ts';

/** Curves by the name that SSH gives them. */
export const CURVES: Readonly<Record<string, { crv: string; bytes: number; hash: string }>> = {
  nistp256: { crv: 'P-256', bytes: 32, hash: 'sha256' },
  nistp384: { crv: 'P-384', bytes: 48, hash: 'sha384' },
  nistp521: { crv: 'P-521', bytes: 66, hash: 'sha512' },
};
const CERTIFICATE = '-cert-v01@openssh.com';

/** The type that a key or certificate begins with. */
export function typeOf(blob: Uint8Array): string {
  return new Reader(blob).text();
}

/** The key that a certificate is for, or the key itself; `undefined` for kinds of keys that are not known here. */
export function plainKey(blob: Uint8Array): Uint8Array | undefined {
  const from = new Reader(blob);
  const type = from.text();
  const isCertificate = type.endsWith(CERTIFICATE);
  const base = isCertificate ? type.slice(0, -CERTIFICATE.length) : type;
  if (isCertificate) from.string(); // the nonce
  const parts = [utf8(base), from.string()];
  if (base !== 'ssh-ed25519') parts.push(from.string());
  if (!/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/.test(base)) return undefined;
  if (from.failed || (!isCertificate && from.rest > 0)) return undefined;
  return strings(...parts);
}

/** Whether `signature`, with its algorithm's name in front, is that of `key` over `data`; SHA-1 never is. */
export function verifySsh(key: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const from = new Reader(signature);
  const alg = from.text();
  const bytes = from.string();
  if (from.failed || from.rest > 0) return false;
  const plain = plainKey(key);
  const type = plain && typeOf(plain);
  const fits = type === 'ssh-rsa' ? /^rsa-sha2-(256|512)$/.test(alg) : alg === type;
  if (!plain || !fits) return false;
  try {
    const publicKey = publicKeyObject(plain);
    if (type === 'ssh-ed25519') return verify(null, data, publicKey, bytes);
    if (type === 'ssh-rsa') return verify(alg.endsWith('512') ? 'sha512' : 'sha256', data, publicKey, bytes);
    const curve = CURVES[alg.slice('ecdsa-sha2-'.length)] as (typeof CURVES)[string];
    const rs = new Reader(bytes);
    const fixed = concat(fixedWidth(rs.string(), curve.bytes), fixedWidth(rs.string(), curve.bytes));
    return !rs.failed && verify(curve.hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, fixed);
  } catch {
    return false;
  }
}

/** @throws Error where the numbers are no key */
function publicKeyObject(plain: Uint8Array): KeyObject {
  const from = new Reader(plain);
  const type = from.text();
  const [first, second] = [from.string(), type === 'ssh-ed25519' ? new Uint8Array(0) : from.string()];
  const b64 = toBase64url;
  if (type === 'ssh-ed25519') return fromJwk({ kty: 'OKP', crv: 'Ed25519', x: b64(first) });
  if (type === 'ssh-rsa') return fromJwk({ kty: 'RSA', e: b64(unsigned(first)), n: b64(unsigned(second)) });
  return fromJwk(ecJwk(new TextDecoder().decode(first), second));
}

function fromJwk(key: { kty: string; [member: string]: string }): KeyObject {
  return createPublicKey({ key, format: 'jwk' });
}

/** @throws TypeError for a curve that SSH does not know, or a point that is not uncompressed */
export function ecJwk(name: string, point: Uint8Array): { kty: 'EC'; crv: string; x: string; y: string } {
  const curve = Object.hasOwn(CURVES, name) ? CURVES[name] : undefined;
  if (!curve || point[0] !== 4 || point.length !== 1 + 2 * curve.bytes)
    throw new TypeError('this is not an uncompressed point of a NIST curve');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return { kty: 'EC', crv: curve.crv, x: toBase64url(x), y: toBase64url(y) };
}

/** A positive number without the zero octets in front of it. */
export function unsigned(mpint: Uint8Array): Uint8Array {
  const start = mpint.findIndex((byte) => byte !== 0);
  return start < 0 ? new Uint8Array(0) : mpint.subarray(start);
}

/** A positive number in exactly so many bytes. @throws RangeError if it is longer */
export function fixedWidth(mpint: Uint8Array, length: number): Uint8Array {
  const short = unsigned(mpint);
  if (short.length > length) throw new RangeError('the number is too long');
  return concat(new Uint8Array(length - short.length), short);
}
