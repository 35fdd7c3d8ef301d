/**
 * The same JWE profile as `jwe.ts` on node:crypto, for the assistant, whose work this mostly is. The two are held
 * against each other by tests in both directions.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  createPublicKey,
  diffieHellman,
  hash,
  type KeyObject,
  privateDecrypt,
  randomBytes,
} from 'node:crypto';
import { concat, toBase64url, utf8, wipe } from '../../base/bytes.ts';
import { isRoamingKeyError } from '../../base/errors.ts';
import type { EphemeralJwk, SealedJwe } from './jwe.ts';

/**
 * The private operation that opens a message: for ECDH-ES the shared secret Z (32 bytes) with the ephemeral key, for
 * RSA-OAEP-256 the content encryption key (32 bytes). What it returns is wiped after use. What it throws makes the
 * message a damaged one, but for a `RoamingKeyError` `unavailable`, where the key's keeper cannot be reached.
 */
export type Unwrap = (
  request:
    | { readonly alg: 'ECDH-ES'; readonly epk: EphemeralJwk }
    | { readonly alg: 'RSA-OAEP-256'; readonly encryptedKey: Uint8Array },
) => Uint8Array | Promise<Uint8Array>;

/** `Unwrap` for a private key in this process's memory. Points off the curve and all-zero results throw. */
export function localUnwrap(privateKey: KeyObject): Unwrap {
  const onP256 = privateKey.asymmetricKeyType === 'ec' ? agreementOnP256(privateKey) : undefined;
  return (request) => {
    if (request.alg === 'ECDH-ES') {
      if (onP256) return onP256(request.epk);
      const publicKey = createPublicKey({ key: { ...request.epk }, format: 'jwk' });
      return diffieHellman({ privateKey, publicKey });
    }
    return privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
      request.encryptedKey,
    );
  };
}

/** Takes the point as it comes, which costs half of what making a key of it first does; points are checked all the same. */
function agreementOnP256(privateKey: KeyObject): (epk: EphemeralJwk) => Uint8Array {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.from(privateKey.export({ format: 'jwk' }).d as string, 'base64url'));
  return (epk) => {
    if (epk.kty !== 'EC') throw new RangeError('a point of another curve');
    try {
      return ecdh.computeSecret(Buffer.from(`04${hex(epk.x)}${hex(epk.y)}`, 'hex'));
    } catch (error) {
      // As long as for a point that is on the curve.
      ecdh.computeSecret(ecdh.getPublicKey()).fill(0);
      throw error;
    }
  };
}

function hex(coordinate: string): string {
  return Buffer.from(coordinate, 'base64url').toString('hex');
}

const TAG_LENGTH = 16;

const RESPONSE_HEADER = toBase64url(
  utf8(JSON.stringify({ alg: 'dir', enc: 'A256GCM', typ: 'rk-response+jwe' })),
);

const RESPONSE_AAD = utf8(RESPONSE_HEADER);

/** The first round of the Concat KDF, and its context for direct agreement on an A256GCM key, without party information. */
const ROUND = Uint8Array.of(0, 0, 0, 1);
const KDF_CONTEXT = Buffer.from([0, 0, 0, 7, ...utf8('A256GCM'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);

/** Concat KDF (RFC 7518 section 4.6) for one key of 256 bits: a single round, done here without waiting. */
function contentKey(z: Uint8Array): Buffer {
  const input = concat(ROUND, z, KDF_CONTEXT);
  const key = hash('sha256', input, 'buffer');
  wipe(input);
  return key;
}

/**
 * Opens a message whose header has been found to match the key.
 *
 * @returns the payload, or `undefined`; every failure goes through the same steps and tells the same
 * @throws RoamingKeyError `unavailable` where `unwrap` does: the key's keeper cannot be reached
 */
export async function openSealed(jwe: SealedJwe, unwrap: Unwrap): Promise<Uint8Array | undefined> {
  let key: Uint8Array | undefined;
  let secret: Uint8Array | undefined;
  try {
    const unwrapped: unknown = await unwrap(
      jwe.epk ? { alg: 'ECDH-ES', epk: jwe.epk } : { alg: 'RSA-OAEP-256', encryptedKey: jwe.encryptedKey },
    );
    if (unwrapped instanceof Uint8Array && unwrapped.length === 32) {
      secret = unwrapped;
      key = jwe.epk ? contentKey(secret) : secret;
    }
  } catch (error) {
    if (isRoamingKeyError(error, 'unavailable')) throw error;
    // A key that does not unwrap must look like a ciphertext that does not verify (RFC 7516 section 11.5).
  }
  key ??= randomBytes(32);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, jwe.iv, { authTagLength: TAG_LENGTH });
    decipher.setAAD(jwe.aad);
    decipher.setAuthTag(jwe.tag);
    const opened = decipher.update(jwe.ciphertext);
    decipher.final();
    return opened;
  } catch {
    return undefined;
  } finally {
    wipe(key, secret);
  }
}

const IV_LENGTH = 12;
/** Drawn many at a time, which costs a tenth; they are public once used. */
let ivs = Buffer.alloc(0);

function nextIv(): Buffer {
  if (ivs.length === 0) ivs = randomBytes(256 * IV_LENGTH);
  const iv = ivs.subarray(0, IV_LENGTH);
  ivs = ivs.subarray(IV_LENGTH);
  return iv;
}

/** Seals an answer under ρ: `{"alg":"dir","enc":"A256GCM","typ":"rk-response+jwe"}`. */
export function sealResponse(payload: object, rho: Uint8Array): string {
  const iv = nextIv();
  const cipher = createCipheriv('aes-256-gcm', rho, iv, { authTagLength: TAG_LENGTH });
  cipher.setAAD(RESPONSE_AAD);
  const ciphertext = cipher.update(JSON.stringify(payload), 'utf8');
  // Counter mode holds nothing back.
  cipher.final();
  return `${RESPONSE_HEADER}..${toBase64url(iv)}.${toBase64url(ciphertext)}.${toBase64url(cipher.getAuthTag())}`;
}
