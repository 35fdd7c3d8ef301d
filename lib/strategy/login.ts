import type { RequestHandler } from 'express';
import type { Authenticator } from 'passport';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { jsonBody } from '../http/json-body.ts';
import { type ProblemOptions, sendProblem } from '../http/problem.ts';
import { rememberKey } from './live-key.ts';

/** The largest body of a proof, in bytes. */
export const PROOF_BODY_LIMIT = 16 * 1024;

/** How a user is logged in. */
export interface LoginOptions extends ProblemOptions {
  /** Under which name the strategy is registered with Passport. Default `roaming-key`. */
  readonly strategy?: string;
  /** Whether a session is opened; without one, `req.user` is good for this request. Default true. */
  readonly session?: boolean;
  /** Keeps what the session held before the login; Passport gives it a new id in any case. Default false. */
  readonly keepSessionInfo?: boolean;
}

/**
 * Express handler for `POST {login}`: reads the body, has Passport check the proof, opens a session and remembers in it
 * which key opened it, and goes on with `req.user` and `req.authInfo`. Failures are answered as problem+json with
 * the codes of the strategy; `refused` where the app's verify function found no user.
 *
 * @example
 * app.post('/login', login(passport), (req, res) => res.json({ user: req.user }));
 */
export function login(
  passport: Pick<Authenticator, 'authenticate'>,
  options: LoginOptions = {},
): RequestHandler {
  const { strategy = 'roaming-key', session = true, keepSessionInfo = false, ...problem } = options;
  const read = jsonBody({ limit: PROOF_BODY_LIMIT });
  const remember = rememberKey();
  return (req, res, next) => {
    const step = (go: () => void) => (error?: unknown) => {
      if (error) sendProblem(req, res, error, problem);
      else go();
    };
    const enter = (user: Express.User, info: object | undefined) =>
      req.logIn(
        user,
        { session, keepSessionInfo },
        step(() => {
          req.authInfo = info;
          if (session) void remember(req, res, step(next));
          else next();
        }),
      );
    const authenticate = passport.authenticate(
      strategy,
      { session },
      (
        error: unknown,
        user?: Express.User | false | null,
        info?: object | string | (string | undefined)[],
      ) => {
        if (error) sendProblem(req, res, error, problem);
        else if (!user) sendProblem(req, res, asRefusal(info), problem);
        else enter(user, typeof info === 'object' ? info : undefined);
      },
    ) as RequestHandler;
    void read(
      req,
      res,
      step(() => void authenticate(req, res, step(next))),
    );
  };
}

function asRefusal(info: unknown): RoamingKeyError {
  return isRoamingKeyError(info) ? info : new RoamingKeyError('refused', 'the app lets nobody in');
}
