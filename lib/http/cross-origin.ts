import type { IncomingHttpHeaders } from 'node:http';
import type { RequestHandler } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { isPageOrigin } from '../base/url.ts';

/** How long, in seconds, a browser may keep the consent to a request of another origin. */
const MAX_AGE = 600;

/** Which pages of other origins may ask: all, or those of the origins listed. */
export type AllowedOrigins = '*' | readonly string[];

/**
 * Reads an app's option `cors`.
 *
 * @throws TypeError for anything but `true`, an origin, or an array of origins
 */
export function readOrigins(given: true | string | readonly string[] = []): AllowedOrigins {
  if (given === true) return '*';
  const list: readonly unknown[] = typeof given === 'string' ? [given] : [...given];
  if (!list.every(isPageOrigin)) {
    const wrong = list.find((one) => !isPageOrigin(one));
    throw new TypeError(`cors must be true or origins like https://app.example, not ${String(wrong)}`);
  }
  return list;
}

/**
 * Express middleware for pages of other origins (CORS): answers preflights, lets pages of the allowed origins read the
 * answers, and refuses requests with another `Origin` than those and the server's own. Cookies are never allowed.
 *
 * @param own origins that need no consent, besides the one that the request was made to
 */
export function crossOrigin(allowed: AllowedOrigins, own: readonly string[] = []): RequestHandler {
  return (req, res, next) => {
    const { origin } = req.headers;
    const isAllowed = origin !== undefined && (allowed === '*' || allowed.includes(origin));
    if (allowed !== '*') res.vary('Origin');
    if (isAllowed) res.set('Access-Control-Allow-Origin', allowed === '*' ? '*' : origin);
    if (req.method === 'OPTIONS') {
      if (isAllowed) {
        res.set('Access-Control-Allow-Methods', 'GET, POST');
        res.set('Access-Control-Allow-Headers', 'Content-Type');
        res.set('Access-Control-Max-Age', `${MAX_AGE}`);
      }
      res.set('Content-Length', '0').status(204).end();
      return;
    }
    if (isAllowed) res.set('Access-Control-Expose-Headers', 'Retry-After');
    if (origin === undefined || isAllowed || own.includes(origin) || isOwn(origin, req.headers)) next();
    else
      next(
        new RoamingKeyError('refused', `pages of ${printable(origin)} may not ask: cors does not name them`, {
          reason: 'origin',
        }),
      );
  };
}

/** Whether a page is the server's own: by the browser's word, as a proxy may have changed Host, or by Host. */
function isOwn(origin: string, { host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site === 'same-origin' || origin === `https://${host}` || origin === `http://${host}`;
}

function printable(origin: string): string {
  return isPageOrigin(origin) && origin.length <= 256 ? origin : 'another origin';
}
