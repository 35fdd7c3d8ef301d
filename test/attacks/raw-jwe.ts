/**
 * Compact JWEs by hand: any header text, any payload text, otherwise in order, so that a test shows the one rule it is
 * about and not the authentication tag.
 */
import {
  createCipheriv,
  createECDH,
  createHash,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { AssistantJwk } from '../../lib/crypto/jwe/jwe.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';

const b64 = (data: Uint8Array | string) => Buffer.from(data as string).toString('base64url');

export interface RawOptions {
  readonly typ: string;
  /** Text of the protected header, made from the header an honest sender would write. */
  readonly header?: (header: Record<string, unknown>) => string;
  /** The encoded header, where it is to be spelled in another way. */
  readonly encodedHeader?: (encoded: string) => string;
  /** What is encrypted: text or bytes. */
  readonly payload: string | Uint8Array;
  /** An ephemeral key of the sender's choice, and the shared secret that he expects to come of it. */
  readonly forced?: { readonly epk: object; readonly z: Uint8Array };
  readonly encryptedKey?: Uint8Array;
  readonly ivLength?: number;
  readonly tagLength?: number;
}

/** Concat KDF of RFC 7518 for `ECDH-ES` with A256GCM and no party information. */
function contentKey(z: Uint8Array): Buffer {
  const context = Buffer.concat([
    Buffer.of(0, 0, 0, 7),
    Buffer.from('A256GCM'),
    Buffer.alloc(8),
    Buffer.of(0, 0, 1, 0),
  ]);
  return createHash('sha256')
    .update(Buffer.of(0, 0, 0, 1))
    .update(z)
    .update(context)
    .digest();
}

function agree(jwk: AssistantJwk): { epk: object; z: Uint8Array } {
  const { kid: _kid, use: _use, alg: _alg, ...bare } = jwk;
  const publicKey = createPublicKey({ key: bare as JsonWebKey, format: 'jwk' });
  const own: { privateKey: KeyObject; publicKey: KeyObject } =
    jwk.kty === 'OKP' ? generateKeyPairSync('x25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    epk: own.publicKey.export({ format: 'jwk' }),
    z: diffieHellman({ privateKey: own.privateKey, publicKey }),
  };
}

/** Seals as RFC 7516 says, and as the options bend it. */
export function rawJwe(jwk: AssistantJwk, options: RawOptions): string {
  const { typ, payload, ivLength = 12, tagLength = 16 } = options;
  const isRsa = jwk.kty === 'RSA';
  const { epk, z } = isRsa ? { epk: undefined, z: randomBytes(32) } : (options.forced ?? agree(jwk));
  const cek = isRsa ? z : contentKey(z);
  const alg = isRsa ? 'RSA-OAEP-256' : 'ECDH-ES';
  const header = { alg, enc: 'A256GCM', typ, kid: jwk.kid, ...(epk && { epk }) };
  const text = options.header?.(header) ?? JSON.stringify(header);
  const encoded = options.encodedHeader?.(b64(text)) ?? b64(text);
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv('aes-256-gcm', cek, iv);
  cipher.setAAD(Buffer.from(encoded));
  const ciphertext = Buffer.concat([cipher.update(payload as string, 'utf8'), cipher.final()]);
  const tag = cipher.getAuthTag().subarray(0, tagLength);
  const wrapped = options.encryptedKey ?? (isRsa ? wrap(jwk, cek) : new Uint8Array());
  return [encoded, b64(wrapped), b64(iv), b64(ciphertext), b64(tag)].join('.');
}

function wrap(jwk: AssistantJwk, cek: Uint8Array): Buffer {
  const { kid: _kid, use: _use, alg: _alg, ...bare } = jwk;
  const key = createPublicKey({ key: bare as JsonWebKey, format: 'jwk' });
  return publicEncrypt({ key, oaepHash: 'sha256' }, cek);
}

/** A public point of P-256 with its y bent, so that it lies on another curve. */
export function offCurvePoint(): { kty: 'EC'; crv: 'P-256'; x: string; y: string } {
  const point = createECDH('prime256v1').generateKeys();
  point[64] = (point[64] as number) ^ 1;
  return { kty: 'EC', crv: 'P-256', x: b64(point.subarray(1, 33)), y: b64(point.subarray(33)) };
}

const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Buffer.from(hex, 'hex'));

/**
 * u-coordinates on curve25519 and its twist that lead to an all-zero secret, base64url: in their canonical and their
 * other spellings, each also with the highest bit set, which RFC 7748 has readers ignore.
 */
export const LOW_ORDER_X25519: readonly string[] = SMALL_ORDER.flatMap((point) => {
  const masked = Buffer.from(point);
  masked[31] = (masked[31] as number) | 0x80;
  return [b64(point), b64(masked)];
});
