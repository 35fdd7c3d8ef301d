import * as v from 'valibot';
import { fromBase64url } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { jwkThumbprint } from './thumbprint.ts';

/** A public signing key on edwards25519 (RFC 8037): `x` is 32 bytes. */
export interface Ed25519Jwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** A public key on P-256 (RFC 7518 section 6.2): `x` and `y` are 32 bytes each. */
export interface P256Jwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** A public RSA key (RFC 7518 section 6.3): `n` of 2048 to 8192 bits, `e` odd, from 65537, at most 8 bytes. */
export interface RsaJwk {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
}

/** A public key in a group of RFC 7919 (docs/protocol.md section 5): `y` is as long as the group's p. */
export interface DhJwk {
  readonly kty: 'DH';
  readonly group: 'ffdhe2048' | 'ffdhe3072' | 'ffdhe4096';
  readonly y: string;
}

/** A public key of a kind that can be protected; all members base64url of fixed length. */
export type PublicJwk = Ed25519Jwk | P256Jwk | RsaJwk | DhJwk;

export const MIN_RSA_BITS = 2048;
export const MAX_RSA_BITS = 8192;
export const MIN_RSA_EXPONENT = 65537n;
const MAX_RSA_EXPONENT_BYTES = 8;

const MAX_TEXT = Math.ceil((MAX_RSA_BITS / 8) * (4 / 3));

const member = (isGood: (bytes: Uint8Array) => boolean) =>
  v.pipe(
    v.string(),
    v.maxLength(MAX_TEXT),
    v.check((text) => {
      const bytes = fromBase64url(text);
      return bytes !== undefined && isGood(bytes);
    }),
  );
const exactly = (length: number) => member((bytes) => bytes.length === length);

const dh = <G extends DhJwk['group']>(group: G, length: number) =>
  v.strictObject({ kty: v.literal('DH'), group: v.literal(group), y: exactly(length) });

/**
 * The form of a public key, as far as it can be judged without curve or group arithmetic. `readPublicJwk` also
 * looks whether P-256 coordinates lie on the curve; whether `y` lies in its group is for the group's code.
 */
export const PUBLIC_JWK = v.variant('kty', [
  v.strictObject({ kty: v.literal('OKP'), crv: v.literal('Ed25519'), x: member(isEd25519Point) }),
  v.strictObject({ kty: v.literal('EC'), crv: v.literal('P-256'), x: exactly(32), y: exactly(32) }),
  v.strictObject({ kty: v.literal('RSA'), n: member(isModulus), e: member(isExponent) }),
  v.variant('group', [dh('ffdhe2048', 256), dh('ffdhe3072', 384), dh('ffdhe4096', 512)]),
]);

const P25519 = 2n ** 255n - 19n;
const ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
/** y-coordinates of the eight points of small order: of order 4, 1, 2, and 8. */
const SMALL_ORDER: readonly bigint[] = [0n, 1n, P25519 - 1n, ORDER_8, P25519 - ORDER_8];

/** Refuses second spellings, and the points of small order, under which anybody's signature would verify. */
function isEd25519Point(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  const y = readNumber(bytes.slice().reverse()) & (2n ** 255n - 1n);
  return y < P25519 && !SMALL_ORDER.includes(y);
}

function isModulus(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const bits = bytes.length * 8 - (Math.clz32(first) - 24);
  return first !== 0 && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && isOdd(bytes);
}

function isExponent(bytes: Uint8Array): boolean {
  return (
    bytes.length <= MAX_RSA_EXPONENT_BYTES &&
    (bytes[0] ?? 0) !== 0 &&
    isOdd(bytes) &&
    readNumber(bytes) >= MIN_RSA_EXPONENT
  );
}

/** A short big-endian number, without the arithmetic that a page loads only for shared keys. */
function readNumber(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

function isOdd(bytes: Uint8Array): boolean {
  return ((bytes.at(-1) ?? 0) & 1) === 1;
}

/**
 * Reads a public JWK strictly: exactly the members of its kind, canonical base64url, fixed lengths, no private member.
 *
 * @param value anything, say a parsed JSON text
 * @throws RoamingKeyError `bad_key` if it is no Ed25519, P-256, RSA or DH key of the forms above, if P-256
 *   coordinates are not on the curve, or if an Ed25519 point has small order
 * @see RFC 7517, RFC 7518 section 6, RFC 8037; docs/protocol.md sections 3 and 5
 */
export async function readPublicJwk(value: unknown): Promise<PublicJwk> {
  const result = v.safeParse(PUBLIC_JWK, value, { abortEarly: true });
  if (!result.success) {
    const at = v.getDotPath(result.issues[0]);
    throw new RoamingKeyError('bad_key', `not a public key of a supported kind${at ? ` (${at})` : ''}`);
  }
  const jwk = result.output;
  if (jwk.kty === 'EC') {
    try {
      await crypto.subtle.importKey('jwk', { ...jwk }, { name: 'ECDSA', namedCurve: 'P-256' }, false, [
        'verify',
      ]);
    } catch {
      throw new RoamingKeyError('bad_key', 'the coordinates are not on the curve P-256');
    }
  }
  return jwk;
}

/**
 * The thumbprint of a public key: SHA-256 over its required members in lexicographic order, as base64url.
 * For kty `DH` these are `group`, `kty`, `y`.
 *
 * @see RFC 7638
 */
export async function thumbprint(jwk: PublicJwk): Promise<string> {
  return jwkThumbprint({ ...jwk });
}
