/**
 * Ending the sessions of a disabled key (docs/protocol.md section 6). A thief who logged in before the owner disabled the
 * key must not stay logged in, so a session remembers which key opened it, and every request asks anew.
 */
import type { Request, RequestHandler } from 'express';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { type ProblemOptions, sendProblem } from '../http/problem.ts';
import { assertNotDisabled, findKey, unavailable } from './registered-key.ts';
import { type RelyingParty, type RelyingPartyOptions, relyingParty } from './relying-party.ts';
import type { LoginInfo } from './strategy.ts';

/** Which key opened a session: `req.session.roamingKey`. */
export interface SessionKey {
  readonly account: string;
  readonly jkt: string;
}

interface Session {
  roamingKey?: SessionKey;
  save?(done: (error?: unknown) => void): void;
}

/** What becomes of requests in a session, and how failures are answered. */
export interface LiveKeyOptions extends RelyingPartyOptions, Pick<ProblemOptions, 'onError'> {
  /**
   * What happens to users whose session was not opened with a key, but with an invitation, say: `allow`
   * or `refuse`. Default `refuse`, since a session whose key was not remembered looks the same.
   */
  readonly withoutKey?: 'allow' | 'refuse';
}

/**
 * Express middleware that writes into the session which key opened it; for apps that call `passport.authenticate`
 * themselves, right after it. `login()` does it by itself. Without a session it does nothing.
 */
export function rememberKey(): RequestHandler {
  return (req, _res, next) => {
    const session = sessionOf(req);
    const info = req.authInfo as Partial<LoginInfo> | undefined;
    if (!session || !info?.key || info.account === undefined) {
      next();
      return;
    }
    session.roamingKey = { account: info.account, jkt: info.key.jkt };
    // Saved before anything is answered: a browser may be back before the session would be.
    if (session.save) session.save((error) => next(error ?? undefined));
    else next();
  };
}

/**
 * Express middleware that ends a session when the key that opened it is disabled or is none of the account's keys any
 * more; after `passport.session()`. It asks `keysOf` at every request, so that names that a key gained later count.
 *
 * Answers `disabled` after logging out, `refused` (see `withoutKey`), `unavailable` without logging out. Requests
 * without a user pass.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * app.use(session(…), passport.session(), requireLiveKey(options));
 */
export function requireLiveKey(options: LiveKeyOptions): RequestHandler {
  const rp = relyingParty(options);
  const { withoutKey = 'refuse', onError } = options;
  if (withoutKey !== 'allow' && withoutKey !== 'refuse')
    throw new TypeError("withoutKey must be 'allow' or 'refuse'");
  const problem = { clock: rp.now, ...(onError ? { onError } : {}) };
  return (req, res, next) => {
    if (!req.user) {
      next();
      return;
    }
    const key = sessionOf(req)?.roamingKey;
    if (!key) {
      if (withoutKey === 'allow') next();
      else
        sendProblem(
          req,
          res,
          new RoamingKeyError('refused', 'the session was not opened with a key'),
          problem,
        );
      return;
    }
    let u: readonly string[] | undefined;
    const found = (names: readonly string[]) => {
      u = names;
    };
    const end = (error: RoamingKeyError) =>
      req.logout((failed: unknown) => {
        if (failed) return fail(failed);
        const { jkt } = key;
        if (u) rp.tell?.({ type: 'sessionEnded', reason: 'disabled', jkt, u }, req);
        else rp.tell?.({ type: 'sessionEnded', reason: 'keyGone', jkt }, req);
        sendProblem(req, res, error, problem);
      });
    const fail = (error: unknown) => {
      rp.tell?.({ type: 'unavailable', part: 'relyingParty', error }, req);
      sendProblem(req, res, error, problem);
    };
    assertLive(rp, key, found)
      .then(
        () => next(),
        (error: unknown) => (isRoamingKeyError(error, 'disabled') ? end(error) : fail(error)),
      )
      .catch(next);
  };
}

async function assertLive(
  rp: RelyingParty,
  { account, jkt }: SessionKey,
  found: (u: readonly string[]) => void,
): Promise<void> {
  let keys: Awaited<ReturnType<RelyingParty['keysOf']>>;
  try {
    keys = await rp.keysOf(account);
  } catch (error) {
    throw unavailable('the keys of the account cannot be read', error);
  }
  const key = findKey(keys ?? [], jkt);
  if (!key) throw new RoamingKeyError('disabled', 'the key is none of the account any more');
  found(key.u);
  await assertNotDisabled(key.u, rp.disabled);
}

function sessionOf(req: Request): Session | undefined {
  return (req as unknown as { session?: Session }).session;
}
