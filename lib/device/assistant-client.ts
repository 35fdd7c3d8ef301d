/**
 * The device's side of a dialogue with the assistant (docs/protocol.md section 4).
 *
 * Nothing is believed that did not come back under ρ: an error in clear text is a hint at most.
 */

import * as v from 'valibot';
import { equalBytes, fromBase64url, randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { type ErrorCode, isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import {
  type AssistantJwk,
  type JweType,
  openDirect,
  parseSealed,
  readAssistantJwk,
  seal,
} from '../crypto/jwe/jwe.ts';
import { readKeyList } from '../protocol/key-list.ts';
import {
  type Answer,
  type ErrorResponse,
  isErrorResponse,
  readAnswer,
  requestMac,
  requestPayload,
} from '../protocol/messages.ts';
import { verifier } from '../protocol/password.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import type { RequestOf } from '../protocol/schemes/index.ts';
import type { Exchange } from '../protocol/schemes/scheme.ts';
import { Patience, send, type TransportOptions } from './transport.ts';

export interface AssistantClientOptions extends TransportOptions {
  /** Seconds since the epoch. Default: the device's clock. */
  readonly now?: () => number;
}

/** Makes what is asked: afresh for every request, since a nonce must never serve two. */
export type Question<X extends Exchange> = () => RequestOf<X> | Promise<RequestOf<X>>;

/** Codes that the assistant tells only after it opened the request, so never without a genuine answer. */
const ALWAYS_SEALED: readonly ErrorCode[] = [
  'wrong_password',
  'locked',
  'disabled',
  'retired',
  'replayed',
  'stale_request',
  'refused',
];

const BODY = v.looseObject({ response: v.string() });

/** One assistant, as a device talks to it. */
export class AssistantClient {
  /** The assistant's URL without a slash at its end. */
  readonly url: string;
  readonly #options: AssistantClientOptions;
  readonly #now: () => number;

  /**
   * @throws TypeError where `url` is neither https nor on the loopback
   * @throws RoamingKeyError `unsupported` on a page that came over plain http
   */
  constructor(url: string, options: AssistantClientOptions = {}) {
    const secure = typeof url === 'string' ? readSecureUrl(url) : undefined;
    if (secure === undefined)
      throw new TypeError(`assistant must be an https URL, or http on the loopback, and is ${String(url)}`);
    if (!globalThis.crypto?.subtle)
      throw new RoamingKeyError('unsupported', 'browsers do cryptography only on pages that come over https');
    this.url = secure;
    this.#options = options;
    this.#now = options.now ?? epochSeconds;
  }

  /**
   * The keys the assistant has published, its active one first.
   *
   * @param cache `reload` also passes by the caches on the way; by default the browser's own is asked to check
   * @throws RoamingKeyError `network`, `unavailable`, `bad_response`
   */
  async keys(cache: 'no-cache' | 'reload' = 'no-cache'): Promise<readonly AssistantJwk[]> {
    this.#options.onProgress?.({ phase: 'asking' });
    // A list that a browser kept from before a rotation would make a good record look forged.
    const { body } = await send(`${this.url}/keys`, { cache }, this.#options).catch((error: unknown) => {
      throw asHint(error);
    });
    const usable = await readKeyList(body);
    if (usable.length === 0)
      throw new RoamingKeyError('bad_response', 'the assistant has published no usable key');
    return usable;
  }

  /**
   * Asks for help with a record's ticket.
   *
   * @param k the password's K
   * @param question makes what is asked, once for every request that is sent
   * @throws RoamingKeyError any code of the assistant's (`attemptsLeft`, `retryAt` only where genuine), `network`,
   *   `bad_response` where the answer is not the assistant's, `bad_record` where key and ticket do not fit
   */
  async ask<X extends Exchange>(
    record: DeviceRecord,
    k: Uint8Array,
    exchange: X,
    question: Question<X>,
  ): Promise<Answer<X>> {
    const { jwk } = record.assistant;
    if (!(await readAssistantJwk(jwk)) || parseSealed(record.ticket, 'rk-ticket+jwe')?.kid !== jwk.kid) {
      throw new RoamingKeyError('bad_record', "the record's ticket and assistant key do not belong together");
    }
    this.#options.onProgress?.({ phase: 'asking' });
    const beta = verifier(k);
    const patience = new Patience(this.#options);
    let skew: number | undefined;
    try {
      for (;;) {
        const iat = this.#now() + (skew ?? 0);
        const answer = await this.#attempt(record, beta, exchange, await question(), iat).catch(
          async (error: unknown) => {
            if (isRoamingKeyError(error, 'busy') && (await patience.wait(fromNow(error.retryAt))))
              return undefined;
            throw error;
          },
        );
        if (answer === undefined) continue;
        if (!isErrorResponse(answer)) return answer;
        const { code, now, retryAt } = answer;
        // A genuine answer tells the right time: once more, with that.
        if (code === 'stale_request' && skew === undefined) skew = now - this.#now();
        else if (code !== 'busy' || !(await patience.wait(retryAt === undefined ? retryAt : retryAt - now)))
          throw toError(answer);
      }
    } finally {
      wipe(beta);
    }
  }

  async #attempt<X extends Exchange>(
    record: DeviceRecord,
    beta: Uint8Array,
    exchange: X,
    members: RequestOf<X>,
    iat: number,
  ): Promise<Answer<X> | ErrorResponse> {
    const rho = randomBytes(32);
    const jti = randomBytes(16);
    const a = fromBase64url(record.a) as Uint8Array;
    try {
      const { ticket } = record;
      const payload = requestPayload(exchange, members, { beta, rho, iat, jti, ticket });
      const request = await seal(payload, 'rk-request+jwe', record.assistant.jwk);
      const mac = toBase64url(requestMac(a, request, ticket));
      const { sealed, hint } = await this.#post({ ticket, request, mac });
      const opened = await openDirect(sealed, 'rk-response+jwe', rho);
      const answer = opened && readAnswer(opened, exchange);
      if (!answer || !equalBytes(answer.jti, jti)) {
        throw new RoamingKeyError('bad_response', "the answer is not the assistant's answer to this request");
      }
      if ((hint === undefined) === isErrorResponse(answer)) {
        throw new RoamingKeyError('bad_response', "the answer's status is not what the assistant meant");
      }
      return answer;
    } finally {
      wipe(rho, a);
    }
  }

  async #post(body: object): Promise<{ sealed: string; hint?: RoamingKeyError }> {
    try {
      const answer = v.safeParse(BODY, (await send(`${this.url}/assist`, { body }, this.#options)).body);
      if (answer.success) return { sealed: answer.output.response };
      throw new RoamingKeyError('bad_response', 'the assistant answered without an answer');
    } catch (error) {
      if (!isRoamingKeyError(error)) throw error;
      if (error.response !== undefined) return { sealed: error.response, hint: error };
      throw asHint(error);
    }
  }
}

/**
 * Seals to a key that an assistant has published; one that cannot be used is no record's fault.
 *
 * @throws RoamingKeyError `bad_response` if the key is no point of its curve or of small order; `unsupported`
 */
export async function sealToPublished(payload: object, typ: JweType, jwk: AssistantJwk): Promise<string> {
  return seal(payload, typ, jwk).catch((cause: unknown) => {
    if (!isRoamingKeyError(cause, 'bad_record')) throw cause;
    throw new RoamingKeyError('bad_response', 'the assistant has published a key that cannot be used', {
      cause,
    });
  });
}

/**
 * Reduces an unauthenticated error to what may be passed on. Only a genuine answer can report a key as disabled or a
 * password as wrong.
 */
export function asHint(error: unknown): unknown {
  if (!isRoamingKeyError(error, ...ALWAYS_SEALED)) return error;
  return new RoamingKeyError('bad_response', 'somebody other than the assistant refused this request', {
    cause: error,
  });
}

/** How many seconds a time is ahead of this device's clock, by which hints in clear text are given. */
export function fromNow(at: number | undefined): number | undefined {
  return at === undefined ? undefined : at - epochSeconds();
}

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  wrong_password: 'the password is wrong',
  locked: 'too many wrong passwords were tried on this key',
  disabled: 'this key was disabled by its owner',
  retired: 'this device record was replaced by a newer one',
};

function toError({ code, attemptsLeft, retryAt }: ErrorResponse): RoamingKeyError {
  return new RoamingKeyError(code, MESSAGES[code] ?? `the assistant answered ${code}`, {
    ...(attemptsLeft !== undefined && { attemptsLeft }),
    ...(retryAt !== undefined && { retryAt }),
  });
}
