import * as v from 'valibot';
import { concat, fromBase64url, wipe } from '../../base/bytes.ts';
import { readOpensshKey } from '../ssh/openssh-key.ts';
import { TAG } from './der.ts';
import { MAX_PEM, readPem } from './pem.ts';
import { readPkcs8 } from './pkcs8.ts';
import { badKey, ed25519Key, type PrivateJwk, p256Key, publicHalf, translate } from './private-jwk.ts';
import { readOpensshRsa, readPkcs1 } from './rsa-forms.ts';

/**
 * A private key as its owner has it: PEM text (PKCS#8, PKCS#1, OpenSSH; not encrypted) as a string or as bytes,
 * PKCS#8 DER bytes, a private JWK, or an extractable CryptoKey.
 */
export type PrivateKeySource = string | Uint8Array | JsonWebKey | CryptoKey;

/**
 * Reads a private key from any of the accepted forms into a private JWK.
 * Of curve keys everything has been checked then; whether an RSA key's numbers fit together is for `rsa-key.ts`.
 *
 * @throws RoamingKeyError `bad_key` if it is encrypted, damaged, of another kind, not extractable, or if its public
 *   half belongs to another key; `unsupported` if the platform lacks the algorithm
 */
export async function readPrivateJwk(source: PrivateKeySource): Promise<PrivateJwk> {
  try {
    const jwk = await read(source);
    publicHalf(jwk);
    return jwk;
  } catch (error) {
    throw translate(error, badKey('damaged'));
  }
}

async function read(source: PrivateKeySource): Promise<PrivateJwk> {
  if (typeof source === 'string') return fromPem(source);
  if (source instanceof Uint8Array) {
    if (source.length > MAX_PEM) throw badKey('too long');
    return source[0] === TAG.sequence ? readPkcs8(source) : fromPem(new TextDecoder().decode(source));
  }
  if (Object.prototype.toString.call(source) !== '[object CryptoKey]') return fromJwk(source);
  const key = source as CryptoKey;
  if (key.type !== 'private') throw badKey('not a private key');
  if (!key.extractable) throw badKey('not extractable');
  return fromJwk(await crypto.subtle.exportKey('jwk', key));
}

async function fromPem(text: string): Promise<PrivateJwk> {
  const { label, bytes } = readPem(text);
  try {
    switch (label) {
      case 'PRIVATE KEY':
        return await readPkcs8(bytes);
      case 'RSA PRIVATE KEY':
        return readPkcs1(bytes);
      case 'OPENSSH PRIVATE KEY':
        return await fromOpenssh(bytes);
      case 'EC PRIVATE KEY':
        throw badKey('an EC key in SEC 1 form: convert it with `openssl pkcs8 -in key.pem -topk8 -nocrypt`');
      default:
        throw badKey(`PEM of ${label} is not a private key of a supported kind`);
    }
  } finally {
    wipe(bytes);
  }
}

async function fromOpenssh(file: Uint8Array): Promise<PrivateJwk> {
  const key = readOpensshKey(file);
  if (!key) throw badKey('a damaged OpenSSH key, or of another kind than Ed25519, P-256 and RSA');
  if (key.type === 'ssh-rsa') return readOpensshRsa(file);
  try {
    return key.type === 'ssh-ed25519' ? await ed25519Key(key.seed, key.x) : await p256Key(key.d, key.point);
  } finally {
    if (key.type === 'ecdsa-sha2-nistp256') wipe(key.d);
  }
}

const text = v.pipe(v.string(), v.maxLength(2048));
/** Members that say how a key is to be used: its owner says that anew by protecting it. */
const usage = {
  kid: v.optional(v.unknown()),
  alg: v.optional(v.unknown()),
  use: v.optional(v.unknown()),
  key_ops: v.optional(v.unknown()),
  ext: v.optional(v.unknown()),
};
const numbers = { n: text, e: text, d: text, p: text, q: text, dp: text, dq: text, qi: text };
const PRIVATE_JWK = v.variant('kty', [
  v.strictObject({ kty: v.literal('OKP'), crv: v.literal('Ed25519'), x: text, d: text, ...usage }),
  v.strictObject({ kty: v.literal('EC'), crv: v.literal('P-256'), x: text, y: text, d: text, ...usage }),
  v.strictObject({ kty: v.literal('RSA'), ...numbers, ...usage }),
]);

async function fromJwk(value: unknown): Promise<PrivateJwk> {
  const result = v.safeParse(PRIVATE_JWK, value, { abortEarly: true });
  if (!result.success) throw badKey('not a private JWK of Ed25519, P-256 or RSA with two primes');
  const jwk = result.output;
  if (jwk.kty === 'RSA') {
    const { kty, n, e, d, p, q, dp, dq, qi } = jwk;
    return { kty, n, e, d, p, q, dp, dq, qi };
  }
  const d = fromBase64url(jwk.d);
  const x = fromBase64url(jwk.x);
  const y = jwk.kty === 'EC' ? fromBase64url(jwk.y) : new Uint8Array(0);
  try {
    if (d?.length !== 32 || x?.length !== 32 || !y) throw badKey('a damaged JWK');
    return jwk.kty === 'EC' ? await p256Key(d, concat(Uint8Array.of(4), x, y)) : await ed25519Key(d, x);
  } finally {
    wipe(d);
  }
}
