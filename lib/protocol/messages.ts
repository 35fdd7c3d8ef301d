/**
 * Request γ, its MAC δ, and the answer (docs/protocol.md section 4).
 *
 * The device proves with δ that it holds the record (so that strangers cannot make the assistant count a guess) and
 * with β inside γ that its user knows the password. The answer comes back under ρ, a key that only the sender of γ
 * knows.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { type Sha256, toBase64url, utf8 } from '../base/bytes.ts';
import { isWireErrorCode, type WireErrorCode } from '../base/errors.ts';
import { bytes, parsePayload, readPayload, readValue, seconds } from '../base/json.ts';
import { ASSISTANT_JWK } from '../crypto/jwe/jwe.ts';

/** What can be asked of the assistant. `retire` goes with every scheme, the others with one each. */
export type Operation = 'retrieve' | 'sign' | 'decrypt' | 'retire';

/** Limits in bytes (docs/protocol.md section 3). */
export const MAX_BODY = 32 * 1024;
export const MAX_TICKET = 16 * 1024;
export const MAX_REQUEST = 8 * 1024;
/** How far the clocks of device and assistant may be apart, in seconds. */
export const MAX_CLOCK_SKEW = 300;
/** How long after its iat a request's number is remembered, in seconds. */
export const REPLAY_WINDOW = 900;

/** The body of `POST {assistant}/assist`. */
export const ASSIST_BODY = v.strictObject({
  ticket: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_TICKET)),
  request: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_REQUEST)),
  mac: bytes(32),
});

/** The body of `POST {assistant}/disable`. */
export const DISABLE_BODY = v.strictObject({
  request: v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_REQUEST)),
});

/**
 * What must be readable before an error can be answered under ρ. The other members are read afterwards, so that the
 * device learns from a genuine answer what was wrong with them.
 */
const REQUEST_FRAME = v.looseObject({
  op: v.picklist(['retrieve', 'sign', 'decrypt', 'retire']),
  rho: bytes(32),
  jti: bytes(16),
});

const frame = {
  v: v.literal(1),
  beta: bytes(32),
  rho: bytes(32),
  th: bytes(32),
  iat: seconds,
  jti: bytes(16),
};
const SIGNATURE_ALGS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;

/** A request, bytes as bytes; what its operation needs is checked by the scheme. */
const REQUEST = v.variant('op', [
  v.strictObject({ ...frame, op: v.literal('retrieve') }),
  v.strictObject({
    ...frame,
    op: v.literal('sign'),
    alg: v.picklist(SIGNATURE_ALGS),
    digest: bytes(32, 64),
    salt: v.optional(bytes(32, 64)),
  }),
  v.strictObject({ ...frame, op: v.literal('decrypt'), w: bytes(1, 512) }),
  v.strictObject({ ...frame, op: v.literal('retire') }),
]);

/** A request as the assistant reads it. */
export type Request = v.InferOutput<typeof REQUEST>;

/** What the assistant found in an opened request. */
export interface ReadRequest {
  /** All that an answer, be it an error, has to be bound to. */
  readonly frame: { readonly op: Operation; readonly rho: Uint8Array; readonly jti: Uint8Array };
  /** The whole; `undefined` where another member is missing, wrong or unknown. */
  readonly request: Request | undefined;
}

/** Reads an opened request; `undefined` where nobody could be answered. */
export function readRequest(payload: Uint8Array): ReadRequest | undefined {
  const value = parsePayload(payload);
  const request = readValue(value, REQUEST);
  const frame = request ?? readValue(value, REQUEST_FRAME);
  return frame && { frame, request };
}

/** What a device asks, before the frame is added. */
export type Question =
  | { readonly op: 'retrieve' | 'retire' }
  | {
      readonly op: 'sign';
      readonly alg: (typeof SIGNATURE_ALGS)[number];
      readonly digest: Uint8Array;
      readonly salt?: Uint8Array | undefined;
    }
  | { readonly op: 'decrypt'; readonly w: Uint8Array };

/** The JSON object that is sealed with typ `rk-request+jwe`. */
export function requestPayload(
  question: Question,
  {
    beta,
    rho,
    iat,
    jti,
    ticket,
  }: { beta: Uint8Array; rho: Uint8Array; iat: number; jti: Uint8Array; ticket: string },
): object {
  const members: Record<string, string> = {};
  for (const [name, value] of Object.entries(question)) {
    if (name !== 'op' && value !== undefined)
      members[name] = typeof value === 'string' ? value : toBase64url(value);
  }
  return {
    v: 1,
    op: question.op,
    beta: toBase64url(beta),
    rho: toBase64url(rho),
    iat,
    jti: toBase64url(jti),
    th: toBase64url(ticketHash(ticket)),
    ...members,
  };
}

/**
 * th = SHA-256(ASCII(τ)): ties a request to one ticket, so that a stolen γ is worth nothing beside another.
 *
 * @param hash SHA-256, where the platform has a faster one
 */
export function ticketHash(ticket: string, hash: Sha256 = sha256): Uint8Array {
  return hash(utf8(ticket));
}

/** What δ is computed over, as UTF-8: "roaming-key/1 mac" ‖ 0x00 ‖ γ ‖ 0x00 ‖ τ. */
export function macInput(request: string, ticket: string): string {
  return `roaming-key/1 mac\0${request}\0${ticket}`;
}

/** δ = HMAC-SHA-256(a, …). */
export function requestMac(a: Uint8Array, request: string, ticket: string): Uint8Array {
  return hmac(sha256, a, utf8(macInput(request, ticket)));
}

const failedSince = v.strictObject({
  count: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  last: v.nullable(seconds),
});
const answer = {
  v: v.literal(1),
  jti: bytes(16),
  failedSince,
  renewed: v.optional(
    v.strictObject({ ticket: v.pipe(v.string(), v.maxLength(MAX_TICKET)), key: ASSISTANT_JWK }),
  ),
};

/** A good answer; its op and jti must be those of the request. */
export const RESPONSE = v.variant('op', [
  v.strictObject({ ...answer, op: v.literal('retrieve'), c: bytes(1, 8160) }),
  v.strictObject({ ...answer, op: v.literal('sign'), nu: bytes(256, 512) }),
  v.strictObject({
    ...answer,
    op: v.literal('decrypt'),
    nu: bytes(1, 512),
    proof: v.strictObject({ c: bytes(32), s: bytes(1, 512) }),
  }),
  // A ticket that has just been retired is never renewed.
  v.strictObject({
    ...answer,
    op: v.literal('retire'),
    retired: v.literal(true),
    renewed: v.optional(v.never()),
  }),
]);

/** A good answer, bytes as bytes. */
export type Response = v.InferOutput<typeof RESPONSE>;

const ERROR_RESPONSE = v.strictObject({
  v: v.literal(1),
  op: v.picklist(['retrieve', 'sign', 'decrypt', 'retire']),
  jti: bytes(16),
  code: v.custom<WireErrorCode>(isWireErrorCode),
  now: seconds,
  attemptsLeft: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  retryAt: v.optional(seconds),
});

/** An error that is genuinely the assistant's. */
export type ErrorResponse = v.InferOutput<typeof ERROR_RESPONSE>;

/** Reads an opened answer; `undefined` where it is none. */
export function readResponse(payload: Uint8Array): Response | ErrorResponse | undefined {
  return readPayload(payload, RESPONSE) ?? readPayload(payload, ERROR_RESPONSE);
}
