/** Public keys that users log in with, and signatures by them (RFC 7515, 7517, 7518, 7638, 8037, 9864). */
import { constants, createHash, createPublicKey, type JsonWebKey, randomBytes, verify } from 'node:crypto';
import * as v from 'valibot';
import { fromBase64url } from '../base/bytes.ts';
import {
  type DhJwk,
  MAX_RSA_BITS,
  MIN_RSA_BITS,
  type PublicJwk as ProtectedJwk,
  PUBLIC_JWK,
} from '../crypto/keys/public-jwk.ts';

/** What a key may be registered to prove with. */
export const PROOF_ALGORITHMS = ['Ed25519', 'ES256', 'PS256', 'RS256'] as const;
export type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number];

/** A public key that signs: Ed25519, P-256, or RSA of 2048 to 8192 bits. */
export type LoginJwk = Exclude<ProtectedJwk, DhJwk>;

/** A public key that is well-formed and long enough. */
export interface ReadLoginJwk {
  readonly jwk: LoginJwk;
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly jkt: string;
  /** What it can prove with, the default first. */
  readonly algs: readonly ProofAlgorithm[];
}

/**
 * Reads a public key that the app has stored, in its own words: members that a thumbprint is not made of are dropped.
 *
 * @returns `undefined` for other kinds of keys, weak ones among them
 */
export function readStoredJwk(jwk: unknown): ReadLoginJwk | undefined {
  const { kty, crv, x, y, n, e } = (jwk ?? {}) as Readonly<Record<string, unknown>>;
  if (kty === 'OKP') return readSentJwk({ crv, kty, x });
  if (kty === 'EC') return readSentJwk({ crv, kty, x, y });
  if (kty === 'RSA') return readSentJwk({ e, kty, n });
  return undefined;
}

/** Reads a public key that a stranger sends: no member that is not needed, so nothing private either. */
export function readSentJwk(jwk: unknown): ReadLoginJwk | undefined {
  const result = v.safeParse(PUBLIC_JWK, jwk, { abortEarly: true });
  if (!result.success || result.output.kty === 'DH') return undefined;
  const read = inThumbprintOrder(result.output);
  const jkt = createHash('sha256').update(JSON.stringify(read)).digest('base64url');
  return { jwk: read, jkt, algs: ALGORITHMS[read.kty] };
}

/** Whether a signature has a length that any key of the algorithm could have made. */
export function isSignatureLength(alg: ProofAlgorithm, length: number): boolean {
  if (alg === 'Ed25519' || alg === 'ES256') return length === 64;
  return length >= MIN_RSA_BITS / 8 && length <= MAX_RSA_BITS / 8;
}

/**
 * Verifies a signature, in time that depends on the proof alone (and on e, where that is not 65537). Without a key, or
 * with one that could not have made a signature of this form, it verifies against a stand-in key.
 *
 * @param jwk the key, if there is one that may prove with `alg`
 */
export function verifySignature(
  alg: ProofAlgorithm,
  jwk: LoginJwk | undefined,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  // Made, and looked at, whether it is needed or not.
  const standIn = decoy(alg, signature);
  const fits = couldSign(jwk ?? standIn, signature) && jwk !== undefined;
  const key = fits ? jwk : standIn;
  try {
    const good = verify(
      alg === 'Ed25519' ? null : 'sha256',
      data,
      { key: createPublicKey({ key: key as JsonWebKey, format: 'jwk' }), ...PARAMETERS[alg] },
      signature,
    );
    return good && fits;
  } catch {
    return false;
  }
}

const ALGORITHMS: Readonly<Record<LoginJwk['kty'], readonly ProofAlgorithm[]>> = {
  OKP: ['Ed25519'],
  EC: ['ES256'],
  RSA: ['PS256', 'RS256'],
};

const PARAMETERS = {
  Ed25519: {},
  ES256: { dsaEncoding: 'ieee-p1363' },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  RS256: { padding: constants.RSA_PKCS1_PADDING },
} as const;

/** Generators of the two curves: points that are on them, and as good as any for taking as long. */
const ED25519_DECOY = ['WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY'].map(decoded);
const P256_DECOY = [
  'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY',
  'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
].map(decoded);
/** By their length in bytes, the smaller first. */
const RSA_DECOYS = new Map<number, readonly [typical: Buffer, large: Buffer]>();
/** How the modulus of an RSA key begins on the average, on which it depends how soon a wrong padding is seen. */
const TYPICAL = 0xc4;

function decoded(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

/**
 * Stand-in key, so that an unknown account costs as much as a known one. Its text is rebuilt per call (V8 caches strings)
 * and its modulus is random (all ones verify measurably faster). Anyone can sign for some stand-ins: callers
 * must ignore a success.
 */
export function decoy(alg: ProofAlgorithm, signature: Uint8Array): LoginJwk {
  const text = (bytes: Buffer | undefined) => bytes?.toString('base64url') ?? '';
  if (alg === 'Ed25519') return { crv: 'Ed25519', kty: 'OKP', x: text(ED25519_DECOY[0]) };
  if (alg === 'ES256') return { crv: 'P-256', kty: 'EC', x: text(P256_DECOY[0]), y: text(P256_DECOY[1]) };
  const { length } = signature;
  const [typical, large] = RSA_DECOYS.get(length) ?? [modulus(length, TYPICAL), modulus(length, 0xff)];
  RSA_DECOYS.set(length, [typical, large]);
  return { e: 'AQAB', kty: 'RSA', n: text(Buffer.compare(signature, typical) < 0 ? typical : large) };
}

/** An odd number; the large one is above every signature, but for those that are above all other moduli as well. */
function modulus(length: number, first: number): Buffer {
  const n = randomBytes(length).fill(first, 0, first === 0xff ? 8 : 1);
  n[length - 1] = (n[length - 1] as number) | 1;
  return n;
}

/** An RSA signature is as long as its modulus and smaller; OpenSSL would say no to others at once. */
function couldSign(jwk: LoginJwk, signature: Uint8Array): boolean {
  if (jwk.kty !== 'RSA') return true;
  const n = fromBase64url(jwk.n) as Uint8Array;
  return n.length === signature.length && Buffer.compare(signature, n) < 0;
}

function inThumbprintOrder(jwk: LoginJwk): LoginJwk {
  if (jwk.kty === 'OKP') return { crv: jwk.crv, kty: jwk.kty, x: jwk.x };
  if (jwk.kty === 'EC') return { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y };
  return { e: jwk.e, kty: jwk.kty, n: jwk.n };
}
