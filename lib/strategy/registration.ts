import type { Request, RequestHandler } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { checkFunction } from '../base/options.ts';
import { answerJson } from '../http/answer.ts';
import { jsonBody } from '../http/json-body.ts';
import { asWireError, type ProblemOptions, sendProblem } from '../http/problem.ts';
import { run } from '../http/run.ts';
import { observeHandler } from '../observe/requests.ts';
import { isAccountName } from '../protocol/claims.ts';

import { keyOf } from './events.ts';
import { liveSession } from './live-key.ts';
import { PROOF_BODY_LIMIT } from './login.ts';
import { type OnProven, type ProvenLogin, readRegistration, verifyRegistration } from './proof.ts';
import type { Registration } from './registered-key.ts';
import { assertOwnPage, type RelyingPartyOptions, relyingParty } from './relying-party.ts';

/** What the registration handler needs besides the relying party's options. */
export interface RegistrationOptions extends RelyingPartyOptions, Pick<ProblemOptions, 'onError'> {
  /**
   * Whose key is registered: the account that this request is already authenticated for by other means, like a session
   * or an invitation; `undefined` without one. A session is judged as by `requireLiveKey` before this is asked.
   * `claimed` is the unverified name in the proof: return it only where anyone may take a free name, and then `save` must
   * refuse a name that is taken.
   */
  readonly account: (req: Request, claimed: string) => string | undefined | Promise<string | undefined>;
  /** Stores the key; see `mergeKey`. What it throws is answered: `unavailable`, or a `RoamingKeyError` as it is. */
  readonly save: (req: Request, registration: Registration) => unknown;
}

/**
 * Express handler that registers a key by a registration proof: `POST { proof }` → 201 `{ jkt }`.
 *
 * Answers `refused` to requests that are for no account, `disabled` or `refused` to those in a session whose key does not
 * count any more or that no key opened (see `withoutKey`), and `invalid_request`, `unsupported`,
 * `stale_request`, `replayed`, `disabled` and `unavailable` as a login does; `busy` for more than 32 new names in a day.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * app.post('/keys', registration({ ...options, account: (req) => req.user?.id, save: (_req, key) => db.addKey(key) }));
 */
export function registration(options: RegistrationOptions): RequestHandler {
  const rp = relyingParty(options);
  const { account, save, onError } = options;
  checkFunction('account', account);
  checkFunction('save', save);
  const problem = { clock: rp.now, ...(onError ? { onError } : {}) };
  const read = jsonBody({ limit: PROOF_BODY_LIMIT });
  const { observe, tell } = rp;

  async function register(req: Request, onProven: OnProven): Promise<Registration> {
    assertOwnPage(rp, req);
    // Before the app is asked: it believes the session.
    const opener = await liveSession(rp, req);
    const proof = readRegistration(req.body);
    const name = await account(req, proof.claims.sub);
    if (typeof name !== 'string' || !isAccountName(name))
      throw new RoamingKeyError('refused', 'authentication required', { reason: 'account' });
    const registered = await verifyRegistration(rp, proof, name, opener, onProven);
    await save(req, registered);
    return registered;
  }

  const handle: RequestHandler = async (req, res, next) => {
    let key: ProvenLogin['key'] | undefined;
    const check = () =>
      register(req, (proven) => {
        key = proven;
      });
    try {
      await run(read, req, res);
      const registered = await observe({ name: 'registration' }, check);
      const { jkt, by } = registered;
      tell?.({ type: 'registered', ...keyOf(registered), ...(by !== undefined && { by }) }, req);
      answerJson(res, 201, { jkt });
    } catch (error) {
      try {
        const { status, code, reason } = asWireError(error);
        const why = { code, ...(reason !== undefined && { reason }), ...(key && keyOf(key)) };
        if (status < 500) tell?.({ type: 'registrationRefused', ...why }, req);
        else tell?.({ type: 'unavailable', part: 'relyingParty', error }, req);
        sendProblem(req, res, error, problem);
      } catch (failed) {
        next(failed);
      }
    }
  };
  return observeHandler(observe, 'relyingParty', 'registration', handle);
}
