import type { Request, RequestHandler, Response } from 'express';

/** Runs a middleware; resolves when it goes on, rejects where it goes on with an error. */
export function run(handle: RequestHandler, req: Request, res: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown) => (error ? reject(error) : resolve());
    Promise.resolve(handle(req, res, next)).catch(reject);
  });
}
