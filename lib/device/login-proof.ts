/** The device's half of a login (docs/protocol.md section 8): a challenge is fetched, a proof is signed and posted. */
import * as v from 'valibot';
import { randomBytes, toBase64url, utf8 } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import type { KeyUse } from '../crypto/keys/private-key.ts';
import { type PublicJwk, thumbprint } from '../crypto/keys/public-jwk.ts';
import { hideClaims, LOGIN_TYP, MAX_LIFETIME, REGISTER_TYP } from '../protocol/claims.ts';
import { send, type TransportOptions } from './transport.ts';

/** Algorithms in which a login can be proven. */
export type LoginAlg = 'Ed25519' | 'ES256' | 'PS256' | 'RS256';

/** Algorithms of signatures (RFC 7518, RFC 9864). */
export type SignatureAlg = Exclude<KeyUse, 'ECDH-ES' | 'RSA-OAEP-256'>;

/** Something that signs with the key of `jwk`, be it a CryptoKey or device and assistant together. */
export interface Signer {
  readonly alg: SignatureAlg;
  readonly jwk: PublicJwk;
  /** Whether the assistant sees what is signed. */
  readonly isSeen?: boolean;
  sign(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** Where and as whom to log in. */
export interface LoginTarget {
  /** Where the proof is posted, such as `https://app.example/login`. */
  readonly url: string;
  /** The account's name at that app. */
  readonly account: string;
  /** Where challenges are made. Default: `url` followed by `/challenge`. */
  readonly challengeUrl?: string;
  /**
   * The app's origin, which the proof is made for. Default: that of `url`. Comes from the caller and never from the
   * app's answer, so that a phishing site gets a proof that is worthless elsewhere.
   */
  readonly audience?: string;
  /** More headers to send, such as a session cookie where `fetch` keeps none. */
  readonly headers?: Record<string, string>;
  /** How a browser treats cookies. Default `same-origin`. */
  readonly credentials?: RequestCredentials;
}

/** What the app answered. */
export interface RelyingPartyAnswer {
  /** The answer's JSON; `undefined` without one. */
  readonly body: unknown;
  /** For a client without a cookie jar: `headers.getSetCookie()`. */
  readonly headers: Headers;
}

const CHALLENGE = v.looseObject({
  challenge: v.pipe(v.string(), v.nonEmpty(), v.maxLength(1024)),
  expiresIn: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  now: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  audience: v.optional(v.pipe(v.string(), v.maxLength(2048))),
});

/**
 * Proves possession of a key to an app.
 *
 * @param kind `login`, or `register` with the u under which the key can be disabled (base64url)
 * @throws RoamingKeyError `refused`, `disabled`, `busy`, `unavailable`, `network`, `bad_response`
 * @throws TypeError for a URL that is neither https nor on the loopback
 */
export async function prove(
  signer: Signer,
  kind: { readonly type: 'login' } | { readonly type: 'register'; readonly u: string },
  options: LoginTarget,
  transport: TransportOptions,
): Promise<RelyingPartyAnswer> {
  const { url, account, challengeUrl = `${url.replace(/\/+$/, '')}/challenge` } = options;
  for (const [name, value] of Object.entries({ url, challengeUrl })) {
    if (readSecureUrl(value) === undefined)
      throw new TypeError(`${name} must be an https URL, or http on the loopback`);
  }
  transport.onProgress?.({ phase: 'proving' });
  const { audience = new URL(url).origin, headers, credentials = 'same-origin' } = options;
  const asked = v.safeParse(
    CHALLENGE,
    (await send(challengeUrl, { body: {}, headers, credentials }, transport)).body,
  );
  if (!asked.success) throw new RoamingKeyError('bad_response', 'the app sent no challenge');
  const { challenge, expiresIn, now, audience: demanded = audience } = asked.output;
  // Only compared, so that the user learns why this app would refuse. What is signed is the caller's.
  if (demanded !== audience)
    throw new RoamingKeyError(
      'refused',
      `the app at ${url} takes proofs for ${demanded}, and this one would be for ${audience}: use the app's own address, or name its \`audience\``,
    );
  const claims = {
    aud: audience,
    sub: account,
    nonce: challenge,
    iat: now,
    exp: now + Math.min(expiresIn, MAX_LIFETIME),
    jti: toBase64url(randomBytes(16)),
  };
  const proof =
    kind.type === 'login'
      ? await sign(signer, { typ: LOGIN_TYP }, claims)
      : await sign(signer, { typ: REGISTER_TYP, jwk: signer.jwk }, { ...claims, u: kind.u });
  return send(url, { body: { proof }, headers, credentials }, transport);
}

/** Registers a key at several apps, with the u under which it can be disabled (base64url). */
export async function registerAt(
  parties: readonly LoginTarget[],
  signer: Signer,
  u: string,
  transport: TransportOptions,
): Promise<void> {
  for (const party of parties) await prove(signer, { type: 'register', u }, party, transport);
}

async function sign(signer: Signer, header: object, claims: object): Promise<string> {
  const kid = await thumbprint(signer.jwk);
  const encode = (text: string) => toBase64url(utf8(text));
  const { payload, suffix } = signer.isSeen
    ? hideClaims(claims)
    : { payload: JSON.stringify(claims), suffix: '' };
  const input = `${encode(JSON.stringify({ alg: signer.alg, ...header, kid }))}.${encode(payload)}`;
  return `${input}.${toBase64url(await signer.sign(utf8(input)))}${suffix}`;
}

const OPERATION: Partial<Record<SignatureAlg, AlgorithmIdentifier | RsaPssParams | EcdsaParams>> = {
  Ed25519: { name: 'Ed25519' },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  PS384: { name: 'RSA-PSS', saltLength: 48 },
  PS512: { name: 'RSA-PSS', saltLength: 64 },
};
const PKCS1 = { name: 'RSASSA-PKCS1-v1_5' };

/** A signer on a private CryptoKey that was imported for `alg`. */
export function cryptoKeySigner(key: CryptoKey, alg: SignatureAlg, jwk: PublicJwk): Signer {
  return {
    alg,
    jwk,
    sign: async (data) => new Uint8Array(await crypto.subtle.sign(OPERATION[alg] ?? PKCS1, key, data)),
  };
}

/**
 * Whether data would parse as a JWS of this protocol, which a general signature must never be (section 8). Other
 * verifiers may be laxer than this package: may skip blanks, padding and foreign characters in base64, or end at the
 * padding; read UTF-16, names in any case, a list for its only entry, and the first of two members of one name.
 */
export function isProofInput(data: Uint8Array): boolean {
  const dot = data.indexOf(0x2e);
  if (dot < 0) return false;
  const head = new TextDecoder('latin1').decode(data.subarray(0, dot));
  return [head, head.replace(/=.*$/s, '')].some((base64) => hasProofType(decodeLaxly(base64)));
}

function hasProofType(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  const members = text.matchAll(/("(?:[^"\\]|\\.)*")(?:\s*:[\s[]*("(?:[^"\\]|\\.)*"))?/g);
  return [...members].some(
    ([, name = '""', value = '""']) =>
      /^\s*typ\s*$/i.test(JSON.parse(name)) && /^\s*(application\/)?rk-/i.test(JSON.parse(value)),
  );
}

/** From the first object on, one character a byte; zero bytes, which UTF-16 has, left out. */
function decodeLaxly(base64: string): string {
  const digits = base64
    .replace(/-/g, '+')
    .replace(/_/g, '/')
    .replace(/[^A-Za-z0-9+/]/g, '');
  const text = atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits).replaceAll('\0', '');
  return text.slice(Math.max(0, text.indexOf('{')));
}
