/**
 * Login and registration proofs as they arrive: compact JWS (RFC 7515) of one fixed form (docs/protocol.md section 8).
 * Nothing here is verified; everything that follows works on values of known shape and size.
 */
import * as v from 'valibot';
import { fromBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { sha256 } from '../crypto/sha256-node.ts';
import {
  LOGIN_CLAIMS,
  LOGIN_TYP,
  MAX_LIFETIME,
  REGISTER_CLAIMS,
  REGISTER_TYP,
  readProof,
} from '../protocol/claims.ts';
import { isSignatureLength, PROOF_ALGORITHMS, type ProofAlgorithm, readSentJwk } from './public-key.ts';

const thumbprint = v.pipe(
  v.string(),
  v.check((text) => text.length === 43 && fromBase64url(text)?.length === 32),
);
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

const LOGIN_HEADER = v.strictObject({ ...header, typ: v.literal(LOGIN_TYP) });
const REGISTER_HEADER = v.strictObject({ ...header, typ: v.literal(REGISTER_TYP), jwk: sentJwk });

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
 * Reads a login proof. Its claims are the payload, or hidden: the payload is their hash, and they follow the JWS.
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
  const read = readProof(proof, sha256);
  const head = read && readHeader(read.header, headerSchema);
  const claims = read && v.safeParse(claimsSchema, read.claims, { abortEarly: true });
  if (!head || !claims?.success || read.signature.length === 0) throw malformed();
  const alg = readAlgorithm(head.alg);
  const { signed, signature } = read;
  const { iat, exp } = claims.output;
  if (!isSignatureLength(alg, signature.length) || exp <= iat || exp - iat > MAX_LIFETIME) throw malformed();
  return { header: head, claims: claims.output, alg, signed, signature };
}

function readAlgorithm(name: string): ProofAlgorithm {
  const alg = name === 'EdDSA' ? 'Ed25519' : PROOF_ALGORITHMS.find((known) => known === name);
  if (!alg)
    throw new RoamingKeyError('unsupported', 'the proof is made with an algorithm that is not accepted');
  return alg;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readHeader<T>(bytes: Uint8Array, schema: v.GenericSchema<unknown, T>): T | undefined {
  try {
    const text = decoder.decode(bytes);
    const value: unknown = JSON.parse(text);
    const result = v.safeParse(schema, value, { abortEarly: true });
    return result.success && !hasDuplicates(text, value) ? result.output : undefined;
  } catch {
    return undefined;
  }
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
