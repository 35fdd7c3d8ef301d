import * as v from 'valibot';
import { concat, fromBase64url, wipe } from '../../base/bytes.ts';
import { readOpensshKey } from '../ssh/openssh-key.ts';
import { TAG } from './der.ts';
import { MAX_PEM, readPem } from './pem.ts';
import { readPkcs8, readSec1 } from './pkcs8.ts';
import {
  badKey,
  ed25519Key,
  type PrivateJwk,
  p256Key,
  publicHalf,
  toLength,
  translate,
} from './private-jwk.ts';
import { readOpensshRsa, readPkcs1 } from './rsa-forms.ts';

/**
 * A private key as its owner has it: PEM text (PKCS#8, PKCS#1, SEC 1, OpenSSH; not encrypted) as a string or as bytes,
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
        return await readSec1(bytes, true);
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
const numbers = { n: text, e: text, d: text, p: text, q: text, dp: text, dq: text, qi: text };
/** Other members are ignored (RFC 7517 section 4): they say nothing about the key, or how it was used before. */
const PRIVATE_JWK = v.variant('kty', [
  v.object({ kty: v.literal('OKP'), crv: v.literal('Ed25519'), x: text, d: text }),
  v.object({ kty: v.literal('EC'), crv: v.literal('P-256'), x: text, y: text, d: text }),
  v.object({ kty: v.literal('RSA'), ...numbers, oth: v.optional(v.never()) }),
]);

async function fromJwk(value: unknown): Promise<PrivateJwk> {
  const result = v.safeParse(PRIVATE_JWK, value, { abortEarly: true });
  if (!result.success) {
    const at = v.getDotPath(result.issues[0]);
    throw badKey(`not a private JWK of Ed25519, P-256 or RSA with two primes${at ? ` (see ${at})` : ''}`);
  }
  const jwk = result.output;
  if (jwk.kty === 'RSA') {
    const { oth: _oth, ...members } = jwk;
    return members;
  }
  const d = fromBase64url(jwk.d);
  const [x, y] = [jwk.x, jwk.kty === 'EC' ? jwk.y : ''].map((member) => fromBase64url(member));
  try {
    if (!d || !x || !y) throw badKey('a damaged JWK');
    if (jwk.kty === 'OKP') return await ed25519Key(d, x);
    const point = [toLength(x, 32), toLength(y, 32)].map((half) => half ?? new Uint8Array(0));
    return await p256Key(d, concat(Uint8Array.of(4), ...point));
  } finally {
    wipe(d);
  }
}
