/** RSA keys in PKCS#1 and OpenSSH form. node-rsa is loaded only where its forms are needed. */
import { bytesToNumberBE, numberToVarBytesBE } from '@noble/curves/utils.js';
import { toBase64url } from '../../base/bytes.ts';
import { readDerInside, TAG } from './der.ts';
import { badKey, MAX_KEY_BYTES, type RsaPrivateJwk } from './private-jwk.ts';

/**
 * Reads an RSAPrivateKey of two primes; whether its numbers fit together is not looked at here.
 *
 * Ours and not node-rsa's, which skips the version (a third prime), signs and surplus bytes.
 *
 * @throws RoamingKeyError `bad_key` if it is damaged, has three primes, or a number that is not positive
 * @see RFC 8017 appendix A.1.2
 */
export function readPkcs1(der: Uint8Array): RsaPrivateJwk {
  if (der.length > MAX_KEY_BYTES) throw badKey('too long');
  const [version, ...values] = readDerInside(der, TAG.sequence) ?? [];
  if (version?.tag !== TAG.integer || version.body.length !== 1) throw badKey('a damaged RSA key');
  if (version.body[0] !== 0) throw badKey('not an RSA key of two primes');
  if (values.length !== 8 || values.some(({ tag }) => tag !== TAG.integer)) throw badKey('a damaged RSA key');
  const numbers = values.map(({ body }) => positive(body));
  const [n = '', e = '', d = '', p = '', q = '', dp = '', dq = '', qi = ''] = numbers;
  return { kty: 'RSA', n, e, d, p, q, dp, dq, qi };
}

/** A positive DER integer in its one spelling, as Base64urlUInt. */
function positive(body: Uint8Array): string {
  const [first = 0, second = 0] = body;
  const isPadded = first === 0;
  if (first >= 0x80 || (isPadded && second < 0x80))
    throw badKey('an RSA key with a number that is not positive');
  return toBase64url(isPadded ? body.subarray(1) : body);
}

/**
 * Reads the RSA key in an OpenSSH file whose frame has been checked.
 *
 * @throws RoamingKeyError `bad_key` if it is damaged
 */
export async function readOpensshRsa(file: Uint8Array): Promise<RsaPrivateJwk> {
  if (file.length > MAX_KEY_BYTES) throw badKey('too long');
  const { default: NodeRSA } = await import('node-rsa');
  const key = new NodeRSA();
  try {
    return components(key.importKey(file, 'openssh-private-der'));
  } catch {
    throw badKey('a damaged RSA key');
  }
}

/** The RSAPrivateKey inside a PKCS#8 that has been checked; the caller wipes it. */
export async function writePkcs1(pkcs8: Uint8Array): Promise<Uint8Array> {
  const { default: NodeRSA } = await import('node-rsa');
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
