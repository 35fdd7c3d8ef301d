import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { RoamingKeyError } from '../errors.ts';
import { type ProblemOptions, sendProblem, systemClock } from './problem.ts';

/** Bits of an IPv6 address that name one subscriber: providers hand out a /56 or shorter. */
const IPV6_PREFIX = 56;

/**
 * Names where a request comes from: the IPv4 address, or the /56 of the IPv6 address, since one subscriber has 2^72
 * of those. Behind a proxy this is the proxy, unless the app has set Express's `trust proxy`; then it is what that
 * proxy says. Headers that no trusted proxy has set count for nothing.
 */
export function clientAddress(req: Pick<Request, 'ip'>): string {
  return ipKeyGenerator(req.ip ?? '', IPV6_PREFIX);
}

/** How many requests an address may make. */
export interface AddressLimitOptions extends ProblemOptions {
  /** Requests per window. */
  readonly limit: number;
  /** Length of the window in seconds. */
  readonly windowSeconds: number;
}

/**
 * Express middleware that allows each address so many requests per window and answers further ones with `busy`
 * (429, Retry-After). It counts in this process, in memory that is freed as windows end.
 */
export function addressLimit({ limit, windowSeconds, ...problem }: AddressLimitOptions): RequestHandler {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError('limit must be a whole number from 1');
  if (!Number.isSafeInteger(windowSeconds) || windowSeconds < 1 || windowSeconds > 86_400)
    throw new TypeError('windowSeconds must be a whole number from 1 to 86400');
  return rateLimit({
    windowMs: windowSeconds * 1000,
    limit,
    keyGenerator: clientAddress,
    standardHeaders: false,
    legacyHeaders: false,
    // A stranger can send these headers; they must not be able to make the app log a warning.
    validate: { xForwardedForHeader: false, forwardedHeader: false, ip: false },
    handler: (req, res) => {
      const { clock = systemClock } = problem;
      const retryAt = clock() + secondsLeft(req, windowSeconds);
      sendProblem(req, res, new RoamingKeyError('busy', 'too many requests', { retryAt }), problem);
    },
  });
}

function secondsLeft(req: Request, windowSeconds: number): number {
  const { rateLimit: info } = req as { rateLimit?: { resetTime?: Date | undefined } };
  const left = info?.resetTime ? Math.ceil((info.resetTime.getTime() - Date.now()) / 1000) : windowSeconds;
  return Math.min(windowSeconds, Math.max(1, left));
}
