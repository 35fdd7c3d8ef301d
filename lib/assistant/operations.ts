/** What each operation needs and does (docs/protocol.md sections 4 to 6). */
import { equalBytes, utf8, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { sha256 } from '../crypto/sha256-node.ts';
import { type Request, readRequestMembers } from '../protocol/messages.ts';
import {
  REISSUE,
  RETIRE,
  SCHEME_NAMES,
  SCHEMES,
  type ServedSchemes,
  schemeOf,
  type TicketShare,
} from '../protocol/schemes/index.ts';
import { type Engines, type Scheme, type Share, writeMembers } from '../protocol/schemes/scheme.ts';
import type { Ticket } from '../protocol/ticket.ts';

export type { ServedSchemes } from '../protocol/schemes/index.ts';

/** Computes a result, as the answer has it. */
export type Computation = () => Promise<object>;

/** The operations that one assistant serves, checked before anything is computed. */
export interface Operations {
  /** Whether any scheme that is served exponentiates on other threads. */
  readonly needExponentiator: boolean;
  /**
   * @param engines what the share computes with
   * @throws RoamingKeyError `bad_ticket`, `unsupported`
   */
  openShare(ticket: Ticket, engines: Engines): Promise<Share>;
  /** Whether a request's computation exponentiates on other threads. */
  exponentiates(request: Request, ticket: Ticket): boolean;
  /**
   * Reads what is asked for.
   *
   * @param gamma the request as it was sent
   * @returns computes the result once the password was found right; throws RoamingKeyError `busy` where no worker is free in
   *   time, `unavailable` where one dies
   * @throws RoamingKeyError `invalid_request`, `unsupported`
   */
  read(request: Request, ticket: Ticket, share: Share, gamma: string): Computation;
}

/** Seals a ticket to the active key. */
export type SealTicket = (ticket: Ticket) => Promise<{ readonly ticket: string; readonly key: object }>;

/**
 * @param now seconds since the epoch
 * @throws TypeError naming the member of `serve` that is of the wrong kind
 */
export function operations(serve: ServedSchemes, sealTicket: SealTicket, now: () => number): Operations {
  const unknown = Object.keys(serve).find((name) => !Object.hasOwn(SCHEMES, name));
  if (unknown !== undefined) throw new TypeError(`serve.${unknown} is not a scheme`);
  const served = new Map(
    SCHEME_NAMES.map((name) => [name, readServeOption(schemeOf(name), serve[name])] as const),
  );
  const invalid = (why: string) => new RoamingKeyError('invalid_request', why);

  return {
    needExponentiator: SCHEME_NAMES.some(
      (name) => isServed(served.get(name)) && SCHEMES[name].serve.needsExponentiator,
    ),

    async openShare(ticket, engines) {
      const kinds = served.get(ticket.scheme);
      if (!isServed(kinds)) throw new RoamingKeyError('unsupported', 'this scheme is not served here');
      const half = await schemeOf(ticket.scheme).assistantHalf();
      return half.open(ticket, kinds, engines);
    },

    exponentiates({ op }, { scheme }) {
      const { exchange, serve: option } = schemeOf(scheme);
      return option.needsExponentiator && op === exchange.op;
    },

    read(request, ticket, share, gamma) {
      if (request.op === RETIRE.op) {
        if (!readRequestMembers(request, RETIRE)) throw invalid('a retirement has no members of its own');
        return async () => ({ retired: true });
      }
      if (request.op === REISSUE.op) {
        const members = readRequestMembers(request, REISSUE);
        if (!members) throw invalid('a, b and delta expected');
        const { a, b, delta } = members;
        if (equalBytes(a, ticket.a)) throw invalid('a is that of the old ticket');
        const moved = share.move(delta);
        return async () => {
          const share = moved();
          try {
            return await sealTicket({ ...ticket, a, b, iat: now(), ...(share as TicketShare) });
          } finally {
            wipe(b, a, delta, ...Object.values(share).filter((member) => member instanceof Uint8Array));
          }
        };
      }
      const { exchange } = schemeOf(ticket.scheme);
      if (request.op !== exchange.op) throw invalid('the operation does not fit the ticket');
      const members = readRequestMembers(request, exchange);
      if (!members) throw invalid('the request has members missing, wrong or unknown');
      const compute = share.read(members, () => [sha256(utf8(gamma)), request.th]);
      return async () => writeMembers(await compute(), exchange.result);
    },
  };
}

function isServed(option: unknown): boolean {
  return Array.isArray(option) ? option.length > 0 : option === true;
}

function readServeOption({ name, serve: { byDefault, kinds } }: Scheme, given: unknown = byDefault): unknown {
  if (!kinds) {
    if (typeof given !== 'boolean') throw new TypeError(`serve.${name} must be true or false`);
  } else if (!Array.isArray(given) || !given.every((one) => kinds.includes(one))) {
    throw new TypeError(`serve.${name} must be an array of some of ${kinds.join(', ')}`);
  }
  return given;
}
