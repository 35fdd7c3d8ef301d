/**
 * The one JWE profile of the protocol (docs/protocol.md section 3): compact, A256GCM, protected headers of exactly
 * `alg enc typ kid epk` (no epk for RSA-OAEP, no kid and epk for `dir`), everything canonical.
 */
import * as v from 'valibot';
import { fromBase64url, randomBytes, toBase64url, utf8, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { translate } from '../keys/private-jwk.ts';
import { jwkThumbprint } from '../keys/thumbprint.ts';
import { openGcm, sealGcm } from './aes-gcm.ts';
import { agreeKey, encryptKey } from './jwe-key.ts';

/** The four kinds of message; a JWE of one kind is never taken for another. */
export type JweType = 'rk-ticket+jwe' | 'rk-request+jwe' | 'rk-disable+jwe' | 'rk-response+jwe';

const keyBytes = v.pipe(
  v.string(),
  v.check((text) => isKeyBytes(text)),
);
const X25519_POINT = v.strictObject({ kty: v.literal('OKP'), crv: v.literal('X25519'), x: keyBytes });
const P256_POINT = v.strictObject({
  kty: v.literal('EC'),
  crv: v.literal('P-256'),
  x: keyBytes,
  y: keyBytes,
});
const RSA_EXPONENT = v.literal('AQAB');
const RSA_MODULUS = v.pipe(
  v.string(),
  v.check((text) => {
    const n = fromBase64url(text);
    return n !== undefined && [256, 384, 512].includes(n.length) && (n[0] as number) >= 0x80;
  }),
);
const published = { kid: keyBytes, use: v.optional(v.literal('enc')) };

/** The public half of an assistant's key, as `GET {assistant}/keys` and device records hold it. */
export const ASSISTANT_JWK = v.variant('kty', [
  v.strictObject({ ...X25519_POINT.entries, ...published, alg: v.optional(v.literal('ECDH-ES')) }),
  v.strictObject({ ...P256_POINT.entries, ...published, alg: v.optional(v.literal('ECDH-ES')) }),
  v.strictObject({
    kty: v.literal('RSA'),
    n: RSA_MODULUS,
    e: RSA_EXPONENT,
    ...published,
    alg: v.optional(v.literal('RSA-OAEP-256')),
  }),
]);

/** The public half of an assistant's key; `kid` is its RFC 7638 thumbprint. */
export type AssistantJwk = v.InferOutput<typeof ASSISTANT_JWK>;

/** An ephemeral public key in a header. */
export type EphemeralJwk = v.InferOutput<typeof X25519_POINT> | v.InferOutput<typeof P256_POINT>;

/** A sealed message whose form is in order; nothing in it has been trusted or decrypted yet. */
export interface SealedJwe {
  readonly kid: string;
  readonly alg: 'ECDH-ES' | 'RSA-OAEP-256';
  readonly epk: EphemeralJwk | undefined;
  readonly encryptedKey: Uint8Array<ArrayBuffer>;
  /** The header as it was sent: the additional authenticated data. */
  readonly aad: Uint8Array<ArrayBuffer>;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly ciphertext: Uint8Array<ArrayBuffer>;
  readonly tag: Uint8Array<ArrayBuffer>;
}

/**
 * Takes a compact JWE apart, strictly.
 *
 * @returns its parts, or `undefined` where it departs from the profile in anything
 */
export function parseSealed(jwe: string, typ: JweType): SealedJwe | undefined {
  const parts = jwe.split('.');
  if (parts.length !== 5) return undefined;
  const [header, encryptedKey, iv, ciphertext, tag] = parts.map(fromBase64url);
  if (!header || !encryptedKey || iv?.length !== 12 || !ciphertext || tag?.length !== 16) return undefined;
  const read = readHeader(header);
  if (read?.typ !== typ) return undefined;
  const epk = read.alg === 'ECDH-ES' ? read.epk : undefined;
  if ((epk === undefined) === (encryptedKey.length === 0)) return undefined;
  return {
    kid: read.kid,
    alg: read.alg,
    epk,
    encryptedKey,
    aad: utf8(parts[0] as string),
    iv,
    ciphertext,
    tag,
  };
}

interface SealedHeader extends Pick<SealedJwe, 'kid' | 'alg' | 'epk'> {
  readonly typ: unknown;
}

/** By hand, since an assistant does it twice for every request: exactly the profile's members, each of its form. */
function readHeader(header: Uint8Array): SealedHeader | undefined {
  const value = readHeaderJson(header);
  if (!hasMembers(value, 'alg', 'enc', 'typ', 'kid', 'epk') && !hasMembers(value, 'alg', 'enc', 'typ', 'kid'))
    return undefined;
  const { alg, enc, typ, kid, epk } = value;
  if (enc !== 'A256GCM' || !isKeyBytes(kid)) return undefined;
  if (alg === 'RSA-OAEP-256') return epk === undefined ? { alg, typ, kid, epk } : undefined;
  return alg === 'ECDH-ES' && isPoint(epk) ? { alg, typ, kid, epk } : undefined;
}

function isPoint(epk: unknown): epk is EphemeralJwk {
  if (hasMembers(epk, 'kty', 'crv', 'x'))
    return epk['kty'] === 'OKP' && epk['crv'] === 'X25519' && isKeyBytes(epk['x']);
  if (!hasMembers(epk, 'kty', 'crv', 'x', 'y')) return false;
  return epk['kty'] === 'EC' && epk['crv'] === 'P-256' && isKeyBytes(epk['x']) && isKeyBytes(epk['y']);
}

/** Whether a value is an object of these members and no others. */
function hasMembers(value: unknown, ...names: readonly string[]): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== names.length) return false;
  return names.every((name) => Object.hasOwn(value, name));
}

/** Whether a value is 32 bytes in base64url. */
function isKeyBytes(value: unknown): value is string {
  return typeof value === 'string' && value.length === 43 && fromBase64url(value) !== undefined;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Any order of members and blanks between them will do, but no member may stand twice. */
function readHeaderJson(header: Uint8Array): unknown {
  try {
    const text = decoder.decode(header);
    const value: unknown = JSON.parse(text);
    const canonical = JSON.stringify(value);
    return canonical === text || canonical === text.replace(/[ \t\r\n]/g, '') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The algorithm that goes with an assistant's key. */
export function sealingAlg(jwk: AssistantJwk): 'ECDH-ES' | 'RSA-OAEP-256' {
  return jwk.kty === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES';
}

/** Whether a message names the algorithm and the curve of this key. */
export function matchesKey(jwe: SealedJwe, jwk: AssistantJwk): boolean {
  if (jwe.kid !== jwk.kid || jwe.alg !== sealingAlg(jwk)) return false;
  return jwk.kty === 'RSA' || (jwe.epk?.kty === jwk.kty && jwe.epk.crv === jwk.crv);
}

/** Values that sealing would otherwise draw at random: for decoys, and for replaying a dialogue. */
export interface SealingRandomness {
  /** Private JWK of the ephemeral key. */
  readonly epk?: Partial<Record<'kty' | 'crv' | 'x' | 'y' | 'd', string>>;
  /** 12 bytes. */
  readonly iv?: Uint8Array;
}

/**
 * Seals a payload to an assistant's key.
 *
 * @throws RoamingKeyError `bad_record` if the key is no point of its curve or of small order; `unsupported` if the
 *   platform lacks its algorithm
 */
export async function seal(
  payload: object,
  typ: JweType,
  jwk: AssistantJwk,
  randomness: SealingRandomness = {},
): Promise<string> {
  const key = await (jwk.kty === 'RSA' ? encryptKey(jwk) : agreeKey(jwk, randomness.epk)).catch((cause) => {
    const message = "the assistant's public key cannot be used";
    throw translate(cause, new RoamingKeyError('bad_record', message, { cause }));
  });
  try {
    const { epk } = key;
    const header = { alg: sealingAlg(jwk), enc: 'A256GCM', typ, kid: jwk.kid, ...(epk && { epk }) };
    return await write(header, key.encryptedKey, payload, key.cek, randomness.iv);
  } finally {
    wipe(key.cek);
  }
}

/** Seals a payload under a symmetric key that both sides hold (`alg: dir`). */
export async function sealDirect(
  payload: object,
  typ: JweType,
  key: Uint8Array,
  iv?: Uint8Array,
): Promise<string> {
  return write({ alg: 'dir', enc: 'A256GCM', typ }, new Uint8Array(0), payload, key, iv);
}

async function write(
  header: object,
  encryptedKey: Uint8Array,
  payload: object,
  cek: Uint8Array,
  iv: Uint8Array = randomBytes(12),
): Promise<string> {
  const head = toBase64url(utf8(JSON.stringify(header)));
  const plaintext = utf8(JSON.stringify(payload));
  try {
    const { ciphertext, tag } = await sealGcm(cek, iv, utf8(head), plaintext);
    return [head, ...[encryptedKey, iv, ciphertext, tag].map(toBase64url)].join('.');
  } finally {
    wipe(plaintext);
  }
}

const DIRECT_HEADER = v.strictObject({ alg: v.literal('dir'), enc: v.literal('A256GCM'), typ: v.string() });

/**
 * Opens what `sealDirect` made.
 *
 * @returns the payload, or `undefined` where header, key or ciphertext are not right
 */
export async function openDirect(
  jwe: string,
  typ: JweType,
  key: Uint8Array,
): Promise<Uint8Array | undefined> {
  const parts = jwe.split('.');
  if (parts.length !== 5) return undefined;
  const [header, encryptedKey, iv, ciphertext, tag] = parts.map(fromBase64url);
  if (!header || encryptedKey?.length !== 0 || iv?.length !== 12 || !ciphertext || !tag) return undefined;
  const read = v.safeParse(DIRECT_HEADER, readHeaderJson(header));
  if (!read.success || read.output.typ !== typ) return undefined;
  try {
    return await openGcm(key, utf8(parts[0] as string), { iv, ciphertext, tag });
  } catch {
    return undefined;
  }
}

/** The key material of an assistant's key alone, without kid, use and alg. */
function bareJwk(jwk: AssistantJwk): Record<string, string> {
  const { kid: _kid, use: _use, alg: _alg, ...bare } = jwk;
  return bare;
}

/**
 * Reads an assistant's public JWK and checks that its `kid` is its thumbprint (RFC 7638, SHA-256).
 *
 * @returns the key, or `undefined` where tickets cannot be sealed to it
 */
export async function readAssistantJwk(value: unknown): Promise<AssistantJwk | undefined> {
  const result = v.safeParse(ASSISTANT_JWK, value);
  if (!result.success) return undefined;
  return (await jwkThumbprint(bareJwk(result.output))) === result.output.kid ? result.output : undefined;
}
