import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { concat } from '../base/bytes.ts';

/** A hash function and the length of its values. */
interface Hash {
  (message: Uint8Array): Uint8Array;
  readonly outputLen: number;
}

interface Encoding {
  readonly padding: 'pss' | 'pkcs1';
  readonly hash: Hash;
  /** The DER of DigestInfo up to the digest (RFC 8017 section 9.2, note 1). */
  readonly digestInfo: readonly number[];
}

const DIGEST_INFO = {
  256: digestInfo(1, 32),
  384: digestInfo(2, 48),
  512: digestInfo(3, 64),
};

const ENCODINGS = {
  PS256: { padding: 'pss', hash: sha256, digestInfo: DIGEST_INFO[256] },
  PS384: { padding: 'pss', hash: sha384, digestInfo: DIGEST_INFO[384] },
  PS512: { padding: 'pss', hash: sha512, digestInfo: DIGEST_INFO[512] },
  RS256: { padding: 'pkcs1', hash: sha256, digestInfo: DIGEST_INFO[256] },
  RS384: { padding: 'pkcs1', hash: sha384, digestInfo: DIGEST_INFO[384] },
  RS512: { padding: 'pkcs1', hash: sha512, digestInfo: DIGEST_INFO[512] },
} as const satisfies Record<string, Encoding>;

/** A signature algorithm of RFC 7518 that RSA keys have. */
export type RsaAlgorithm = keyof typeof ENCODINGS;

/** What is signed: a digest, never a message, and never a representative that a peer chose. */
export interface RsaDigest {
  readonly alg: RsaAlgorithm;
  /** The message's hash, of exactly the algorithm's hash length. */
  readonly digest: Uint8Array;
  /** PSS only: random bytes, as many as the hash has. */
  readonly salt?: Uint8Array | undefined;
}

/** Whether a name is one of the six algorithms. */
export function isRsaAlgorithm(name: unknown): name is RsaAlgorithm {
  return typeof name === 'string' && Object.hasOwn(ENCODINGS, name);
}

/** Bytes of the algorithm's digest, and of its salt: 0 for PKCS #1 v1.5, which has none. */
export function rsaDigestLengths(alg: RsaAlgorithm): { digest: number; salt: number } {
  const { hash, padding }: Encoding = ENCODINGS[alg];
  return { digest: hash.outputLen, salt: padding === 'pss' ? hash.outputLen : 0 };
}

/**
 * The encoded message em that RSA signs: EMSA-PSS (RFC 8017 section 9.1.1, MGF1 and salt of the hash's length) or
 * EMSA-PKCS1-v1_5 (section 9.2).
 *
 * @param modulusBits bits of N, a multiple of 8 from 1024
 * @returns len(N) bytes that spell a number below N
 * @throws RangeError where digest or salt has not the algorithm's length
 */
export function encodeRsaDigest(
  { alg, digest, salt }: RsaDigest,
  modulusBits: number,
): Uint8Array<ArrayBuffer> {
  const lengths = rsaDigestLengths(alg);
  if (digest.length !== lengths.digest) throw new RangeError(`${alg} signs ${lengths.digest} bytes`);
  if ((salt?.length ?? 0) !== lengths.salt)
    throw new RangeError(`${alg} needs ${lengths.salt} bytes of salt`);
  if (modulusBits % 8 !== 0 || modulusBits < 1024)
    throw new RangeError('modulusBits: a multiple of 8 from 1024');
  const { padding, hash, digestInfo: info }: Encoding = ENCODINGS[alg];
  const length = modulusBits / 8;
  if (padding === 'pss') return encodePss(hash, digest, salt as Uint8Array, length);
  const fill = new Uint8Array(length - 3 - info.length - digest.length).fill(0xff);
  return concat(Uint8Array.of(0, 1), fill, Uint8Array.of(0), Uint8Array.from(info), digest);
}

/** em = maskedDB ‖ H ‖ 0xbc, its topmost bit clear, since emBits is one less than the modulus has. */
function encodePss(
  hash: Hash,
  digest: Uint8Array,
  salt: Uint8Array,
  length: number,
): Uint8Array<ArrayBuffer> {
  const h = hash(concat(new Uint8Array(8), digest, salt));
  const db = new Uint8Array(length - h.length - 1);
  db[db.length - salt.length - 1] = 1;
  db.set(salt, db.length - salt.length);
  const mask = mgf1(hash, h, db.length);
  for (let i = 0; i < db.length; i++) db[i] = (db[i] as number) ^ (mask[i] as number);
  db[0] = (db[0] as number) & 0x7f;
  return concat(db, h, Uint8Array.of(0xbc));
}

/** The mask generation function MGF1 (RFC 8017 appendix B.2.1). */
export function mgf1(hash: Hash, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let i = 0; i * hash.outputLen < length; i++) {
    const counter = new Uint8Array(4);
    new DataView(counter.buffer).setUint32(0, i);
    blocks.push(hash(concat(seed, counter)));
  }
  return concat(...blocks).subarray(0, length);
}

/** SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.`arc`, NULL }, OCTET STRING of `length` }. */
function digestInfo(arc: number, length: number): readonly number[] {
  const algorithm = [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00];
  return [0x30, algorithm.length + 2 + length, ...algorithm, 0x04, length];
}
