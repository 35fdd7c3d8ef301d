import { createHash } from 'node:crypto';
import { type Request, type RequestHandler, Router } from 'express';
import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { checkFunction, wholeNumber, wrongOption } from '../base/options.ts';
import { isSecureOrigin } from '../base/url.ts';
import { crossOrigin, readOrigins } from '../http/cross-origin.ts';
import { handler } from '../http/handler.ts';
import { jsonBody } from '../http/json-body.ts';
import { type ProblemOptions, problemHandler } from '../http/problem.ts';
import { refusalOf, tellRefusals } from '../http/tell-refusals.ts';
import { AddressCounter } from '../limits/address-counter.ts';
import { AttemptLimit } from '../limits/attempt-limit.ts';
import { clientAddress } from '../limits/client-address.ts';
import { SharedAttempts } from '../limits/shared-attempts.ts';
import { observer } from '../observe/instrument.ts';
import { safeListener } from '../observe/listeners.ts';
import { observeRequests } from '../observe/requests.ts';
import { isAccountName } from '../protocol/claims.ts';
import { MAX_BODY } from '../protocol/messages.ts';
import { emitWarning, noteUse, ONE_OPERATOR } from '../store/backing.ts';
import type { Store } from '../store/store.ts';
import { liveSession } from '../strategy/live-key.ts';
import { type RelyingPartyOptions, relyingParty } from '../strategy/relying-party.ts';
import { RecordService, type RecordServiceOptions } from './record-service.ts';

export interface RoamingRecordsOptions extends RecordServiceOptions {
  /** The app's origin as its users see it, like `https://app.example`. */
  readonly audience: string;
  /**
   * The options of the app's strategy, with which sessions are judged before `accountOf` is asked: one whose key is disabled
   * must not store a record, and one that no key opened must not read `GET /others`. An app without such sessions, or with
   * `requireLiveKey` before this router, says so instead; then `accountOf` must refuse both.
   */
  readonly relyingParty: RelyingPartyOptions | 'accountOf judges sessions itself';
  /**
   * Whose record is stored, deleted or asked about: the account that this request is authenticated for, by a session for
   * example, exactly as users type it at another device; `undefined` without one.
   */
  readonly accountOf: (req: Request) => string | undefined | Promise<string | undefined>;
  /** Origins whose pages may store and delete records. Default: `audience` alone. */
  readonly allowedOrigins?: readonly string[];
  /** Origins of other apps whose pages may fetch records, or `true` for all. Default: none. */
  readonly cors?: true | string | readonly string[];
  /**
   * Where all processes count together, under hashes, how often an address fetches and an account asks. Default: the store of
   * `relyingParty`, where it counts; else each process counts by itself. While it fails, fetches are refused, and accounts
   * are counted by each process; `DELETE` always is.
   */
  readonly counters?: Pick<Store, 'count'>;
  /**
   * How many fetches with a wrong code one address may make in a minute, or of all without codes. Default 30. Each process
   * answers ten times as many in all, right and malformed ones too.
   */
  readonly fetchesPerMinute?: number;
  /** How many other requests one account may make in a minute. Default 60. */
  readonly requestsPerMinute?: number;
  /** Called for every answer with a status from 500. Default: `console.error`. */
  readonly onError?: ProblemOptions['onError'];
  /** Called where assistant and records seem to have one operator. Default: `process.emitWarning`. */
  readonly onWarning?: (warning: string) => void;
}

/** An Express router that also gives its app the service, to prepare and close it. */
export interface RoamingRecordsRouter extends Router {
  /** The service behind the routes. */
  readonly records: RecordService;
}

const SELF_JUDGED = 'accountOf judges sessions itself';
/** Names of routes in metrics and traces. */
const ROUTES = {
  '/': 'record',
  '/fetch': 'fetch',
  '/fetches': 'fetches',
  '/others': 'others',
  '/profile': 'profile',
};
const MAX_FETCH_BODY = 4096;
/** How many fetches an address may make at each process, right ones too, for each that may be wrong. */
const FETCHES_PER_WRONG = 10;
const PROFILE_MAX_AGE = 300;

/**
 * The record service as an Express router: `PUT /`, `GET /`, `DELETE /`, `GET /fetches`, `GET /others` and `PUT /others` for an authenticated account,
 * `POST /fetch` and `GET /profile` for everyone. Mount it at any path, but not at the assistant's operator. Behind a proxy,
 * set Express's `trust proxy`, or all clients are one address to its limits.
 *
 * @throws TypeError for an option that is missing or of the wrong kind
 * @source docs/protocol.md section 9
 *
 * @example
 * const accountOf = (req) => req.user?.account;
 * const records = roamingRecords({ store, secret, audience, relyingParty: rp, accountOf, assistant });
 * app.use('/records', records);
 */
export function roamingRecords(options: RoamingRecordsOptions): RoamingRecordsRouter {
  const { audience, accountOf, allowedOrigins = [audience], cors: others } = options;
  const {
    fetchesPerMinute = 30,
    requestsPerMinute = 60,
    onError,
    onWarning = emitWarning,
    now = epochSeconds,
  } = options;
  if (!isSecureOrigin(audience))
    throw new TypeError(
      `audience must be an origin like https://app.example (http only on loopback), got ${String(audience)}`,
    );
  checkFunction('accountOf', accountOf);
  const rp = options.relyingParty === SELF_JUDGED ? undefined : relyingPartyOf(options.relyingParty);
  if (!allowedOrigins.every(isSecureOrigin))
    throw new TypeError(`allowedOrigins must be origins, got ${String(allowedOrigins)}`);
  const fetchers = readOrigins(others);
  const counters = options.counters ?? countingStore(options.relyingParty);
  if (counters !== undefined && typeof counters.count !== 'function')
    throw wrongOption('counters', 'a store, with count', counters);
  const records = new RecordService(options);
  const isShared = noteUse(options.store, 'records');
  if (isShared || new URL(records.profile.assistant).origin === audience) onWarning(ONE_OPERATOR);

  const problems: ProblemOptions = { ...(onError && { onError }), clock: now };
  const shared = { realm: audience, seconds: 60, store: counters, now };
  wholeNumber('fetchesPerMinute', fetchesPerMinute, 1);
  const fetches = new SharedAttempts({ purpose: 'fetch', limit: fetchesPerMinute, ...shared });
  const mostFetches = FETCHES_PER_WRONG * fetchesPerMinute;
  const allFetches = new AddressCounter({
    purpose: 'all-fetches',
    limit: mostFetches,
    seconds: 60,
    clock: now,
  });
  wholeNumber('requestsPerMinute', requestsPerMinute, 1, 65_535);
  const requests = new AttemptLimit({ limit: requestsPerMinute, window: 60, width: 2 ** 14, now });
  const requestsOfAll =
    counters && new SharedAttempts({ purpose: 'record-requests', limit: requestsPerMinute, ...shared });
  const fromOwnPage = checkOrigin((origin) => allowedOrigins.includes(origin));
  const fromFetcher = checkOrigin(
    (origin) => fetchers === '*' || [...allowedOrigins, ...fetchers].includes(origin),
  );

  async function authenticated(req: Request, { byKey = false } = {}): Promise<string> {
    const key = rp && (await liveSession(rp, req));
    if (byKey && rp && !key)
      throw new RoamingKeyError('refused', 'the session was not opened with a key', { reason: 'session' });
    const account = await accountOf(req);
    if (typeof account !== 'string' || !isAccountName(account))
      throw new RoamingKeyError('refused', 'authentication required', { reason: 'account' });
    const hash = createHash('sha256').update(account).digest();
    let answer: unknown = requests.take(hash);
    // The way to take one's record away does not wait for a store that cannot count, and no route of an owner ends there.
    if (typeof answer !== 'number' && req.method !== 'DELETE')
      answer = await requestsOfAll?.take(hash.toString('base64url')).catch(onCounting);
    if (typeof answer === 'number')
      throw new RoamingKeyError('busy', 'too many requests for this account', {
        retryAt: answer,
        reason: 'busy',
      });
    return account;
  }

  const tell = options.onEvent && safeListener(options.onEvent);
  // The service itself tells of what it has limited.
  const telling = tellRefusals(
    tell &&
      ((error, req) =>
        error.reason === 'limited' ||
        tell({ type: 'rejected', part: 'records', ...refusalOf(error), address: clientAddress(req) })),
  );
  const onCounting = (error: unknown) => tell?.({ type: 'unavailable', part: 'records', error });

  const router = Router();
  if (options.instrument) {
    const observe = observer(options.instrument);
    for (const [path, route] of Object.entries(ROUTES))
      router.all(path, observeRequests(observe, 'records', route));
  }
  router.use((_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  if (fetchers.length > 0) router.use(['/fetch', '/profile'], telling(crossOrigin(fetchers, allowedOrigins)));

  const handling = (handle: Parameters<typeof handler>[0]) => telling(handler(handle));

  router.post(
    '/fetch',
    telling(fromFetcher),
    telling(jsonBody({ limit: MAX_FETCH_BODY })),
    handling(async (req, res) => {
      const address = clientAddress(req);
      const all = await allFetches.count(address, 1);
      if (all.count > mostFetches) throw tooMany(all.retryAt);
      records.readFetch(req.body);
      const end = await fetches.take(address);
      if (typeof end === 'number') throw tooMany(end);
      const onOutcome = (isRight: boolean) => void end(isRight).catch(onCounting);
      const body = await records.fetch(req.body, { address, onOutcome }).catch((error: unknown) => {
        // A store that is down counts against no client; a name that is over its limit does.
        onOutcome(!isRoamingKeyError(error, 'busy'));
        throw error;
      });
      // Not by res.json, which adds an ETag: one more thing to compare.
      res.setHeader('Content-Type', 'application/json; charset=utf-8');
      res.setHeader('Content-Length', Buffer.byteLength(body));
      res.end(body);
    }),
  );

  router.get('/profile', (_req, res) => {
    res.set('Cache-Control', `public, max-age=${PROFILE_MAX_AGE}`);
    const { scheme, key, kdf, assistant } = records.profile;
    res.json({ scheme, key, kdf, assistant: { url: assistant } });
  });

  router
    .route('/')
    .all(telling(fromOwnPage))
    .put(
      telling(jsonBody({ limit: MAX_BODY })),
      handling(async (req, res) => {
        const account = await authenticated(req);
        res.json(await records.put(account, req.body, { address: clientAddress(req) }));
      }),
    )
    .get(
      handling(async (req, res) => {
        res.json({ stored: (await records.find(await authenticated(req))) ?? null });
      }),
    )
    .delete(
      handling(async (req, res) => {
        await records.delete(await authenticated(req), { address: clientAddress(req) });
        res.status(204).end();
      }),
    );

  router
    .route('/others')
    .all(telling(fromOwnPage))
    .put(
      telling(jsonBody({ limit: MAX_BODY })),
      handling(async (req, res) => {
        const account = await authenticated(req);
        await records.putOther(account, req.body, { address: clientAddress(req) });
        res.status(204).end();
      }),
    )
    .get(
      handling(async (req, res) => {
        const account = await authenticated(req, { byKey: true });
        res.type('json').send(await records.others(account, { address: clientAddress(req) }));
      }),
    );

  router.get(
    '/fetches',
    telling(fromOwnPage),
    handling(async (req, res) => {
      res.json({ fetches: await records.fetches(await authenticated(req)) });
    }),
  );

  router.use(problemHandler(problems));
  return Object.assign(router, { records });
}

function tooMany(retryAt: number): RoamingKeyError {
  return new RoamingKeyError('busy', 'too many requests', { retryAt, reason: 'busy' });
}

/** The store of the app, where it counts. */
function countingStore(rp: RoamingRecordsOptions['relyingParty']): RoamingRecordsOptions['counters'] {
  const store = typeof rp === 'object' ? rp?.store : undefined;
  return typeof store?.count === 'function' ? { count: store.count.bind(store) } : undefined;
}

function relyingPartyOf(options: unknown): ReturnType<typeof relyingParty> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`relyingParty must be the options of the app's strategy, or '${SELF_JUDGED}'`);
  return relyingParty(options as RelyingPartyOptions);
}

/** Refuses requests that pages of other origins have sent. */
function checkOrigin(isAllowed: (origin: string) => boolean): RequestHandler {
  return (req, _res, next) => {
    const { origin } = req.headers;
    if (origin === undefined || isAllowed(origin)) next();
    else
      next(
        new RoamingKeyError('refused', 'the request comes from a page of another origin', {
          reason: 'origin',
        }),
      );
  };
}
