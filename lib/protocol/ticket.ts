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
import { MAX_PRIVATE_KEY } from './schemes/retrieve.ts';

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
const MAX_NUMBER = 512;
const LABEL = utf8('roaming-key/1 id');

const TICKET = v.variant('scheme', [
  v.strictObject({ ...common, scheme: v.literal('retrieve'), c: bytes(1, MAX_PRIVATE_KEY) }),
  v.strictObject({ ...common, scheme: v.literal('rsa'), n: bytes(1, MAX_NUMBER), d2: bytes(1, MAX_NUMBER) }),
  v.strictObject({
    ...common,
    scheme: v.literal('elgamal'),
    group: v.picklist(['P-256', 'ffdhe2048', 'ffdhe3072', 'ffdhe4096']),
    x2: bytes(1, MAX_NUMBER),
  }),
]);

/** What a ticket says, bytes as bytes. */
export type Ticket = v.InferOutput<typeof TICKET>;
/** The part that depends on the scheme: the masked key, or the assistant's share of it. */
export type TicketShare =
  | { readonly scheme: 'retrieve'; readonly c: Uint8Array }
  | { readonly scheme: 'rsa'; readonly n: Uint8Array; readonly d2: Uint8Array }
  | { readonly scheme: 'elgamal'; readonly group: Group; readonly x2: Uint8Array };
/** The groups of ElGamal keys. */
export type Group = Extract<Ticket, { scheme: 'elgamal' }>['group'];

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
    ...shareMembers(share),
  };
}

function shareMembers(share: TicketShare): object {
  switch (share.scheme) {
    case 'retrieve':
      return { c: toBase64url(share.c) };
    case 'rsa':
      return { n: toBase64url(share.n), d2: toBase64url(share.d2) };
    case 'elgamal':
      return { group: share.group, x2: toBase64url(share.x2) };
  }
}

/** Reads an opened ticket; `undefined` where it is not one. The numbers of a share are checked by its scheme. */
export function readTicket(payload: Uint8Array): Ticket | undefined {
  return readPayload(payload, TICKET);
}

/**
 * id = SHA-256("roaming-key/1 id" ‖ a ‖ b ‖ u ‖ s), under which guesses are counted, as base64url.
 *
 * Made from the content, since one content has many spellings. With b in it, whoever knows a and u cannot reset the
 * counter by a ticket of his own; with s (the bytes of c, d2 or x2), a copy of the store beside a stolen record does
 * not test passwords.
 *
 * @param hash SHA-256, where the platform has a faster one
 */
export function stateId(ticket: Ticket, hash: Sha256 = sha256): string {
  const s = ticket.scheme === 'retrieve' ? ticket.c : ticket.scheme === 'rsa' ? ticket.d2 : ticket.x2;
  return toBase64url(hash(concat(LABEL, ticket.a, ticket.b, ticket.u, s)));
}
