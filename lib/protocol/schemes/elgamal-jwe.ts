/**
 * Ciphertexts of the `elgamal` scheme: hashed ElGamal in the frame of a compact JWE (docs/protocol.md section 5).
 *
 * On P-256 they are the standard's `ECDH-ES`, alone or with AES key wrapping (RFC 7518 section 4.6), so that any JOSE
 * library can encrypt to a device. In the groups of RFC 7919 the same frame has names of its own: `RK-FFDH-ES`, and
 * `epk` of kty `DH`. The device reads a ciphertext in two steps: what it must send to the assistant comes out of the
 * first, after every check that needs no secret; plaintext comes out of the second, after the AEAD's own check.
 */
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { fromBase64url, randomBytes, toBase64url, utf8, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { concatKdf } from '../../crypto/jwe/concat-kdf.ts';
import {
  type ContentEncryption,
  contentEncryptionLengths,
  isCbc,
  isContentEncryption,
  openContent,
  requireAes,
  sealContent,
  unwrapKey,
} from '../../crypto/jwe/jwe-content.ts';
import {
  type ElgamalPublicKey,
  elgamalPublicJwk,
  randomExponent,
  readElgamalPublicJwk,
} from './elgamal-keys.ts';

const FFDH = 'RK-FFDH-ES';
/** Bits of the key-wrapping key; none where the agreed key encrypts the content itself. */
const WRAPPING_BITS: Readonly<Record<string, number | undefined>> = {
  'ECDH-ES+A128KW': 128,
  'ECDH-ES+A192KW': 192,
  'ECDH-ES+A256KW': 256,
};
const REFUSED_HEADERS = ['zip', 'crit', 'p2c', 'p2s', 'b64'];

/** A ciphertext that passed every check short of decryption. */
export interface ElgamalCiphertext {
  /** The ephemeral key in its group's encoding: what the assistant is asked about. */
  readonly w: Uint8Array;
  /** What remains to be done once Z is known. */
  readonly sealed: {
    readonly alg: string;
    readonly enc: ContentEncryption;
    readonly apu?: Uint8Array | undefined;
    readonly apv?: Uint8Array | undefined;
    readonly encryptedKey: Uint8Array;
    readonly aad: Uint8Array;
    readonly iv: Uint8Array;
    readonly ciphertext: Uint8Array;
    readonly tag: Uint8Array;
  };
}

/**
 * Reads a compact JWE that was made for `publicKey`, before anything is sent.
 *
 * @throws RoamingKeyError `invalid_request` for a JWE that is malformed or whose ephemeral key is not in the key's
 *   group, `unsupported` for another algorithm, for compression, critical extensions or password-based members, and
 *   where the runtime lacks the cipher
 */
export async function readElgamalJwe(jwe: string, publicKey: ElgamalPublicKey): Promise<ElgamalCiphertext> {
  const segments = jwe.split('.');
  const [head, encryptedKey, iv, ciphertext, tag] = segments.map(fromBase64url);
  if (segments.length !== 5 || !head || !encryptedKey || !iv || !ciphertext || !tag) {
    throw malformed('is no compact JWE');
  }
  const header = parseHeader(head);
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) throw unsupported(`its header has ${refused}`);
  const { alg, enc, epk } = header;
  if (!isAlgorithm(alg, publicKey) || !isContentEncryption(enc)) {
    throw unsupported('this key does not decrypt its algorithms');
  }
  const ephemeral = readElgamalPublicJwk(epk);
  if (ephemeral === undefined || ephemeral.group.name !== publicKey.group.name) {
    throw malformed("has no ephemeral key in this key's group");
  }
  const [apu, apv] = [partyInfo(header['apu']), partyInfo(header['apv'])];
  const lengths = contentEncryptionLengths(enc);
  const wrapping = WRAPPING_BITS[alg];
  const wrappedLength = wrapping === undefined ? 0 : lengths.cekLength + 8;
  if (
    encryptedKey.length !== wrappedLength ||
    iv.length !== lengths.ivLength ||
    tag.length !== lengths.tagLength ||
    (isCbc(enc) && (ciphertext.length === 0 || ciphertext.length % 16 !== 0))
  ) {
    throw malformed('has parts of wrong lengths');
  }
  if (wrapping !== undefined) await requireAes('AES-KW', wrapping / 8);
  await requireAes(
    isCbc(enc) ? 'AES-CBC' : 'AES-GCM',
    isCbc(enc) ? lengths.cekLength / 2 : lengths.cekLength,
  );
  const aad = utf8(segments[0] as string);
  const w = ephemeral.group.encode(ephemeral.y);
  return { w, sealed: { alg, enc, apu, apv, encryptedKey, aad, iv, ciphertext, tag } };
}

/**
 * Decrypts what `readElgamalJwe` read.
 *
 * @param z the Diffie-Hellman secret of w and the key, which the caller wipes
 * @throws RoamingKeyError `invalid_request` where the ciphertext is damaged or was made for another key
 */
export async function openElgamalJwe(
  { sealed }: ElgamalCiphertext,
  z: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const { alg, enc, apu, apv, encryptedKey, aad } = sealed;
  const wrapping = WRAPPING_BITS[alg];
  const { cekLength } = contentEncryptionLengths(enc);
  const context =
    wrapping === undefined ? { algorithm: enc, bits: 8 * cekLength } : { algorithm: alg, bits: wrapping };
  let agreed: Uint8Array | undefined;
  let cek: Uint8Array | undefined;
  try {
    agreed = await concatKdf(z, { ...context, apu, apv });
    cek = wrapping === undefined ? agreed : await unwrapKey(agreed, encryptedKey);
    return await openContent(enc, cek, aad, sealed);
  } finally {
    wipe(agreed, cek);
  }
}

/** How `encryptTo` encrypts. */
export interface EncryptToOptions {
  /** The content encryption. Default A256GCM. */
  readonly enc?: ContentEncryption;
  /** Randomness for the groups of RFC 7919; P-256 takes the platform's. */
  readonly random?: (length: number) => Uint8Array;
}

/**
 * Encrypts to a device's public key; the sender needs neither password nor assistant.
 *
 * @param publicJwk an EC key on P-256, or one of kty `DH`
 * @returns a compact JWE of alg `ECDH-ES` or `RK-FFDH-ES`
 * @throws RoamingKeyError `bad_key` where `publicJwk` is no public key in one of the four groups
 */
export async function encryptTo(
  publicJwk: unknown,
  plaintext: Uint8Array,
  { enc = 'A256GCM', random = randomBytes }: EncryptToOptions = {},
): Promise<string> {
  const publicKey = readElgamalPublicJwk(publicJwk);
  if (publicKey === undefined)
    throw new RoamingKeyError('bad_key', 'the public key is in none of the groups');
  const { group, y } = publicKey;
  if (group.name === 'P-256') {
    const header = { alg: 'ECDH-ES', enc };
    return new CompactEncrypt(plaintext)
      .setProtectedHeader(header)
      .encrypt({ ...elgamalPublicJwk(publicKey) });
  }
  const k = randomExponent(group, random);
  const epk = elgamalPublicJwk({ group, y: group.exp(group.generator, k) });
  const head = toBase64url(utf8(JSON.stringify({ alg: FFDH, enc, epk })));
  const { cekLength, ivLength } = contentEncryptionLengths(enc);
  const z = group.secret(group.exp(y, k));
  let cek: Uint8Array | undefined;
  try {
    cek = await concatKdf(z, { algorithm: enc, bits: 8 * cekLength });
    const { iv, ciphertext, tag } = await sealContent(enc, cek, random(ivLength), utf8(head), plaintext);
    return [head, '', toBase64url(iv), toBase64url(ciphertext), toBase64url(tag)].join('.');
  } finally {
    wipe(z, cek);
  }
}

function isAlgorithm(alg: unknown, { group }: ElgamalPublicKey): alg is string {
  if (typeof alg !== 'string') return false;
  return group.name === 'P-256' ? alg === 'ECDH-ES' || Object.hasOwn(WRAPPING_BITS, alg) : alg === FFDH;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    );
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) {
      return header as Record<string, unknown>;
    }
  } catch {
    // Reported below, as for every other header that is not an object.
  }
  throw malformed('has no header');
}

function partyInfo(member: unknown): Uint8Array | undefined {
  if (member === undefined) return undefined;
  const bytes = typeof member === 'string' ? fromBase64url(member) : undefined;
  if (bytes === undefined) throw malformed('has party information that is not base64url');
  return bytes;
}

function malformed(what: string): RoamingKeyError {
  return new RoamingKeyError('invalid_request', `the ciphertext ${what}`);
}

function unsupported(why: string): RoamingKeyError {
  return new RoamingKeyError('unsupported', `the ciphertext cannot be decrypted: ${why}`);
}
