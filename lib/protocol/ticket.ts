/**
 * The ticket τ (docs/protocol.md section 3): what the device made for the assistant at enrolment and cannot read itself.
 *
 * Anyone can make a ticket, with any numbers in it: reading one proves nothing but its form. It names no key and no
 * user; u alone ties a disabling to it.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as v from 'valibot';
import { concat, type Sha256, toBase64url, utf8 } from '../base/bytes.ts';
import { bytes, readPayload, seconds } from '../base/json.ts';
import { SCHEME_NAMES, schemeOf, type TicketShare } from './schemes/index.ts';
import { type Members, writeMembers } from './schemes/scheme.ts';

export type { TicketShare } from './schemes/index.ts';

const common = {
  v: v.literal(1),
  /** Key of the requests' MAC. */
  a: bytes(32),
  /** β, the password verifier. */
  b: bytes(32),
  /** The name under which the key can be disabled. */
  u: bytes(32),
  iat: seconds,
  exp: v.optional(seconds),
};
const LABEL = utf8('roaming-key/1 id');

const TICKET = v.variant(
  'scheme',
  SCHEME_NAMES.map((name) =>
    v.strictObject({ ...common, scheme: v.literal(name), ...schemeOf(name).ticket }),
  ),
);

/** What a ticket says, bytes as bytes. */
export type Ticket = Readonly<Members<typeof common>> & TicketShare;

/** What every ticket holds besides its share. */
export interface TicketFrame {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly u: Uint8Array;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly exp?: number | undefined;
}

/** The JSON object that is sealed with typ `rk-ticket+jwe`. */
export function ticketPayload({ a, b, u, iat, exp }: TicketFrame, share: TicketShare): object {
  return {
    v: 1,
    scheme: share.scheme,
    a: toBase64url(a),
    b: toBase64url(b),
    u: toBase64url(u),
    iat,
    ...(exp !== undefined && { exp }),
    ...writeMembers(share, schemeOf(share.scheme).ticket),
  };
}

/** Reads an opened ticket; `undefined` where it is not one. The numbers of a share are checked by its scheme. */
export function readTicket(payload: Uint8Array): Ticket | undefined {
  return readPayload(payload, TICKET) as Ticket | undefined;
}

/**
 * id = SHA-256("roaming-key/1 id" ‖ a ‖ b ‖ u ‖ s), under which guesses are counted, as base64url.
 *
 * Made from the content, since one content has many spellings. With b in it, a thief who knows a and u cannot reset
 * the counter by a ticket of their own; with s (the bytes of c, d2 or x2), a copy of the store beside a stolen record does
 * not test passwords.
 *
 * @param hash SHA-256, where the platform has a faster one
 */
export function stateId(ticket: Ticket, hash: Sha256 = sha256): string {
  const s = (ticket as unknown as Record<string, Uint8Array>)[schemeOf(ticket.scheme).secret] as Uint8Array;
  return toBase64url(hash(concat(LABEL, ticket.a, ticket.b, ticket.u, s)));
}
