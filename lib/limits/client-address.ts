import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { RoamingKeyError } from '../base/errors.ts';
import { inTime } from '../base/time-limit.ts';
import { type ProblemOptions, sendProblem, systemClock } from '../http/problem.ts';
import { AddressCounter, type Counting } from './address-counter.ts';
import { RateLimitStore } from './rate-limit-store.ts';

/** Bits of an IPv6 address that name one subscriber: providers hand out a /56 or shorter. */
const IPV6_PREFIX = 56;

/**
 * Names where a request comes from: the IPv4 address, or the /56 of the IPv6 address, since one subscriber has 2^72
 * of those. Behind a proxy this is the proxy, unless the app has set Express's `trust proxy`; then it is what that
 * proxy says. Headers that no trusted proxy has set count for nothing.
 */
export function clientAddress(req: Pick<Request, 'ip'>): string {
  const ip = req.ip ?? '';
  if (!ip.includes(':')) return ip;
  // Some proxies add the port, which whoever asks chooses anew each time.
  const [, withoutPort] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(ip) ?? [];
  return withoutPort ?? ipKeyGenerator(ip, IPV6_PREFIX);
}

/** How many requests an address may make. */
export interface AddressLimitOptions extends ProblemOptions {
  /** Requests per window. */
  readonly limit: number;
  /** Length of the window in seconds. */
  readonly windowSeconds: number;
  /** What is limited, in a word; limits of one purpose count together wherever they share a store. */
  readonly purpose: string;
  /** For whom, where several may share a store. */
  readonly realm?: string;
  /** Where all processes count together. One that does not count leaves it to each process. */
  readonly store?: Partial<Counting>;
  /** How long the store may take to count, in seconds. Default 10. */
  readonly storeTimeout?: number;
}

/**
 * Express middleware that allows each address so many requests per window and answers further ones with `busy`
 * (429, Retry-After), and all with `unavailable` (503) while the store cannot count. Once an address is over its limit, it
 * is answered from memory.
 */
export function addressLimit(options: AddressLimitOptions): RequestHandler {
  const { limit, windowSeconds, purpose, realm, store, storeTimeout = 10, ...problem } = options;
  const { clock = systemClock } = problem;
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError('limit must be a whole number from 1');
  if (!Number.isSafeInteger(windowSeconds) || windowSeconds < 1 || windowSeconds > 86_400)
    throw new TypeError('windowSeconds must be a whole number from 1 to 86400');
  const counter = new AddressCounter({
    purpose,
    realm,
    limit,
    seconds: windowSeconds,
    store: countsWithin(storeTimeout, store),
    clock,
  });
  return rateLimit({
    windowMs: windowSeconds * 1000,
    limit,
    store: new RateLimitStore(counter),
    keyGenerator: clientAddress,
    standardHeaders: false,
    legacyHeaders: false,
    // A stranger can send these headers; they must not be able to make the app log a warning.
    validate: { xForwardedForHeader: false, forwardedHeader: false, ip: false },
    handler: (req, res) => {
      const { rateLimit: info } = req as Request & { rateLimit: { resetTime: Date } };
      const retryAt = info.resetTime.getTime() / 1000;
      sendProblem(req, res, new RoamingKeyError('busy', 'too many requests', { retryAt }), problem);
    },
  });
}

function countsWithin(seconds: number, store: Partial<Counting> | undefined): Counting | undefined {
  if (!store?.count) return undefined;
  const counting = store as Counting;
  return { count: async (request) => inTime(counting.count(request), seconds) };
}
