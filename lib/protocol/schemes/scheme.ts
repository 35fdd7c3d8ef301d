/**
 * What a scheme is (docs/protocol.md sections 3 to 5). A scheme's own file has one object of this kind: the members it
 * adds to ticket, request and answer, and where its arithmetic is. `index.ts` has the table of all schemes.
 *
 * The object itself is small, since pages download it. The arithmetic is loaded when it is used.
 */
import type * as v from 'valibot';
import { toBase64url } from '../../base/bytes.ts';
import type { PublicJwk } from '../../crypto/keys/public-jwk.ts';
import type { Ed25519Group } from '../../math/ed25519-group.ts';
import type { Exponentiator } from '../exponentiator.ts';

/** Members of a message, by name: the entries of a strict object. */
export type Entries = v.ObjectEntries;
/** The values of such members, bytes as bytes. */
export type Members<E extends Entries> = v.InferOutput<v.StrictObjectSchema<E, undefined>>;

/** An operation: what the device asks and what the assistant answers, besides what every request and answer has. */
export interface Exchange<
  O extends string = string,
  R extends Entries = Entries,
  A extends Entries = Entries,
> {
  readonly op: O;
  readonly request: R;
  readonly result: A;
  /** Whether a success may bring a ticket that is sealed to the assistant's new key. */
  readonly isRenewable: boolean;
}

/** What the assistant computes with. */
export interface Engines {
  readonly exponentiator: Exponentiator;
  /** The group of Ed25519 in constant time, loaded when it is first asked for. */
  ed25519(): Promise<Ed25519Group>;
}

/** A ticket's share of a key, its numbers decoded and checked. */
export interface Share<
  T extends Entries = Entries,
  R extends Entries = Entries,
  A extends Entries = Entries,
> {
  /**
   * Checks what the scheme's operation is asked for.
   *
   * @param hedge SHA-256(γ) and SHA-256(τ), which no other request has both of: nonces are made from them too
   * @returns computes the result; throws RoamingKeyError `unavailable` where there is no room for it
   * @throws RoamingKeyError `invalid_request`
   */
  read(request: Members<R>, hedge: () => readonly Uint8Array[]): () => Promise<Members<A>>;
  /**
   * Checks by how much the share is to be moved, after the device changed its own (docs/protocol.md section 6).
   *
   * @returns computes the ticket's new members
   * @throws RoamingKeyError `invalid_request`; `unsupported` where the scheme has no simple way
   */
  move(delta: Uint8Array): () => Members<T>;
}

/** The assistant's half of a scheme. */
export interface AssistantHalf<T extends Entries, R extends Entries, A extends Entries, S> {
  /**
   * Checks a ticket's members before anything is computed with them: anyone can make a ticket.
   *
   * @param served which kinds of key the app allows
   * @throws RoamingKeyError `bad_ticket`, or `unsupported` for a kind that the app does not allow
   */
  open(members: Members<T>, served: S, engines: Engines): Share<T, R, A> | Promise<Share<T, R, A>>;
}

/** How an assistant's operator says what is served: a boolean, or the kinds out of `kinds`. */
export interface ServeOption<S> {
  readonly byDefault: S;
  readonly kinds?: readonly (string | number)[];
  /** Whether the assistant's half exponentiates on other threads. */
  readonly needsExponentiator: boolean;
}

/** A scheme. */
export interface Scheme<
  N extends string = string,
  O extends string = string,
  T extends Entries = Entries,
  R extends Entries = Entries,
  A extends Entries = Entries,
  S = unknown,
> {
  readonly name: N;
  /** The kinds of public key that a record of this scheme may have. */
  readonly keyTypes: readonly PublicJwk['kty'][];
  /** The ticket's members, in the order in which they are written. */
  readonly ticket: T;
  /** Which of them is s in the id under which guesses are counted. */
  readonly secret: keyof T & string;
  /** The operation that goes with tickets of this scheme. */
  readonly exchange: Exchange<O, R, A>;
  readonly serve: ServeOption<S>;
  assistantHalf(): Promise<AssistantHalf<T, R, A, S>>;
}

/** Types a scheme by its members. */
export function scheme<
  N extends string,
  O extends string,
  T extends Entries,
  R extends Entries,
  A extends Entries,
  S,
>(definition: Scheme<N, O, T, R, A, S>): Scheme<N, O, T, R, A, S> {
  return definition;
}

/** Members as they stand in JSON, in the order of `entries`; members that are undefined are left out. */
export function writeMembers(members: object, entries: Entries): Record<string, unknown> {
  const values = members as Record<string, unknown>;
  return Object.fromEntries(
    Object.keys(entries)
      .filter((name) => values[name] !== undefined)
      .map((name) => [name, writeValue(values[name])]),
  );
}

function writeValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, writeValue(member)]));
}
