import type { Request, RequestHandler, Response } from 'express';

/** Express handler from an async function. It catches for itself, as Express 4 does not. */
export function handler(handle: (req: Request, res: Response) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    // Without an error, Express would go on as if this handler had passed the request.
    handle(req, res).catch((error: unknown) => next(error ?? new Error('rejected without a reason')));
  };
}
