/**
 * Login and registration proofs as they arrive: compact JWS (RFC 7515) of one fixed form (docs/protocol.md section 8).
 * Nothing here is verified; everything that follows works on values of known shape and size.
 */
import * as v from 'valibot';
import { fromBase64url, toBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readProof } from '../protocol/claims.ts';
import { isSignatureLength, PROOF_ALGORITHMS, type ProofAlgorithm, readSentJwk } from './public-key.ts';

/** The largest proof, in characters: a registration of an RSA key of 8192 bits, with room. */
export const MAX_PROOF = 8192;
/** The longest time between a proof's iat and exp, in seconds. */
export const MAX_LIFETIME = 120;
const MAX_ACCOUNT = 256;

const seconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const thumbprint = v.pipe(
  v.string(),
  v.check((text) => text.length === 43 && fromBase64url(text)?.length === 32),
);
const account = v.pipe(v.string(), v.check(isAccountName));
const claims = {
  aud: v.pipe(v.string(), v.maxLength(512)),
  sub: account,
  nonce: v.pipe(v.string(), v.maxLength(128)),
  iat: seconds,
  exp: seconds,
  jti: v.pipe(v.string(), v.nonEmpty(), v.maxLength(128)),
};
const header = { alg: v.pipe(v.string(), v.maxLength(32)), kid: thumbprint };

const sentJwk = v.pipe(
  v.looseObject({}),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const read = readSentJwk(dataset.value);
    if (read) return read;
    addIssue({ message: 'a public key expected' });
    return NEVER;
  }),
);

const LOGIN_HEADER = v.strictObject({ ...header, typ: v.literal('rk-login+jwt') });
const LOGIN_CLAIMS = v.strictObject(claims);
const REGISTER_HEADER = v.strictObject({ ...header, typ: v.literal('rk-register+jwt'), jwk: sentJwk });
const REGISTER_CLAIMS = v.strictObject({ ...claims, u: thumbprint });

interface Parsed<Header, Claims> {
  readonly header: Header;
  readonly claims: Claims;
  /** One of those that keys are registered with; `EdDSA` reads as `Ed25519`. */
  readonly alg: ProofAlgorithm;
  /** What the signature is over. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}
export type ParsedLogin = Parsed<v.InferOutput<typeof LOGIN_HEADER>, v.InferOutput<typeof LOGIN_CLAIMS>>;
export type ParsedRegistration = Parsed<
  v.InferOutput<typeof REGISTER_HEADER>,
  v.InferOutput<typeof REGISTER_CLAIMS>
>;

/**
 * Whether a name may be an account's: 1 to 256 characters, no control characters (databases choke on some) and no
 * lone surrogates (which have no UTF-8).
 */
export function isAccountName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_ACCOUNT && !/[\p{Cc}\p{Cs}]/u.test(name);
}

/**
 * Reads a login proof.
 *
 * @throws RoamingKeyError `invalid_request` for anything but the one form, `unsupported` for another algorithm
 */
export function parseLogin(proof: string): ParsedLogin {
  return parse(proof, LOGIN_HEADER, LOGIN_CLAIMS);
}

/** Reads a registration proof, which also bears the public key and its disabling name; as {@link parseLogin}. */
export function parseRegistration(proof: string): ParsedRegistration {
  return parse(proof, REGISTER_HEADER, REGISTER_CLAIMS);
}

function parse<H extends { readonly alg: string }, C extends { readonly iat: number; readonly exp: number }>(
  proof: string,
  headerSchema: v.GenericSchema<unknown, H>,
  claimsSchema: v.GenericSchema<unknown, C>,
): Parsed<H, C> {
  const proven = readProof(proof);
  const claims = proven && v.safeParse(claimsSchema, proven.claims, { abortEarly: true });
  if (!proven || !claims?.success) throw malformed();
  const { signed, signature } = proven;
  const read = { header: readJson(toBase64url(proven.header), headerSchema), claims: claims.output };
  const alg = readAlgorithm(read.header.alg);
  if (!isSignatureLength(alg, signature.length)) throw malformed();
  const { iat, exp } = read.claims;
  if (exp <= iat || exp - iat > MAX_LIFETIME) throw malformed();
  return { ...read, alg, signed, signature };
}

function readAlgorithm(name: string): ProofAlgorithm {
  const alg = name === 'EdDSA' ? 'Ed25519' : PROOF_ALGORITHMS.find((known) => known === name);
  if (!alg)
    throw new RoamingKeyError('unsupported', 'the proof is made with an algorithm that is not accepted');
  return alg;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readJson<T>(part: string, schema: v.GenericSchema<unknown, T>): T {
  const bytes = fromBase64url(part);
  if (!bytes) throw malformed();
  let text: string;
  let value: unknown;
  try {
    text = decoder.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw malformed();
  }
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (!result.success || hasDuplicates(text, value)) throw malformed();
  return result.output;
}

/**
 * Whether a JSON text names a member twice (RFC 7515 section 4 forbids it; `JSON.parse` keeps the last and is silent).
 * JSON has one colon outside strings per member, so a colon more than there are members is a duplicate. Other
 * implementations may set blanks and escapes as they like, so the text need not be what `JSON.stringify` makes.
 */
function hasDuplicates(text: string, value: unknown): boolean {
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1;
  return colons !== countMembers(value);
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members = Object.values(value);
  return members.reduce<number>(
    (sum, member) => sum + countMembers(member),
    Array.isArray(value) ? 0 : members.length,
  );
}

function malformed(): RoamingKeyError {
  return new RoamingKeyError('invalid_request', 'the proof is not of the form that is expected');
}
