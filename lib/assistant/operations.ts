/** What each operation needs and does, scheme by scheme (docs/protocol.md section 5). */
import { toBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { GROUP_NAMES, type GroupName } from '../math/groups.ts';
import type { Exponentiator } from '../protocol/exponentiator.ts';
import type { Operation, Request } from '../protocol/messages.ts';
import type { Scheme } from '../protocol/password.ts';
import { answerDecryption, readDecryptRequest, readElgamalShare } from '../protocol/schemes/elgamal.ts';
import { answerSigning, RSA_SIZES, readRsaShare, readSignRequest } from '../protocol/schemes/rsa.ts';
import type { Ticket } from '../protocol/ticket.ts';

/** Which schemes an assistant serves, and with which sizes. What is not served is answered `unsupported`. */
export interface ServedSchemes {
  /** Key retrieval. Default true. */
  readonly retrieve?: boolean;
  /** Sizes in bits of shared RSA keys: some of 2048, 3072, 4096. Default 2048 and 3072; none for no RSA. */
  readonly rsa?: readonly (typeof RSA_SIZES)[number][];
  /** Groups of shared ElGamal keys. Default P-256, ffdhe2048, ffdhe3072; none for no ElGamal. */
  readonly elgamal?: readonly GroupName[];
}

/** The operations that one assistant serves, checked before anything is computed. */
export interface Operations {
  /** Whether any served scheme computes more than it looks up. */
  readonly needExponentiator: boolean;
  /** @throws RoamingKeyError `bad_ticket`, `unsupported` */
  checkTicket(ticket: Ticket): void;
  /** @throws RoamingKeyError `invalid_request` */
  checkRequest(request: Request, ticket: Ticket): void;
  /**
   * The result's members, for a request and a ticket that were checked and a password that was right.
   *
   * @throws RoamingKeyError `unavailable` when all workers are busy
   */
  run(request: Request, ticket: Ticket): Promise<object>;
}

const SCHEME_OF: Record<Exclude<Operation, 'retire'>, Scheme> = {
  retrieve: 'retrieve',
  sign: 'rsa',
  decrypt: 'elgamal',
};

/**
 * @param exponentiator where modular exponentiations run, never the thread that serves other requests
 * @throws TypeError naming the member of `serve` that is of the wrong kind
 */
export function operations(serve: ServedSchemes, exponentiator: Exponentiator): Operations {
  const { retrieve = true, rsa = [2048, 3072], elgamal = ['P-256', 'ffdhe2048', 'ffdhe3072'] } = serve;
  if (typeof retrieve !== 'boolean') throw new TypeError('serve.retrieve must be true or false');
  assertAmong('serve.rsa', rsa, RSA_SIZES);
  assertAmong('serve.elgamal', elgamal, GROUP_NAMES);
  const notServed = () => new RoamingKeyError('unsupported', 'this scheme is not served here');

  return {
    needExponentiator: rsa.length + elgamal.length > 0,

    checkTicket(ticket) {
      if (ticket.scheme === 'retrieve') {
        if (!retrieve) throw notServed();
      } else if (ticket.scheme === 'rsa') {
        if (rsa.length === 0) throw notServed();
        readRsaShare(ticket, rsa);
      } else {
        if (elgamal.length === 0) throw notServed();
        readElgamalShare(ticket, elgamal);
      }
    },

    checkRequest(request, ticket) {
      if (request.op !== 'retire' && SCHEME_OF[request.op] !== ticket.scheme) {
        throw new RoamingKeyError('invalid_request', 'the operation does not fit the ticket');
      }
      if (request.op === 'sign') readSignRequest(request);
      if (request.op === 'decrypt' && ticket.scheme === 'elgamal') {
        readDecryptRequest(readElgamalShare(ticket).group, request.w);
      }
    },

    async run(request, ticket) {
      if (request.op === 'retire') return { retired: true };
      if (request.op === 'retrieve' && ticket.scheme === 'retrieve') return { c: toBase64url(ticket.c) };
      if (request.op === 'sign' && ticket.scheme === 'rsa') {
        return { nu: toBase64url(await answerSigning(ticket, readSignRequest(request), exponentiator)) };
      }
      if (request.op === 'decrypt' && ticket.scheme === 'elgamal') {
        const { nu, proof } = await answerDecryption(readElgamalShare(ticket), request.w, exponentiator);
        return { nu: toBase64url(nu), proof: { c: toBase64url(proof.c), s: toBase64url(proof.s) } };
      }
      throw new RoamingKeyError('invalid_request', 'the operation does not fit the ticket');
    },
  };
}

function assertAmong(option: string, given: unknown, known: readonly (string | number)[]): void {
  if (!Array.isArray(given) || !given.every((one) => known.includes(one))) {
    throw new TypeError(`${option} must be an array of some of ${known.join(', ')}`);
  }
}
