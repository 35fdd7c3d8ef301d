import type { Request, RequestHandler, Response } from 'express';
import type { Authenticator } from 'passport';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { checkOptions, wrongOption } from '../base/options.ts';
import { jsonBody } from '../http/json-body.ts';
import { type ProblemOptions, sendProblem } from '../http/problem.ts';
import { run } from '../http/run.ts';
import { rememberKey } from './live-key.ts';
import { unreadable } from './strategy.ts';

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

const OPTIONS = {
  strategy: true,
  session: true,
  keepSessionInfo: true,
  onError: true,
  clock: true,
} as const satisfies Record<keyof LoginOptions, true>;

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
  if (typeof passport?.authenticate !== 'function')
    throw wrongOption('passport', 'an instance of Passport', passport);
  checkOptions(options, OPTIONS);
  const { strategy = 'roaming-key', session = true, keepSessionInfo = false, ...problem } = options;
  const read = jsonBody({ limit: PROOF_BODY_LIMIT });
  const remember = rememberKey();

  /** Whom the strategy lets in. */
  const authenticate = (req: Request, res: Response) =>
    new Promise<{ user: Express.User; info: object | undefined }>((resolve, reject) => {
      const done = (error: unknown, user?: Express.User | false | null, info?: unknown) => {
        if (error) reject(error);
        else if (!user) reject(asRefusal(info));
        else resolve({ user, info: typeof info === 'object' && info !== null ? info : undefined });
      };
      const handle = passport.authenticate(strategy, { session }, done) as RequestHandler;
      void handle(req, res, (error?: unknown) => reject(error ?? asRefusal(undefined)));
    });

  return async (req, res, next) => {
    try {
      await run(read, req, res).catch(async (error: RoamingKeyError) => {
        // The strategy knows who listens: it is asked, and refuses.
        unreadable.set(req, error);
        await authenticate(req, res).catch(() => {});
        throw error;
      });
      const { user, info } = await authenticate(req, res);
      await new Promise<void>((resolve, reject) => {
        req.logIn(user, { session, keepSessionInfo }, (error) => (error ? reject(error) : resolve()));
      });
      req.authInfo = info;
      if (session) await run(remember, req, res);
    } catch (error) {
      sendProblem(req, res, error, problem);
      return;
    }
    next();
  };
}

function asRefusal(info: unknown): RoamingKeyError {
  return isRoamingKeyError(info)
    ? info
    : new RoamingKeyError('refused', 'the app has no user for this account');
}
