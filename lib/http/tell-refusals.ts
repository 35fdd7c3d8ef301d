import type { NextFunction, Request, RequestHandler } from 'express';
import { isRoamingKeyError, type RoamingKeyError } from '../base/errors.ts';

/** Hears of a refusal. */
export type TellRefusal = (error: RoamingKeyError, req: Request) => void;

/**
 * Makes middleware tell of every request that it refuses, by `next(error)` with a status below 500, before anything behind
 * it has seen the request.
 */
export function tellRefusals(tell: TellRefusal | undefined): (handle: RequestHandler) => RequestHandler {
  if (!tell) return (handle) => handle;
  return (handle) => (req, res, next) => {
    const told: NextFunction = (error?: unknown) => {
      if (isRoamingKeyError(error) && error.status < 500) tell(error, req);
      next(error);
    };
    return handle(req, res, told);
  };
}

/** What an event says of a refusal: a reason in a word where there is one, never anything of the request. */
export function refusalOf({ code, reason, message }: RoamingKeyError): { code: string; reason: string } {
  return { code, reason: reason ?? message };
}
