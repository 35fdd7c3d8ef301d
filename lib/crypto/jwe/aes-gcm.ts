import { concat } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';

const TAG_LENGTH = 16;

/** The encrypted part of a JWE, decoded. */
export interface SealedContent {
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/**
 * Encrypts by AES-GCM with a tag of 16 bytes.
 *
 * @param cek 16, 24 or 32 bytes, which the caller wipes
 * @param iv 12 bytes, fresh for every content under one key
 */
export async function sealGcm(
  cek: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<SealedContent> {
  const key = await importAes('AES-GCM', cek, 'encrypt');
  const algorithm = { name: 'AES-GCM', iv: own(iv), additionalData: own(aad) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, key, own(plaintext)));
  return { iv, ciphertext: sealed.slice(0, -TAG_LENGTH), tag: sealed.slice(-TAG_LENGTH) };
}

/**
 * Decrypts what `sealGcm` made.
 *
 * @throws RoamingKeyError `invalid_request` where key, header or content do not belong together, `unsupported` where
 *   the runtime lacks the cipher
 */
export async function openGcm(
  cek: Uint8Array,
  aad: Uint8Array,
  { iv, ciphertext, tag }: SealedContent,
): Promise<Uint8Array<ArrayBuffer>> {
  if (tag.length !== TAG_LENGTH) throw damaged();
  const key = await importAes('AES-GCM', cek, 'decrypt');
  const algorithm = { name: 'AES-GCM', iv: own(iv), additionalData: own(aad) };
  return decrypt(algorithm, key, concat(ciphertext, tag));
}

/**
 * A key for one use of AES.
 *
 * @throws RoamingKeyError `unsupported` where the runtime lacks the cipher or the length
 */
export async function importAes(name: string, bytes: Uint8Array, usage: KeyUsage): Promise<CryptoKey> {
  const copy = own(bytes);
  try {
    return await crypto.subtle.importKey('raw', copy, name, false, [usage]);
  } catch (cause) {
    const bits = 8 * bytes.length;
    throw new RoamingKeyError('unsupported', `this runtime has no ${name} with ${bits} bits`, { cause });
  } finally {
    copy.fill(0);
  }
}

/**
 * WebCrypto's decryption in this package's words.
 *
 * @throws RoamingKeyError `invalid_request` where key and data do not belong together
 */
export async function decrypt(
  algorithm: AesGcmParams | AesCbcParams,
  key: CryptoKey,
  data: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, data));
  } catch (cause) {
    throw damaged(cause);
  }
}

/** The one error for whatever does not decrypt. */
export function damaged(cause?: unknown): RoamingKeyError {
  const message = 'the ciphertext is damaged or was not made for this key';
  return new RoamingKeyError('invalid_request', message, cause === undefined ? {} : { cause });
}

/** A copy on memory of its own, as WebCrypto's types ask for. */
export function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
