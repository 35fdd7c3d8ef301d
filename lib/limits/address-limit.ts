import type { RequestHandler } from 'express';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { wholeNumber } from '../base/options.ts';
import { inTime } from '../base/time-limit.ts';
import { type ProblemOptions, sendProblem } from '../http/problem.ts';
import { AddressCounter, type Counting } from './address-counter.ts';
import { clientAddress } from './client-address.ts';

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
  const { clock = epochSeconds } = problem;
  wholeNumber('limit', limit, 1);
  wholeNumber('windowSeconds', windowSeconds, 1, 86_400);
  const counter = new AddressCounter({
    purpose,
    realm,
    limit,
    seconds: windowSeconds,
    store: countsWithin(storeTimeout, store),
    clock,
  });
  return (req, res, next) => {
    counter
      .count(clientAddress(req), 1)
      .then(({ count, retryAt }) => {
        if (count > limit) throw new RoamingKeyError('busy', 'too many requests', { retryAt });
      })
      .then(
        () => next(),
        (error: unknown) => sendProblem(req, res, error, problem),
      )
      .catch(next);
  };
}

function countsWithin(seconds: number, store: Partial<Counting> | undefined): Counting | undefined {
  if (!store?.count) return undefined;
  const counting = store as Counting;
  return { count: async (request) => inTime(counting.count(request), seconds) };
}
