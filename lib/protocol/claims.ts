/**
 * Proofs of login and registration (docs/protocol.md section 8): a compact JWS, and the claims beside it where the
 * payload hides them.
 *
 * The assistant sees what an `ed25519` key signs. So there the payload is only a hash h of the claims C, and C follows
 * the JWS after a `~`. C has 16 random bytes in `jti`, so that h tells the assistant neither account nor app.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { concat, equalBytes, fromBase64url, type Sha256, toBase64url, utf8 } from '../base/bytes.ts';
import { bytes, parsePayload, readValue, seconds } from '../base/json.ts';

export const LOGIN_TYP = 'rk-login+jwt';
export const REGISTER_TYP = 'rk-register+jwt';
/** The largest proof, in characters: a registration of an RSA key of 8192 bits, with room. */
export const MAX_PROOF = 8192;
/** The longest claims that a payload may hide, in bytes. */
export const MAX_HIDDEN_CLAIMS = 4096;
/** The longest time between a proof's iat and exp, in seconds. */
export const MAX_LIFETIME = 120;
const MAX_ACCOUNT = 256;

/**
 * Whether a name may be an account's: 1 to 256 characters, no control characters (databases choke on some) and no
 * lone surrogates (which have no UTF-8).
 */
export function isAccountName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_ACCOUNT && !/[\p{Cc}\p{Cs}]/u.test(name);
}

const claims = {
  aud: v.pipe(v.string(), v.maxLength(512)),
  sub: v.pipe(v.string(), v.check(isAccountName)),
  nonce: v.pipe(v.string(), v.maxLength(128)),
  iat: seconds,
  exp: seconds,
  jti: v.pipe(v.string(), v.nonEmpty(), v.maxLength(128)),
};
const name = v.pipe(
  v.string(),
  v.check((text) => fromBase64url(text)?.length === 32),
);

/** The claims of a login. */
export const LOGIN_CLAIMS = v.strictObject(claims);
/** The claims of a registration: u is the name under which the key can be disabled. */
export const REGISTER_CLAIMS = v.strictObject({ ...claims, u: name });

const LABEL = utf8('roaming-key/1 claims\0');
const HIDDEN = v.strictObject({ h: bytes(32) });

/** What is signed in place of claims, and what follows the JWS. */
export interface HiddenClaims {
  /** The JWS's payload, as JSON. */
  readonly payload: string;
  /** `~` and the claims. */
  readonly suffix: string;
}

/**
 * Hides a proof's claims from the assistant that helps to sign it.
 *
 * @throws RangeError for claims of more than 4096 bytes
 */
export function hideClaims(claims: object): HiddenClaims {
  const c = utf8(JSON.stringify(claims));
  if (c.length > MAX_HIDDEN_CLAIMS)
    throw new RangeError(`claims must have at most ${MAX_HIDDEN_CLAIMS} bytes, not ${c.length}`);
  return { payload: JSON.stringify({ h: toBase64url(hashClaims(c)) }), suffix: `~${toBase64url(c)}` };
}

/** h = SHA-256("roaming-key/1 claims" ‖ 0x00 ‖ C). */
function hashClaims(c: Uint8Array, hash: Sha256 = sha256): Uint8Array {
  return hash(concat(LABEL, c));
}

/** A proof taken apart; nothing of it is verified but h. */
export interface ReadProof {
  /** The protected header's bytes. */
  readonly header: Uint8Array;
  /** The claims, parsed. */
  readonly claims: unknown;
  /** What the signature is over. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Takes a proof apart: a JWS whose payload is the claims, or a JWS of their hash, `~` and the claims.
 *
 * @param hash SHA-256, where the platform has a faster one
 * @returns `undefined` for anything else, and where the hash is another
 */
export function readProof(proof: string, hash: Sha256 = sha256): ReadProof | undefined {
  if (proof.length > MAX_PROOF) return undefined;
  const [jws, hidden, ...more] = proof.split('~') as [string, ...string[]];
  const parts = jws.split('.');
  const [header, payload, signature] = parts.map(fromBase64url);
  if (more.length > 0 || parts.length !== 3 || !header || !payload || !signature) return undefined;
  const read = { header, signed: utf8(jws.slice(0, jws.lastIndexOf('.'))), signature };
  if (hidden === undefined) {
    const claims = parsePayload(payload);
    return claims === undefined ? undefined : { ...read, claims };
  }
  const h = readValue(parsePayload(payload), HIDDEN)?.h;
  const c = fromBase64url(hidden);
  if (!h || !c || c.length > MAX_HIDDEN_CLAIMS || !equalBytes(h, hashClaims(c, hash))) return undefined;
  const claims = parsePayload(c);
  return claims === undefined ? undefined : { ...read, claims };
}
