/** The table of schemes. A new scheme is a file beside this one and a row here. */
import * as v from 'valibot';
import { bytes } from '../../base/json.ts';
import { ASSISTANT_JWK } from '../../crypto/jwe/jwe.ts';
import { ed25519 } from './ed25519.ts';
import { elgamal } from './elgamal.ts';
import { retrieve } from './retrieve.ts';
import { rsa } from './rsa.ts';
import type { Exchange, Members, Scheme, ServeOption } from './scheme.ts';

/** All schemes, by name. */
export const SCHEMES = {
  /** Key retrieval. */
  retrieve,
  /** Shared Ed25519 keys. */
  ed25519,
  /** Shared RSA keys. */
  rsa,
  /** Shared ElGamal keys. */
  elgamal,
};

type Schemes = typeof SCHEMES;
/** The name of a scheme: a way in which a device can be helped. */
export type SchemeName = keyof Schemes;
export const SCHEME_NAMES = Object.keys(SCHEMES) as readonly SchemeName[];

/** A scheme by its name, its members unknown to the compiler. */
export function schemeOf(name: SchemeName): Scheme {
  return SCHEMES[name] as unknown as Scheme;
}

/** The longest ticket, in characters. */
export const MAX_TICKET = 16 * 1024;

/** Ends a ticket's life; goes with every scheme. */
export const RETIRE = {
  op: 'retire',
  request: {},
  result: { retired: v.literal(true) },
  // A ticket that has just been retired is never renewed.
  isRenewable: false,
} as const satisfies Exchange;

/** Moves the assistant's share after the device changed its own; the ticket comes back sealed anew. */
export const REISSUE = {
  op: 'reissue',
  request: { a: bytes(32), b: bytes(32), delta: bytes(1, 512) },
  result: { ticket: v.pipe(v.string(), v.maxLength(MAX_TICKET)), key: ASSISTANT_JWK },
  isRenewable: false,
} as const satisfies Exchange;

/** The exchanges that go with every scheme. */
type CommonExchange = typeof RETIRE | typeof REISSUE;
/** Any exchange. */
export type AnyExchange = Schemes[SchemeName]['exchange'] | CommonExchange;

/** What can be asked of the assistant. */
export type Operation = AnyExchange['op'];
export const OPERATIONS: readonly Operation[] = [
  ...new Set(SCHEME_NAMES.map((name) => SCHEMES[name].exchange.op)),
  RETIRE.op,
  REISSUE.op,
];

/** What a device asks in an exchange. */
export type RequestOf<X extends Exchange> = Members<X['request']>;
/** What the assistant answers in an exchange. */
export type ResultOf<X extends Exchange> = Members<X['result']>;

/** The part of a ticket that depends on the scheme: the masked key, or the assistant's share of it. */
export type TicketShare = {
  [N in SchemeName]: { readonly scheme: N } & Readonly<Members<Schemes[N]['ticket']>>;
}[SchemeName];

/** What an assistant serves: for each scheme whether, or for which kinds of key. */
export type ServedSchemes = {
  readonly [N in SchemeName]?: Schemes[N]['serve'] extends ServeOption<infer S> ? S : never;
};
