import type { Request, RequestHandler } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { answerJson } from '../http/answer.ts';
import { jsonBody } from '../http/json-body.ts';
import { asWireError, type ProblemOptions, sendProblem } from '../http/problem.ts';
import { observeHandler } from '../observe/requests.ts';
import { isAccountName } from './compact-jws.ts';
import { PROOF_BODY_LIMIT } from './login.ts';
import { claimedAccount, type OnProven, type ProvenLogin, verifyRegistration } from './proof.ts';
import type { Registration } from './registered-key.ts';
import { assertOwnPage, type RelyingPartyOptions, relyingParty } from './relying-party.ts';

/** What the registration handler needs besides the relying party's options. */
export interface RegistrationOptions extends RelyingPartyOptions, Pick<ProblemOptions, 'onError'> {
  /**
   * Whose key is registered: the account that this request is already authenticated for by other means, like a session
   * or an invitation; `undefined` where there is none. `claimed` is the name in the proof, which nobody has checked: to
   * be returned only where whoever comes first may have it, and then `save` must refuse a name that is taken.
   */
  readonly account: (req: Request, claimed: string) => string | undefined | Promise<string | undefined>;
  /** Stores the key; see `mergeKey`. What it throws is answered: `unavailable`, or a `RoamingKeyError` as it is. */
  readonly save: (req: Request, registration: Registration) => unknown;
}

/**
 * Express handler that registers a key by a registration proof: `POST { proof }` → 201 `{ jkt }`.
 *
 * Answers `refused` to requests that are for no account, and `invalid_request`, `unsupported`,
 * `stale_request`, `replayed`, `disabled` and `unavailable` as a login does.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * app.post('/keys', registration({ ...options, account: (req) => req.user?.id, save: (_req, key) => db.addKey(key) }));
 */
export function registration(options: RegistrationOptions): RequestHandler {
  const rp = relyingParty(options);
  const { account, save, onError } = options;
  if (typeof account !== 'function') throw new TypeError('account must be a function');
  if (typeof save !== 'function') throw new TypeError('save must be a function');
  const problem = { clock: rp.now, ...(onError ? { onError } : {}) };
  const read = jsonBody({ limit: PROOF_BODY_LIMIT });

  async function register(req: Request, onProven: OnProven): Promise<Registration> {
    assertOwnPage(rp, req);
    const name = await account(req, claimedAccount(req.body));
    if (typeof name !== 'string' || !isAccountName(name))
      throw new RoamingKeyError('refused', 'nobody is authenticated');
    const registered = await verifyRegistration(rp, req.body, name, onProven);
    await save(req, registered);
    return registered;
  }

  const { observe, tell } = rp;
  const handle: RequestHandler = (req, res, next) => {
    let key: ProvenLogin['key'] | undefined;
    const refuse = (error: unknown) => {
      const { status, code } = asWireError(error);
      if (status < 500) tell?.({ type: 'registrationRefused', code, ...key }, req);
      else tell?.({ type: 'unavailable', part: 'relyingParty', error }, req);
      sendProblem(req, res, error, problem);
    };
    const run = () =>
      register(req, (proven) => {
        key = proven;
      });
    const accept = ({ jkt, u }: Registration) => {
      tell?.({ type: 'registered', jkt, u }, req);
      answerJson(res, 201, { jkt });
    };
    const go = (error?: unknown) => {
      if (error !== undefined) return refuse(error);
      return (observe ? observe({ name: 'registration' }, run) : run()).then(accept, refuse).catch(next);
    };
    void read(req, res, go);
  };
  return observeHandler(observe, 'relyingParty', 'registration', handle);
}
