/** RSA keys in PKCS#1 and OpenSSH form. node-rsa is loaded only where its forms are needed. */

import { bytesToNumberBE, hexToBytes, numberToVarBytesBE } from '@noble/curves/utils.js';
import { fromBase64url, toBase64url, wipe } from '../../base/bytes.ts';
import { loaded } from '../../base/load.ts';
import { readDerInside, TAG, writeDer } from './der.ts';
import { badKey, MAX_KEY_BYTES, type RsaPrivateJwk } from './private-jwk.ts';

/** rsaEncryption, RFC 8017 appendix A.1. */
export const RSA_OID = '2a864886f70d010101';

/**
 * Reads an RSAPrivateKey of two primes; whether its numbers fit together is not looked at here.
 *
 * Ours and not node-rsa's, which skips the version (a third prime), signs and surplus bytes.
 *
 * @throws RoamingKeyError `bad_key` if it is damaged, or has three primes
 * @see RFC 8017 appendix A.1.2
 */
export function readPkcs1(der: Uint8Array): RsaPrivateJwk {
  if (der.length > MAX_KEY_BYTES) throw badKey('too long');
  const [version, ...values] = readDerInside(der, TAG.sequence) ?? [];
  if (version?.tag !== TAG.integer || version.body.length !== 1) throw badKey('a damaged RSA key');
  if (version.body[0] !== 0) throw badKey('not an RSA key of two primes');
  if (values.length !== 8 || values.some(({ tag }) => tag !== TAG.integer)) throw badKey('a damaged RSA key');
  const numbers = values.map(({ body }) => unsigned(body));
  const [n = '', e = '', d = '', p = '', q = '', dp = '', dq = '', qi = ''] = numbers;
  return { kty: 'RSA', n, e, d, p, q, dp, dq, qi };
}

/**
 * A DER integer as Base64urlUInt. Some programs write no sign octet, others more than one: no number of an RSA key is
 * negative, so OpenSSL reads all of them as unsigned.
 */
function unsigned(body: Uint8Array): string {
  const start = body.findIndex((byte) => byte !== 0);
  return toBase64url(start < 0 ? new Uint8Array(0) : body.subarray(start));
}

/** PKCS#8 of an RSA key as WebCrypto exports it; the caller wipes it. */
export function rsaPkcs8({ n, e, d, p, q, dp, dq, qi }: RsaPrivateJwk): Uint8Array<ArrayBuffer> {
  const integers = [n, e, d, p, q, dp, dq, qi].map((text) => {
    const bytes = fromBase64url(text) as Uint8Array;
    return writeDer(TAG.integer, Uint8Array.of(...((bytes[0] as number) >= 0x80 ? [0] : [])), bytes);
  });
  const zero = writeDer(TAG.integer, Uint8Array.of(0));
  const algorithm = writeDer(TAG.sequence, writeDer(TAG.oid, hexToBytes(RSA_OID)), writeDer(TAG.null));
  const key = writeDer(TAG.sequence, zero, ...integers);
  try {
    return writeDer(TAG.sequence, zero, algorithm, writeDer(TAG.octetString, key));
  } finally {
    wipe(key, ...integers);
  }
}

/**
 * Reads the RSA key in an OpenSSH file whose frame has been checked.
 *
 * @throws RoamingKeyError `bad_key` if it is damaged
 */
export async function readOpensshRsa(file: Uint8Array): Promise<RsaPrivateJwk> {
  if (file.length > MAX_KEY_BYTES) throw badKey('too long');
  const { default: NodeRSA } = await loaded(import('node-rsa'));
  const key = new NodeRSA();
  try {
    return components(key.importKey(file, 'openssh-private-der'));
  } catch {
    throw badKey('a damaged RSA key');
  }
}

/** The RSAPrivateKey inside a PKCS#8 that has been checked; the caller wipes it. */
export async function writePkcs1(pkcs8: Uint8Array): Promise<Uint8Array> {
  const { default: NodeRSA } = await loaded(import('node-rsa'));
  return new NodeRSA(pkcs8, 'pkcs8-der').exportKey('pkcs1-der');
}

function components(key: import('node-rsa').NodeRSA): RsaPrivateJwk {
  const { n, e, d, p, q, dmp1, dmq1, coeff } = key.exportKey('components-private');
  const text = (value: Uint8Array | number) =>
    toBase64url(numberToVarBytesBE(typeof value === 'number' ? BigInt(value) : bytesToNumberBE(value)));
  return {
    kty: 'RSA',
    n: text(n),
    e: text(e),
    d: text(d),
    p: text(p),
    q: text(q),
    dp: text(dmp1),
    dq: text(dmq1),
    qi: text(coeff),
  };
}
