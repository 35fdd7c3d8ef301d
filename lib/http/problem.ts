import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError, isWireErrorCode, RoamingKeyError, type WireErrorCode } from '../base/errors.ts';
import { answerJson } from './answer.ts';

/** The body of an error answer (RFC 9457); times are whole seconds since the epoch. */
export interface Problem {
  /** One URI per code. */
  readonly type: string;
  /** One sentence per code; never anything of the request. */
  readonly title: string;
  readonly status: number;
  readonly code: WireErrorCode;
  /** The answer sealed to the asking device, a compact JWE. */
  readonly response?: string;
  readonly attemptsLeft?: number;
  readonly retryAt?: number;
  /** What the app says of a refusal of its own. */
  readonly detail?: string;
}

/** How errors are answered. */
export interface ProblemOptions {
  /** Hears of every answer with a status from 500, with its cause. Default: `console.error`, as Express does. */
  readonly onError?: (error: unknown, req: IncomingMessage) => void;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly clock?: () => number;
}

const TITLES: Readonly<Record<WireErrorCode, string>> = {
  invalid_request: 'The request is not of the form that is expected here',
  unknown_key: 'The key that the request is sealed to is not known here',
  bad_ticket: 'The ticket cannot be used',
  stale_request: 'The request is too old, or of the future',
  replayed: 'The request was made before',
  unsupported: 'The request asks for something that is not offered here',
  bad_mac: 'The request does not come from the device that the ticket was made for',
  wrong_password: 'The password is wrong',
  disabled: 'The key is disabled',
  retired: 'The ticket is retired',
  refused: 'The request is refused',
  suspended: 'The key is suspended until it is confirmed by other means',
  locked: 'Too many wrong passwords',
  busy: 'Too many requests',
  unavailable: 'The service cannot answer now',
};

/**
 * Turns whatever was thrown into an error of this package's family that may be sent to a peer.
 *
 * @returns the error itself where it is one that travels; `invalid_request` for an error that blames the request in the way
 *   of http-errors (`expose`, and a status from 400 to 499; 413 is kept); `unavailable`, with the cause, for everything else
 */
export function asWireError(error: unknown): RoamingKeyError {
  if (isRoamingKeyError(error) && isWireErrorCode(error.code)) return error;
  const { expose, status } = (error ?? {}) as { expose?: unknown; status?: unknown };
  if (expose === true && typeof status === 'number' && status >= 400 && status <= 499) {
    return status === 413
      ? new RoamingKeyError('invalid_request', 'the body is too large', { status, reason: 'size' })
      : new RoamingKeyError('invalid_request', 'the request cannot be read', { reason: 'form' });
  }
  // Express throws this one for a path that cannot be decoded, without `expose`.
  if (error instanceof URIError && status === 400)
    return new RoamingKeyError('invalid_request', 'the path cannot be decoded', { reason: 'form' });
  return new RoamingKeyError('unavailable', 'unexpected error', { cause: error });
}

/** The body of an error's answer: code, status and times, nothing of messages, causes or stacks. */
export function toProblem(error: unknown): Problem {
  const { code, status, response, attemptsLeft, retryAt, detail } = asWireError(error);
  const known = code as WireErrorCode;
  return {
    type: `urn:roaming-key:1:${known}`,
    title: TITLES[known],
    status,
    code: known,
    ...(response === undefined ? {} : { response }),
    ...(attemptsLeft === undefined ? {} : { attemptsLeft }),
    ...(retryAt === undefined ? {} : { retryAt }),
    ...(detail === undefined || known !== 'refused' ? {} : { detail }),
  };
}

/**
 * Answers a request with `application/problem+json` (docs/protocol.md section 10, RFC 9457): `Cache-Control: no-store`,
 * `WWW-Authenticate` with 401, `Retry-After` with 429 and 503 where it is known when to try again.
 *
 * @param error anything that was thrown; see {@link asWireError}
 */
export function sendProblem(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  options: ProblemOptions = {},
): void {
  const { onError = (e) => console.error(e), clock = epochSeconds } = options;
  const problem = toProblem(error);
  if (problem.status >= 500) onError(error, req);
  // The app has already answered this request, for example on its own timeout.
  if (res.headersSent) return;
  if (problem.status === 401) res.setHeader('WWW-Authenticate', `RoamingKey error="${problem.code}"`);
  const wait = secondsToWait(problem, clock);
  if (wait !== undefined) res.setHeader('Retry-After', String(wait));
  answerJson(res, problem.status, problem, { type: 'application/problem+json' });
}

/**
 * Express error handler that answers with {@link sendProblem}; for the end of a router.
 *
 * @example
 * app.use(problemHandler({ onError: (error) => log.error(error) }));
 */
export function problemHandler(options: ProblemOptions = {}): ErrorRequestHandler {
  return (error, req, res, next) => {
    if (res.headersSent) next(error);
    else sendProblem(req, res, error, options);
  };
}

function secondsToWait({ status, code, retryAt }: Problem, clock: () => number): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  if (retryAt !== undefined) return Math.max(1, retryAt - clock());
  return code === 'busy' ? 1 : undefined;
}
