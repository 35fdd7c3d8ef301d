/**
 * The Passport strategy `roaming-key` (docs/protocol.md section 8): it authenticates a user who proves, for
 * this origin and this minute, possession of one of the account's keys that is not disabled.
 */

import type { Request } from 'express';
import CustomStrategy from 'passport-custom';
import { isRoamingKeyError, type RoamingKeyError } from '../base/errors.ts';
import { checkFunction } from '../base/options.ts';
import { keyOf } from './events.ts';
import { type OnProven, type ProvenLogin, verifyLogin } from './proof.ts';
import { assertOwnPage, type RelyingParty, type RelyingPartyOptions, relyingParty } from './relying-party.ts';
import { outgrowVoucher } from './standing.ts';

/** A user, or `false`, `null`, `undefined` where the app has no user for this account. */
export type LoginUser = object | false | null | undefined;

/** Ends a verify function, as everywhere in Passport. `info` goes to `req.authInfo`, or on failure to the callback of `authenticate`. */
export type LoginDone = (error: unknown, user?: LoginUser, info?: object) => void;

/** What the verify function may learn besides the account, and what goes to `req.authInfo`. */
export type LoginInfo = ProvenLogin;

/**
 * Finds the user of an account that has proven its key. Either returns the user, or a promise of it, or takes `done`
 * and calls it; a function that takes `done` may also return a promise, whose rejection then counts.
 */
export type VerifyLogin = (
  account: string,
  done: LoginDone,
  info: LoginInfo,
) => LoginUser | void | Promise<LoginUser> | Promise<void>;

/** The same with the request first, for `passReqToCallback: true`. */
export type VerifyLoginWithRequest = (
  req: Request,
  account: string,
  done: LoginDone,
  info: LoginInfo,
) => LoginUser | void | Promise<LoginUser> | Promise<void>;

/** Options of the strategy: the relying party's, and whether the verify function wants the request. */
export interface StrategyOptions extends RelyingPartyOptions {
  /** Gives the request to the verify function as its first argument. Default false. */
  readonly passReqToCallback?: boolean;
}

/** What Passport lends a strategy for one request. */
interface Actions {
  readonly success: (user: object, info?: object) => void;
  readonly fail: (challenge?: object, status?: number) => void;
  readonly error: (error: unknown) => void;
}

/** The part of passport-custom that is built on, so that published types need no others. */
interface CustomStrategyInstance {
  name: string;
  authenticate(req: Request, options?: unknown): void;
}
const Custom = CustomStrategy as unknown as new (
  verify: (req: Request, done: LoginDone) => void,
) => CustomStrategyInstance;

/**
 * Passport strategy that logs in by a proof of a registered key.
 *
 * Expects `{ proof }` in `req.body`, read by `login()`, or by `express.json()` before `passport.authenticate`.
 * A proof that is not accepted fails the request with the `RoamingKeyError` as info and its status; a store
 * or an app function that fails is an error. `req.authInfo` is `{ account, key: { jkt, disablingNames } }` after success.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * passport.use(new RoamingKeyStrategy({ audience, secret, store, keysOf }, (account) => users.get(account)));
 * app.post('/login', login(passport), (req, res) => res.json({ user: req.user }));
 */
export class RoamingKeyStrategy extends Custom {
  override name = 'roaming-key';

  constructor(
    options: StrategyOptions & { readonly passReqToCallback: true },
    verify: VerifyLoginWithRequest,
  );
  constructor(options: StrategyOptions & { readonly passReqToCallback?: false }, verify: VerifyLogin);
  constructor(options: StrategyOptions, verify: VerifyLogin | VerifyLoginWithRequest) {
    checkFunction('verify', verify);
    const rp = relyingParty(options);
    const ask =
      options.passReqToCallback === true
        ? withRequest(verify as VerifyLoginWithRequest)
        : withoutRequest(verify as VerifyLogin);
    super((req, done) => {
      attempt(rp, ask, req)
        .then(
          ({ user, info }) => done(null, user, info),
          (error: unknown) => (isFailure(error) ? done(null, false, error) : done(error)),
        )
        .catch(done);
    });
  }

  /** Called by Passport. */
  override authenticate(req: Request, options?: unknown): void {
    const { success, fail, error } = this as unknown as Actions;
    // Passport lends its actions to `this`. Where an app gives passport.authenticate the strategy itself and not its
    // name, `this` is shared by all requests, and the next one replaces the actions while this one waits:
    // one user's session would go to another. So they are taken along here, before anything is awaited.
    const turn = Object.assign(Object.create(this) as this, {
      success,
      error,
      fail: (info?: object) => fail(info, isRoamingKeyError(info) ? info.status : 403),
    });
    super.authenticate.call(turn, req, options);
  }
}

/** Requests whose body could not be read, and why; for `login`, which reads it. */
export const unreadable = new WeakMap<object, RoamingKeyError>();

interface Decision {
  readonly user: LoginUser;
  readonly info: object | undefined;
}

/** Asks the app's verify function. */
type Ask = (req: Request, proven: LoginInfo, done: LoginDone) => { returned: unknown; usesDone: boolean };

function withRequest(verify: VerifyLoginWithRequest): Ask {
  return (req, proven, done) => ({
    returned: verify(req, proven.account, done, proven),
    usesDone: verify.length > 2,
  });
}

function withoutRequest(verify: VerifyLogin): Ask {
  return (_req, proven, done) => ({
    returned: verify(proven.account, done, proven),
    usesDone: verify.length > 1,
  });
}

/** Decides, and reports what came of it. */
async function attempt(rp: RelyingParty, ask: Ask, req: Request): Promise<Decision> {
  const { observe, tell } = rp;
  let key: ProvenLogin['key'] | undefined;
  const run = () =>
    decide(rp, ask, req, (proven) => {
      key = proven;
    });
  try {
    const decision = await observe({ name: 'login' }, run, ({ user }) => (user ? 'ok' : 'refused'));
    if (decision.user && key) tell?.({ type: 'loggedIn', ...keyOf(key) }, req);
    else tell?.({ type: 'loginRefused', code: 'refused', reason: 'app', ...(key && keyOf(key)) }, req);
    return decision;
  } catch (error) {
    if (isFailure(error)) {
      const { code, reason } = error;
      tell?.(
        { type: 'loginRefused', code, ...(reason !== undefined && { reason }), ...(key && keyOf(key)) },
        req,
      );
    } else tell?.({ type: 'unavailable', part: 'relyingParty', error }, req);
    throw error;
  }
}

async function decide(rp: RelyingParty, ask: Ask, req: Request, onProven?: OnProven): Promise<Decision> {
  const unread = unreadable.get(req);
  if (unread) throw unread;
  assertOwnPage(rp, req);
  const proven = await verifyLogin(rp, req.body, onProven);
  const { user, info } = await new Promise<Decision>((resolve, reject) => {
    // A rejection without a reason must not pass for no rejection.
    const fail = (error: unknown) => reject(error || new Error('the verify function failed'));
    const { returned, usesDone } = ask(req, proven, (error, found, more) =>
      error ? fail(error) : resolve({ user: found, info: more }),
    );
    Promise.resolve(returned).then((found) => {
      if (!usesDone || found !== undefined) resolve({ user: found as LoginUser, info: undefined });
    }, fail);
  });
  if (user) {
    // The login is right, whether this can be written or not.
    await outgrowVoucher(rp, proven.account, proven.key).catch((error: unknown) =>
      rp.tell?.({ type: 'unavailable', part: 'relyingParty', error }, req),
    );
  }
  return { user, info: user ? { ...info, ...proven } : info };
}

/** Whether an error is the request's, so that Passport may try the next strategy. */
function isFailure(error: unknown): error is RoamingKeyError {
  return isRoamingKeyError(error) && error.status >= 400 && error.status < 500;
}
