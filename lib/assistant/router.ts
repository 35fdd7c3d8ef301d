import { type RequestHandler, Router } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { answerJson } from '../http/answer.ts';
import { crossOrigin, readOrigins } from '../http/cross-origin.ts';
import { handler } from '../http/handler.ts';
import { jsonBody } from '../http/json-body.ts';
import { type ProblemOptions, problemHandler } from '../http/problem.ts';
import { refusalOf, tellRefusals } from '../http/tell-refusals.ts';
import { clientAddress } from '../limits/client-address.ts';
import { observer } from '../observe/instrument.ts';
import { safeListener } from '../observe/listeners.ts';
import { observeRequests } from '../observe/requests.ts';
import { MAX_BODY, MAX_REQUEST } from '../protocol/messages.ts';
import { emitWarning, noteUse, ONE_OPERATOR } from '../store/backing.ts';
import { Assistant, type AssistantOptions } from './assistant.ts';
import { PAGE_MAX_AGE } from './feed.ts';

export interface AssistantRouterOptions extends AssistantOptions {
  /**
   * Origins whose pages, apps or extensions may talk to this assistant, or `true` for all. Default none: pages of the
   * assistant's own origin, and clients that are not browsers.
   */
  readonly cors?: true | string | readonly string[];
  /** Hears of every answer with a status from 500. Default: `console.error`. */
  readonly onError?: ProblemOptions['onError'];
}

/** An Express router that also lets its app prepare and end what is behind it. */
export interface AssistantRouter extends Router {
  /** What answers behind the routes. */
  readonly assistant: Assistant;
}

const METHODS = { '/keys': 'GET, HEAD', '/assist': 'POST', '/disable': 'POST', '/disabled': 'GET, HEAD' };

/** For how long, in seconds, others may keep the key list. */
const KEYS_MAX_AGE = 300;

/**
 * The assistant as an Express router: `GET /keys`, `POST /assist`, `POST /disable`, `GET /disabled`,
 * `GET /health`. Mount it at any path. Behind a proxy, set Express's `trust proxy`, or all the world is one address to its limits.
 *
 * @throws TypeError for an option that is missing or of the wrong kind
 * @source docs/protocol.md sections 3 to 7 and 10
 *
 * @example
 * app.use('/assistant', assistant({ keys: await KeySet.file('data/keys.json'), store: new SqliteStore('data/rk.db') }))
 */
export function assistant(options: AssistantRouterOptions): AssistantRouter {
  const { cors: origins, onError, ...rest } = options ?? {};
  const core = new Assistant(rest);
  if (noteUse(options.store, 'assistant')) emitWarning(ONE_OPERATOR);
  const problems: ProblemOptions = { ...(onError && { onError }), ...(rest.now && { clock: rest.now }) };
  const router = Router();
  if (options.instrument) {
    const observe = observer(options.instrument);
    for (const path of [...Object.keys(METHODS), '/health'])
      router.all(path, observeRequests(observe, 'assistant', path.slice(1)));
  }
  const tell = rest.onEvent && safeListener(rest.onEvent);
  const telling = tellRefusals(
    tell && ((error, req) => tell({ type: 'rejected', ...refusalOf(error), address: clientAddress(req) })),
  );
  if (origins !== undefined) router.use(telling(crossOrigin(readOrigins(origins))));

  // First, since routes are tried in turn and most requests are for this one.
  router.post(
    '/assist',
    telling(jsonBody({ limit: MAX_BODY })),
    handler(async (req, res) => {
      answerJson(res, 200, await core.assist(req.body, { address: clientAddress(req) }));
    }),
  );

  router.get(
    '/keys',
    handler(async (_req, res) => {
      await core.ready();
      answerJson(res, 200, core.keys(), { type: 'application/jwk-set+json', maxAge: KEYS_MAX_AGE });
    }),
  );

  router.post(
    '/disable',
    telling(jsonBody({ limit: MAX_REQUEST + 1024 })),
    handler(async (req, res) => {
      answerJson(res, 200, await core.disable(req.body, { address: clientAddress(req) }));
    }),
  );

  router.get(
    '/disabled',
    telling((req, _res, next) => {
      const { after } = req.query;
      if (after === undefined || (typeof after === 'string' && after.length <= 256)) next();
      else next(new RoamingKeyError('invalid_request', 'after must be a cursor', { reason: 'form' }));
    }),
    handler(async (req, res) => {
      const after = req.query['after'] as string | undefined;
      const { json, isLasting } = await core.disabledFeed(after, { address: clientAddress(req) });
      answerJson(res, 200, json, isLasting ? { maxAge: PAGE_MAX_AGE } : {});
    }),
  );

  router.get(
    '/health',
    handler(async (_req, res) => {
      const health = await core.health();
      answerJson(res, health.status === 'ok' ? 200 : 503, health);
    }),
  );

  for (const [path, methods] of Object.entries(METHODS)) {
    const refuse: RequestHandler = (_req, res, next) => {
      res.set('Allow', methods);
      next(new RoamingKeyError('invalid_request', `${methods} only`, { status: 405, reason: 'method' }));
    };
    router.all(path, telling(refuse));
  }
  router.use(problemHandler(problems));
  return Object.assign(router, { assistant: core });
}
