/** Deterministic sealing: the same bytes give the same ticket, which the assistant opens like any other. */
import {
  constants,
  createCipheriv,
  createECDH,
  createPrivateKey,
  createPublicKey,
  publicEncrypt,
} from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, toBase64url, utf8, xor } from '../../base/bytes.ts';
import { type AssistantJwk, seal } from '../../crypto/jwe/jwe.ts';
import { mgf1 } from '../../crypto/rsa-encoding.ts';
import { i2osp, os2ip } from '../../math/integer.ts';
import { p256 } from '../../math/p256.ts';
import type { Stream } from '../service-secret.ts';

/** PKCS#8 of an X25519 and of an Ed25519 private key, up to its 32 bytes (RFC 8410). */
const PKCS8 = { X25519: '302e020100300506032b656e04220420', Ed25519: '302e020100300506032b657004220420' };

/** Seals a ticket's payload to an assistant's key; ephemeral key, initialisation vector and all come from `stream`. */
export async function sealDecoy(payload: object, jwk: AssistantJwk, stream: Stream): Promise<string> {
  const iv = stream('iv', 12);
  if (jwk.kty === 'RSA') return sealToRsa(payload, jwk, iv, stream);
  const epk = jwk.kty === 'OKP' ? okpKey('X25519', stream('epk', 32)) : p256Key(stream('epk', 48));
  return seal(payload, 'rk-ticket+jwe', jwk, { iv, epk });
}

/** The key pair of 32 bytes, as a private JWK. */
export function okpKey(crv: keyof typeof PKCS8, bytes: Uint8Array): JsonWebKey & { kty: 'OKP'; x: string } {
  const der = Buffer.concat([Buffer.from(PKCS8[crv], 'hex'), bytes]);
  const { x, d } = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  return { kty: 'OKP', crv, x: x as string, d: d as string };
}

/** A key pair on P-256 as a private JWK, from 48 bytes, so that all are as good as equally likely. */
export function p256Key(bytes: Uint8Array): JsonWebKey & { kty: 'EC'; x: string; y: string } {
  const d = i2osp((os2ip(bytes) % (p256.q - 1n)) + 1n, 32);
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(d);
  const point = pair.getPublicKey();
  return {
    kty: 'EC',
    crv: 'P-256',
    x: toBase64url(point.subarray(1, 33)),
    y: toBase64url(point.subarray(33)),
    d: toBase64url(d),
  };
}

function sealToRsa(
  payload: object,
  jwk: AssistantJwk & { kty: 'RSA' },
  iv: Uint8Array,
  stream: Stream,
): string {
  const header = { alg: 'RSA-OAEP-256', enc: 'A256GCM', typ: 'rk-ticket+jwe', kid: jwk.kid };
  const head = toBase64url(utf8(JSON.stringify(header)));
  const key = createPublicKey({ key: { kty: jwk.kty, n: jwk.n, e: jwk.e }, format: 'jwk' });
  const cek = stream('cek', 32);
  const length = (key.asymmetricKeyDetails?.modulusLength as number) / 8;
  const encryptedKey = publicEncrypt(
    { key, padding: constants.RSA_NO_PADDING },
    encodeOaep(cek, stream('seed', 32), length),
  );
  const cipher = createCipheriv('aes-256-gcm', cek, iv);
  cipher.setAAD(utf8(head));
  const ciphertext = concat(cipher.update(JSON.stringify(payload), 'utf8'), cipher.final());
  return [head, ...[encryptedKey, iv, ciphertext, cipher.getAuthTag()].map(toBase64url)].join('.');
}

/** EME-OAEP with SHA-256 and no label (RFC 8017 section 7.1.1), its seed given. */
function encodeOaep(message: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  const db = new Uint8Array(length - 33);
  db.set(sha256(new Uint8Array()));
  db[db.length - message.length - 1] = 1;
  db.set(message, db.length - message.length);
  const maskedDb = xor(db, mgf1(sha256, seed, db.length));
  return concat(Uint8Array.of(0), xor(seed, mgf1(sha256, maskedDb, 32)), maskedDb);
}
