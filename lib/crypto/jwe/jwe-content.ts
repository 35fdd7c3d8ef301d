import { concat, equalBytes } from '../../base/bytes.ts';
import { damaged, decrypt, importAes, openGcm, own, type SealedContent, sealGcm } from './aes-gcm.ts';

const CONTENT_ENCRYPTIONS = {
  A128GCM: { cekLength: 16, ivLength: 12, tagLength: 16 },
  A192GCM: { cekLength: 24, ivLength: 12, tagLength: 16 },
  A256GCM: { cekLength: 32, ivLength: 12, tagLength: 16 },
  'A128CBC-HS256': { cekLength: 32, ivLength: 16, tagLength: 16 },
  'A192CBC-HS384': { cekLength: 48, ivLength: 16, tagLength: 24 },
  'A256CBC-HS512': { cekLength: 64, ivLength: 16, tagLength: 32 },
} as const;

/** A content encryption of RFC 7518 section 5. */
export type ContentEncryption = keyof typeof CONTENT_ENCRYPTIONS;

/** Whether a name is one of the six content encryptions. */
export function isContentEncryption(name: unknown): name is ContentEncryption {
  return typeof name === 'string' && Object.hasOwn(CONTENT_ENCRYPTIONS, name);
}

/** Bytes of the content encryption key, the initialisation vector and the tag. */
export function contentEncryptionLengths(enc: ContentEncryption): {
  readonly cekLength: number;
  readonly ivLength: number;
  readonly tagLength: number;
} {
  return CONTENT_ENCRYPTIONS[enc];
}

/**
 * Encrypts a JWE's content (RFC 7518 section 5).
 *
 * @param cek the content encryption key, which the caller wipes
 * @param iv fresh for every content under one key
 * @param aad ASCII of the encoded protected header
 */
export async function sealContent(
  enc: ContentEncryption,
  cek: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<SealedContent> {
  checkLengths(enc, cek, iv);
  if (!isCbc(enc)) return sealGcm(cek, iv, aad, plaintext);
  const half = cek.length / 2;
  const key = await importAes('AES-CBC', cek.subarray(half), 'encrypt');
  const algorithm = { name: 'AES-CBC', iv: own(iv) };
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(algorithm, key, own(plaintext)));
  return { iv, ciphertext, tag: await cbcTag(cek.subarray(0, half), aad, iv, ciphertext) };
}

/**
 * Decrypts a JWE's content; no byte of it is released before its tag was found right.
 *
 * @throws RoamingKeyError `invalid_request` where key, header or content do not belong together, `unsupported` where
 *   the runtime lacks the cipher (192-bit keys in some browsers)
 */
export async function openContent(
  enc: ContentEncryption,
  cek: Uint8Array,
  aad: Uint8Array,
  { iv, ciphertext, tag }: SealedContent,
): Promise<Uint8Array<ArrayBuffer>> {
  const { tagLength } = checkLengths(enc, cek, iv);
  if (tag.length !== tagLength) throw damaged();
  if (!isCbc(enc)) return openGcm(cek, aad, { iv, ciphertext, tag });
  const half = cek.length / 2;
  const key = await importAes('AES-CBC', cek.subarray(half), 'decrypt');
  if (!equalBytes(await cbcTag(cek.subarray(0, half), aad, iv, ciphertext), tag)) throw damaged();
  return decrypt({ name: 'AES-CBC', iv: own(iv) }, key, own(ciphertext));
}

/**
 * Undoes AES key wrapping (RFC 3394) of a content encryption key.
 *
 * @param kek 16, 24 or 32 bytes, which the caller wipes
 * @returns the key, which the caller wipes
 * @throws RoamingKeyError `invalid_request` where the wrapping does not fit, `unsupported` as for `openContent`
 */
export async function unwrapKey(kek: Uint8Array, wrapped: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const key = await importAes('AES-KW', kek, 'unwrapKey');
  try {
    // WebCrypto unwraps into keys alone; an HMAC key may have any length and gives its bytes back.
    const hmac = { name: 'HMAC', hash: 'SHA-256' };
    const cek = await crypto.subtle.unwrapKey('raw', own(wrapped), key, 'AES-KW', hmac, true, ['sign']);
    return new Uint8Array(await crypto.subtle.exportKey('raw', cek));
  } catch (cause) {
    throw damaged(cause);
  }
}

/**
 * Finds out, without a secret, whether the runtime has AES with keys of `length` bytes.
 *
 * @throws RoamingKeyError `unsupported` where it has not
 */
export async function requireAes(name: 'AES-GCM' | 'AES-CBC' | 'AES-KW', length: number): Promise<void> {
  await importAes(name, new Uint8Array(length), name === 'AES-KW' ? 'unwrapKey' : 'decrypt');
}

/** Whether the content encryption is CBC with HMAC, whose key is MAC key ‖ AES key. */
export function isCbc(enc: ContentEncryption): boolean {
  return enc.includes('CBC');
}

/** The first half of HMAC(aad ‖ iv ‖ ciphertext ‖ bits of aad) (RFC 7518 section 5.2.2.1). */
async function cbcTag(
  macKey: Uint8Array,
  aad: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const copy = own(macKey);
  try {
    const algorithm = { name: 'HMAC', hash: `SHA-${16 * macKey.length}` };
    const key = await crypto.subtle.importKey('raw', copy, algorithm, false, ['sign']);
    const bits = new Uint8Array(8);
    new DataView(bits.buffer).setBigUint64(0, 8n * BigInt(aad.length));
    const mac = await crypto.subtle.sign('HMAC', key, concat(aad, iv, ciphertext, bits));
    return new Uint8Array(mac).slice(0, macKey.length);
  } finally {
    copy.fill(0);
  }
}

function checkLengths(enc: ContentEncryption, cek: Uint8Array, iv: Uint8Array) {
  const lengths = CONTENT_ENCRYPTIONS[enc];
  if (cek.length !== lengths.cekLength || iv.length !== lengths.ivLength) throw damaged();
  return lengths;
}
