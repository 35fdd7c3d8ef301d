import type { RequestHandler } from 'express';
import type { Observe, Part, RequestStep } from './instrument.ts';

/**
 * Express middleware that reports every request to a route and how it was answered, those included that never get as far
 * as what stands behind it: too large, too many, not JSON.
 */
export function observeRequests(observe: Observe, part: Part, route: string): RequestHandler {
  return (_req, res, next) => {
    const step: RequestStep = { name: 'request', part, route };
    const answered = () =>
      new Promise<void>((resolve) => {
        res.once('close', () => {
          if (res.headersSent) step.status = res.statusCode;
          resolve();
        });
        next();
      });
    void observe(step, answered);
  };
}

/** The same for a handler that is no router. */
export function observeHandler(
  observe: Observe | undefined,
  part: Part,
  route: string,
  handle: RequestHandler,
): RequestHandler {
  if (!observe) return handle;
  const watch = observeRequests(observe, part, route);
  return (req, res, next) =>
    watch(req, res, () => {
      // Express would catch it, but not through the hook that stands between.
      try {
        void handle(req, res, next);
      } catch (error) {
        next(error);
      }
    });
}
