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
import { bytes, parsePayload, readValue, seconds } from '../base/json.ts';
import { ASSISTANT_JWK } from '../crypto/jwe/jwe.ts';
import { MAX_TICKET, OPERATIONS, type RequestOf, type ResultOf } from './schemes/index.ts';
import { type Exchange, type Members, writeMembers } from './schemes/scheme.ts';

/** Limits in bytes (docs/protocol.md section 3). */
export const MAX_BODY = 36 * 1024;
export const MAX_REQUEST = 16 * 1024;
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
const ADDRESS = v.object({ op: v.picklist(OPERATIONS), rho: bytes(32), jti: bytes(16) });

const frame = {
  v: v.literal(1),
  op: v.picklist(OPERATIONS),
  beta: bytes(32),
  rho: bytes(32),
  th: bytes(32),
  iat: seconds,
  jti: bytes(16),
};
const FRAME = v.object(frame);

/** What every request has. */
export type RequestFrame = Readonly<Members<typeof frame>>;
/** A request, its operation's own members not yet read. */
export interface Request extends RequestFrame {
  readonly members: Readonly<Record<string, unknown>>;
}

/** What the assistant found in an opened request. */
export interface ReadRequest {
  /** All that an answer, be it an error, has to be bound to. */
  readonly frame: Pick<RequestFrame, 'op' | 'rho' | 'jti'>;
  /** The whole; `undefined` where a member of the frame is missing or wrong. */
  readonly request: Request | undefined;
}

/** Reads an opened request; `undefined` where there is no way to answer. */
export function readRequest(payload: Uint8Array): ReadRequest | undefined {
  const value = parsePayload(payload);
  const address = readValue(value, ADDRESS);
  if (!address) return undefined;
  const read = readValue(value, FRAME);
  // Not by a loose schema: valibot drops members called `prototype` there.
  const others = Object.entries(value as object).filter(([name]) => !Object.hasOwn(frame, name));
  return { frame: address, request: read && { ...read, members: Object.fromEntries(others) } };
}

/** Reads a request's members by its operation; `undefined` where one is missing, wrong or unknown. */
export function readRequestMembers<X extends Exchange>(
  { members }: Request,
  exchange: X,
): RequestOf<X> | undefined {
  return readValue(members, v.strictObject(exchange.request)) as RequestOf<X> | undefined;
}

/** The JSON object that is sealed with typ `rk-request+jwe`. */
export function requestPayload<X extends Exchange>(
  exchange: X,
  members: RequestOf<X>,
  {
    beta,
    rho,
    iat,
    jti,
    ticket,
  }: { beta: Uint8Array; rho: Uint8Array; iat: number; jti: Uint8Array; ticket: string },
): object {
  return {
    v: 1,
    op: exchange.op,
    beta: toBase64url(beta),
    rho: toBase64url(rho),
    iat,
    jti: toBase64url(jti),
    th: toBase64url(ticketHash(ticket)),
    ...writeMembers(members, exchange.request),
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

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const answer = {
  v: v.literal(1),
  jti: bytes(16),
  /** Wrong passwords since the last success. */
  failedSince: v.strictObject({ count, last: v.nullable(seconds) }),
  /** When the id last had a success before this one; null where none is known. Older assistants do not say. */
  lastUsed: v.optional(v.nullable(seconds)),
  /** Tickets that were reissued from this one before; absent where there were none. */
  reissues: v.optional(v.strictObject({ count: v.pipe(count, v.minValue(1)), last: seconds })),
};
const RENEWED = v.strictObject({
  ticket: v.pipe(v.string(), v.maxLength(MAX_TICKET)),
  key: ASSISTANT_JWK,
});

/** What every good answer has besides its result. */
export type AnswerFrame = Readonly<Members<typeof answer>> & {
  /** The ticket sealed to the assistant's new key, and that key. */
  readonly renewed?: v.InferOutput<typeof RENEWED> | undefined;
};
/** A good answer in an exchange, bytes as bytes. */
export type Answer<X extends Exchange> = AnswerFrame & { readonly op: X['op'] } & Readonly<ResultOf<X>>;

const ERROR_RESPONSE = v.strictObject({
  v: v.literal(1),
  op: v.picklist(OPERATIONS),
  jti: bytes(16),
  code: v.custom<WireErrorCode>(isWireErrorCode),
  now: seconds,
  attemptsLeft: v.optional(count),
  retryAt: v.optional(seconds),
});

/** An error that is genuinely the assistant's. */
export type ErrorResponse = v.InferOutput<typeof ERROR_RESPONSE>;

/** Whether the assistant refused. */
export function isErrorResponse(answer: object): answer is ErrorResponse {
  return 'code' in answer;
}

/** Reads an opened answer in an exchange; `undefined` where it is not one, or one to another operation. */
export function readAnswer<X extends Exchange>(
  payload: Uint8Array,
  exchange: X,
): Answer<X> | ErrorResponse | undefined {
  const value = parsePayload(payload);
  const good = v.strictObject({
    ...answer,
    op: v.literal(exchange.op),
    ...exchange.result,
    renewed: v.optional(exchange.isRenewable ? RENEWED : v.never()),
  });
  const read = (readValue(value, good) as Answer<X> | undefined) ?? readValue(value, ERROR_RESPONSE);
  return read?.op === exchange.op ? read : undefined;
}
