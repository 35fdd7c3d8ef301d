/**
 * What a hostile stranger has: tickets and requests made by hand, member by member, without an Argon2id in the way.
 * An honest device's messages are made here in the same way, so that a test can bend one member and no other.
 */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { KeySet } from '../../lib/assistant/keys.ts';
import { fromBase64url, toBase64url } from '../../lib/base/bytes.ts';
import {
  type AssistantJwk,
  type JweType,
  openDirect,
  parseSealed,
  type SealedJwe,
  seal,
} from '../../lib/crypto/jwe/jwe.ts';
import { openSealed, sealResponse } from '../../lib/crypto/jwe/jwe-node.ts';
import type { Problem } from '../../lib/http/problem.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { requestMac, ticketHash } from '../../lib/protocol/messages.ts';
import { stateId } from '../../lib/protocol/ticket.ts';
import { DEFAULT_GUESS_POLICY } from '../../lib/store/guess-policy.ts';
import type { AssistantWorld } from '../support/world.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export const b64 = toBase64url;
export const random = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(length));
export const unixNow = (): number => Math.floor(Date.now() / 1000);

/** A ticket of which everything is known, as its maker knows it. */
export interface KnownTicket {
  readonly jwk: AssistantJwk;
  readonly a: Bytes;
  /** The right verifier. */
  readonly b: Bytes;
  readonly t: Bytes;
  readonly u: Bytes;
  readonly c: Bytes;
  readonly payload: Record<string, unknown>;
  readonly ticket: string;
  /** Under which its guesses are counted. */
  readonly id: string;
}

/** Makes a retrieval ticket; `payload` bends what is sealed. */
export async function makeTicket(
  jwk: AssistantJwk,
  given: { a?: Bytes; b?: Bytes; t?: Bytes; u?: Bytes; c?: Bytes; payload?: object } = {},
): Promise<KnownTicket> {
  const { a = random(32), b = random(32), t = random(16), c = random(48) } = given;
  const u = given.u ?? disablingName(t);
  const members = { a: b64(a), b: b64(b), u: b64(u) };
  const payload = { v: 1, scheme: 'retrieve', ...members, iat: unixNow(), c: b64(c), ...given.payload };
  const ticket = await seal(payload, 'rk-ticket+jwe', jwk);
  const id = stateId({ v: 1, scheme: 'retrieve', a, b, u, iat: 0, c });
  return { jwk, a, b, t, u, c, payload, ticket, id };
}

/** A request ready to be posted, with what only its sender knows. */
export interface KnownRequest {
  readonly body: { readonly ticket: string; readonly request: string; readonly mac: string };
  readonly rho: Uint8Array;
  readonly jti: Uint8Array;
}

/** Makes a request beside a ticket; `payload` bends what is sealed, the rest what goes around it. */
export async function makeRequest(
  known: {
    readonly jwk: AssistantJwk;
    readonly a: Uint8Array;
    readonly b: Uint8Array;
    readonly ticket: string;
  },
  given: {
    op?: string;
    beta?: Uint8Array;
    iat?: number;
    jti?: Uint8Array;
    rho?: Uint8Array;
    payload?: object;
    /** Computes the MAC with this key instead of a. */
    macKey?: Uint8Array;
    jwk?: AssistantJwk;
  } = {},
): Promise<KnownRequest> {
  const { op = 'retrieve', beta = known.b, iat = unixNow(), jti = random(16), rho = random(32) } = given;
  const { ticket } = known;
  const th = b64(ticketHash(ticket));
  const payload = { v: 1, op, beta: b64(beta), rho: b64(rho), iat, jti: b64(jti), th, ...given.payload };
  const request = await seal(payload, 'rk-request+jwe', given.jwk ?? known.jwk);
  const mac = b64(requestMac(given.macKey ?? known.a, request, ticket));
  return { body: { ticket, request, mac }, rho, jti };
}

/** An HTTP answer with its body as text and as JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown> & Partial<Problem>;
}

/** Posts anything to a path of the assistant. */
export async function post(world: Pick<AssistantWorld, 'url'>, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(`${world.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

/** Posts a request and opens what comes back with it. */
export async function assist(
  world: Pick<AssistantWorld, 'url'>,
  { body, rho }: KnownRequest,
): Promise<Answer & { readonly opened: Record<string, unknown> | undefined }> {
  const answer = await post(world, '/assist', body);
  return { ...answer, opened: await openAnswer(answer.json.response, rho) };
}

/** What an answer says but for its id and its time, which differ from one to the next. */
export function timeless({ status, opened }: Awaited<ReturnType<typeof assist>>): object {
  if (!opened) throw new Error('the answer says nothing under rho');
  const { jti: _jti, now: _now, ...rest } = opened;
  return { status, ...rest };
}

/** What an answer says to whoever knows rho. */
export async function openAnswer(
  response: unknown,
  rho: Uint8Array,
): Promise<Record<string, unknown> | undefined> {
  const opened =
    typeof response === 'string' ? await openDirect(response, 'rk-response+jwe', rho) : undefined;
  return opened && JSON.parse(new TextDecoder().decode(opened));
}

/** A disabling request for t. */
export async function makeDisabling(
  jwk: AssistantJwk,
  given: { t?: Uint8Array; rho?: Uint8Array; payload?: object } = {},
): Promise<{ body: { request: string }; rho: Uint8Array }> {
  const { t = random(16), rho = random(32) } = given;
  const payload = { v: 1, t: b64(t), rho: b64(rho), iat: unixNow(), ...given.payload };
  return { body: { request: await seal(payload, 'rk-disable+jwe', jwk) }, rho };
}

/**
 * How many wrong passwords the owner would be told of now: asks with the right password and reads `failedSince`.
 * That resets the count.
 */
export async function countedSince(world: Pick<AssistantWorld, 'url'>, known: KnownTicket): Promise<number> {
  const { status, opened } = await assist(world, await makeRequest(known));
  expect(status).toBe(200);
  return (opened as { failedSince: { count: number } }).failedSince.count;
}

/** Guesses wrongly until the assistant says `locked`; as often as the policy answers at once. */
export async function lockOut(world: Pick<AssistantWorld, 'url'>, known: KnownTicket): Promise<void> {
  for (let i = 0; i < DEFAULT_GUESS_POLICY.free; i++) {
    const wrong = await assist(world, await makeRequest(known, { beta: random(32) }));
    expect(wrong.json.code).toBe('wrong_password');
  }
}

/** Decrypts a message with the assistant's own key, as the assistant does, or whoever has stolen that key. */
export async function openAsAssistant(
  keys: KeySet,
  jwe: string,
  typ: JweType,
): Promise<Record<string, unknown>> {
  const parsed = parseSealed(jwe, typ) as SealedJwe;
  const found = keys.find(parsed.kid) as NonNullable<ReturnType<KeySet['find']>>;
  const payload = (await openSealed(parsed, found.key.unwrap)) as Uint8Array;
  return JSON.parse(new TextDecoder().decode(payload));
}

/** What a hostile assistant sees of a request, and what it answers: under the sender's own rho, if it likes. */
export type HostileAnswer = (seen: {
  readonly request: Record<string, unknown>;
  readonly ticket: Record<string, unknown>;
  readonly path: string;
}) =>
  | { readonly status?: number; readonly sealed?: object; readonly body?: unknown }
  | Response
  | Promise<Response>;

/** A `fetch` that reaches an assistant with the right keys and the worst intentions. */
export function hostileAssistant(keys: KeySet, answer: HostileAnswer): typeof globalThis.fetch {
  return async (input, init) => {
    const path = new URL(input as string | URL).pathname;
    if (path.endsWith('/keys')) return Response.json(keys.jwks());
    const body = JSON.parse(init?.body as string) as { request: string; ticket: string };
    const isDisable = path.endsWith('/disable');
    const request = await openAsAssistant(
      keys,
      body.request,
      isDisable ? 'rk-disable+jwe' : 'rk-request+jwe',
    );
    const ticket = isDisable ? {} : await openAsAssistant(keys, body.ticket, 'rk-ticket+jwe');
    const made = await answer({ request, ticket, path });
    if (made instanceof Response) return made;
    const { status = 200, sealed, body: told = {} } = made;
    const rho = fromBase64url(request['rho'] as string) as Uint8Array;
    const response = sealed && { response: sealResponse(sealed, rho) };
    return Response.json({ ...(told as object), ...response }, { status });
  };
}

/** A `fetch` that changes answers on their way; `undefined` lets one pass. */
export function intercepting(
  inner: typeof globalThis.fetch,
  change: (
    url: URL,
    ask: () => Promise<Response>,
    body: string,
  ) => Promise<Response | undefined> | Response | undefined,
): typeof globalThis.fetch {
  return async (input, init) => {
    const ask = () => inner(input, init);
    return (
      (await change(new URL(input as string | URL), ask, (init?.body as string | undefined) ?? '')) ?? ask()
    );
  };
}

/** A problem as anybody on the way can tell it. */
export function forgedProblem(code: string, status: number, more: object = {}): Response {
  return Response.json({ code, status, title: code, ...more }, { status });
}

/** How often each status came. */
export function tally(statuses: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    [...new Set(statuses)].map((status) => [status, statuses.filter((one) => one === status).length]),
  );
}
