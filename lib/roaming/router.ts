import { type Request, type RequestHandler, Router } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { isSecureOrigin } from '../base/url.ts';
import { crossOrigin, readOrigins } from '../http/cross-origin.ts';
import { jsonBody } from '../http/json-body.ts';
import { type ProblemOptions, problemHandler } from '../http/problem.ts';
import { addressLimit } from '../limits/address-limit.ts';
import { clientAddress } from '../limits/client-address.ts';
import { observer } from '../observe/instrument.ts';
import { observeRequests } from '../observe/requests.ts';
import { MAX_BODY } from '../protocol/messages.ts';
import { emitWarning, noteUse, ONE_OPERATOR } from '../store/backing.ts';
import { isAccountName } from '../strategy/compact-jws.ts';
import { RecordService, type RecordServiceOptions } from './record-service.ts';

export interface RoamingRecordsOptions extends RecordServiceOptions {
  /** The app's origin as its users see it, like `https://app.example`. */
  readonly audience: string;
  /**
   * Whose record is stored, deleted or asked about: the account that this request is already authenticated for, by a
   * session say, exactly as users type it at another device; `undefined` where there is none.
   */
  readonly accountOf: (req: Request) => string | undefined | Promise<string | undefined>;
  /** Origins whose pages may store and delete records. Default: `audience` alone. */
  readonly allowedOrigins?: readonly string[];
  /** Origins of other apps whose pages may fetch records, or `true` for all. Default: none. */
  readonly cors?: true | string | readonly string[];
  /** How many fetches one address may make in a minute. Default 30. */
  readonly fetchesPerMinute?: number;
  /** How many other requests one address may make in a minute. Default 60. */
  readonly requestsPerMinute?: number;
  /** Told of every answer with a status from 500. Default: `console.error`. */
  readonly onError?: ProblemOptions['onError'];
  /** Told where the assistant is found in the same hand. Default: `process.emitWarning`. */
  readonly onWarning?: (warning: string) => void;
}

/** An Express router that also lets its app prepare and end what is behind it. */
export interface RoamingRecordsRouter extends Router {
  /** What answers behind the routes. */
  readonly records: RecordService;
}

/** What routes are called where requests are counted. */
const ROUTES = { '/': 'record', '/fetch': 'fetch', '/fetches': 'fetches', '/profile': 'profile' };
const MAX_FETCH_BODY = 4096;
const PROFILE_MAX_AGE = 300;

/**
 * The record service as an Express router: `PUT /`, `GET /`, `DELETE /` and `GET /fetches` for an authenticated account,
 * `POST /fetch` and `GET /profile` for anybody. Mount it at any path, anywhere but at the assistant's operator. Behind a
 * proxy, set Express's `trust proxy`, or all the world is one address to its limits.
 *
 * @throws TypeError for an option that is missing or of the wrong kind
 * @source docs/protocol.md section 9
 *
 * @example
 * const records = roamingRecords({ store, secret, audience, accountOf: (req) => req.user?.account, assistant });
 * app.use('/records', records);
 */
export function roamingRecords(options: RoamingRecordsOptions): RoamingRecordsRouter {
  const { audience, accountOf, allowedOrigins = [audience], cors: others } = options;
  const { fetchesPerMinute = 30, requestsPerMinute = 60, onError, onWarning = emitWarning, now } = options;
  if (!isSecureOrigin(audience))
    throw new TypeError('audience must be an origin like https://app.example (http only on loopback)');
  if (typeof accountOf !== 'function') throw new TypeError('accountOf must be a function');
  if (!allowedOrigins.every(isSecureOrigin)) throw new TypeError('allowedOrigins must be origins');
  const fetchers = readOrigins(others);
  const records = new RecordService(options);
  const isShared = noteUse(options.store, 'records');
  if (isShared || new URL(records.profile.assistant).origin === audience) onWarning(ONE_OPERATOR);

  const problems: ProblemOptions = { ...(onError && { onError }), ...(now && { clock: now }) };
  const limitFetches = addressLimit({
    limit: fetchesPerMinute,
    windowSeconds: 60,
    purpose: 'fetch',
    ...problems,
  });
  const limitOthers = addressLimit({
    limit: requestsPerMinute,
    windowSeconds: 60,
    purpose: 'record',
    ...problems,
  });
  const fromOwnPage = checkOrigin((origin) => allowedOrigins.includes(origin));
  const fromFetcher = checkOrigin(
    (origin) => fetchers === '*' || [...allowedOrigins, ...fetchers].includes(origin),
  );

  /** Whose request it is. */
  async function authenticated(req: Request): Promise<string> {
    const account = await accountOf(req);
    if (typeof account !== 'string' || !isAccountName(account))
      throw new RoamingKeyError('refused', 'nobody is authenticated');
    return account;
  }

  const router = Router();
  const observe = observer(options.instrument);
  if (observe) {
    for (const [path, route] of Object.entries(ROUTES))
      router.all(path, observeRequests(observe, 'records', route));
  }
  router.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  if (fetchers.length > 0) router.use(['/fetch', '/profile'], crossOrigin(fetchers, allowedOrigins));

  router.post('/fetch', fromFetcher, limitFetches, jsonBody({ limit: MAX_FETCH_BODY }), async (req, res) => {
    const body = await records.fetch(req.body, { address: clientAddress(req) });
    // No ETag: it would be one more thing that somebody has to compare.
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.setHeader('Content-Length', Buffer.byteLength(body));
    res.end(body);
  });

  router.get('/profile', (_req, res) => {
    res.set('Cache-Control', `public, max-age=${PROFILE_MAX_AGE}`);
    const { scheme, key, kdf, assistant } = records.profile;
    res.json({ scheme, key, kdf, assistant: { url: assistant } });
  });

  router
    .route('/')
    .all(fromOwnPage, limitOthers)
    .put(jsonBody({ limit: MAX_BODY }), async (req, res) => {
      const account = await authenticated(req);
      res.json(await records.put(account, req.body, { address: clientAddress(req) }));
    })
    .get(async (req, res) => {
      res.json({ stored: (await records.find(await authenticated(req))) ?? null });
    })
    .delete(async (req, res) => {
      await records.delete(await authenticated(req), { address: clientAddress(req) });
      res.status(204).end();
    });

  router.get('/fetches', fromOwnPage, limitOthers, async (req, res) => {
    res.json({ fetches: await records.fetches(await authenticated(req)) });
  });

  router.use(problemHandler(problems));
  return Object.assign(router, { records });
}

/** Refuses requests that pages of other origins have sent. */
function checkOrigin(isAllowed: (origin: string) => boolean): RequestHandler {
  return (req, _res, next) => {
    const { origin } = req.headers;
    if (origin === undefined || isAllowed(origin)) next();
    else next(new RoamingKeyError('refused', 'the request comes from a page of another origin'));
  };
}
