/**
 * Ending the sessions of a disabled key (docs/protocol.md section 6). A thief who logged in before the owner disabled the
 * key must not stay logged in, so a session remembers which key opened it, and every request asks anew.
 */

import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { checkFunctions } from '../base/options.ts';
import { asWireError, type ProblemOptions, sendProblem } from '../http/problem.ts';
import { unavailable } from './registered-key.ts';
import { type RelyingParty, type RelyingPartyOptions, relyingParty } from './relying-party.ts';
import { endSession, markSession, openingOf, type SessionKey } from './session-mark.ts';
import { assertLive } from './standing.ts';
import type { LoginInfo } from './strategy.ts';

/** How requests in a session that may not go on are answered. */
export interface LiveKeyOptions extends RelyingPartyOptions, Pick<ProblemOptions, 'onError'> {
  /**
   * Answers a request whose session was ended; takes what an Express error handler takes. Default: problem+json, or
   * `next(error)` where the request asks for HTML.
   */
  readonly onEnded?: ErrorRequestHandler;
}

/**
 * Express middleware that writes into the session which key opened it; for apps that call `passport.authenticate`
 * themselves, right after it. `login()` does it by itself. Without a session it does nothing.
 */
export function rememberKey(): RequestHandler {
  return (req, _res, next) => {
    const { account, key } = (req.authInfo ?? {}) as Partial<LoginInfo>;
    if (!key || account === undefined) return next();
    markSession(req, { account, jkt: key.jkt }).then(() => next(), next);
  };
}

/**
 * Express middleware that ends a session when the key that opened it is disabled, suspended or no longer one of the
 * account's keys. Mount it right after `passport.session()`, for all routes. It asks `keysOf` at every request, so that names that a key
 * gained later count.
 *
 * Answers `disabled` or `suspended` after logging out, `refused` (see `withoutKey`), `unavailable` without logging out. Requests
 * without a user pass.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * app.use(session(…), passport.session(), requireLiveKey(options));
 */
export function requireLiveKey(options: LiveKeyOptions): RequestHandler {
  const rp = relyingParty(options);
  const { onEnded, onError } = options;
  checkFunctions(options, ['onEnded']);
  const problem = { clock: rp.now, ...(onError ? { onError } : {}) };
  return (req, res, next) => {
    const refuse = (error: unknown) => {
      if (asWireError(error).status >= 500)
        rp.tell?.({ type: 'unavailable', part: 'relyingParty', error }, req);
      if (onEnded && hasEnded(error)) return onEnded(error, req, res, next);
      if (req.accepts(['json', 'html']) === 'html') return next(error);
      return sendProblem(req, res, error, problem);
    };
    liveSession(rp, req)
      .then(() => next(), refuse)
      .catch(next);
  };
}

const ENDED = new WeakSet<object>();
const hasEnded = (error: unknown) => ENDED.has(Object(error));

/**
 * Judges the session of a request, and ends it where its key does not count any more.
 *
 * @returns the key that opened the session; `undefined` without a session, or where no key was needed
 * @throws RoamingKeyError `disabled`, `suspended` or `refused`, after logging out; `refused` where a session without a key is not
 *   allowed; `unavailable`
 */
export async function liveSession(rp: RelyingParty, req: Request): Promise<SessionKey | undefined> {
  const opening = openingOf(req);
  if (opening.by === 'none') return undefined;
  if (opening.by === 'unknown') {
    await end(req);
    throw ended(
      new RoamingKeyError('refused', 'the session does not say which key opened it', { reason: 'session' }),
    );
  }
  if (opening.by === 'other' || !opening.isSameLogin) {
    if (rp.withoutKey === 'refuse')
      throw new RoamingKeyError('refused', 'the session was not opened with a key', { reason: 'session' });
    if (opening.by === 'other') return undefined;
  }
  const { jkt } = opening.key;
  let u: readonly string[] | undefined;
  try {
    await assertLive(rp, opening.key, ({ disablingNames }) => {
      u = disablingNames;
    });
    return opening.key;
  } catch (error) {
    if (!isRoamingKeyError(error, 'disabled', 'suspended')) throw error;
    await end(req);
    const reason = error.code === 'suspended' ? 'suspended' : 'disabled';
    if (u) rp.tell?.({ type: 'sessionEnded', reason, jkt, u }, req);
    else rp.tell?.({ type: 'sessionEnded', reason: 'keyGone', jkt }, req);
    throw ended(error);
  }
}

async function end(req: Request): Promise<void> {
  await endSession(req).catch((error: unknown) => {
    throw unavailable('the session cannot be ended', error);
  });
}

function ended(error: RoamingKeyError): RoamingKeyError {
  ENDED.add(error);
  return error;
}
