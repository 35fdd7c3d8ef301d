import type { IncomingMessage } from 'node:http';
import express, { type RequestHandler } from 'express';
import { RoamingKeyError } from '../errors.ts';

const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** How a body is read. */
export interface JsonBodyOptions {
  /** The largest body, in bytes. */
  readonly limit: number;
}

/**
 * Whether a request declares a JSON body in UTF-8. A page of another origin can send the content types of HTML forms
 * without asking; this one needs the server's consent (CORS), so demanding it keeps such pages out.
 */
export function declaresJson(req: IncomingMessage): boolean {
  return JSON_TYPE.test(req.headers['content-type'] ?? '');
}

/**
 * Express middleware that reads a JSON body into `req.body`: `application/json` in UTF-8 alone, an object or array,
 * uncompressed, at most `limit` bytes. A body that an earlier parser has read is left as it is.
 *
 * Goes on with `invalid_request` for every other content type and for a missing body, and with the errors of
 * Express's parser, which `problemHandler` answers as `invalid_request` (413 where too large).
 */
export function jsonBody({ limit }: JsonBodyOptions): RequestHandler {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new TypeError('limit must be a whole number from 1');
  const parse = express.json({ limit, strict: true, inflate: false, type: () => true });
  return (req, res, next) => {
    if (!declaresJson(req)) {
      next(new RoamingKeyError('invalid_request', 'the body must be application/json'));
      return;
    }
    // The parser takes an empty body for {}.
    const isEmpty = Number(req.headers['content-length']) === 0;
    if (Number(req.headers['content-length']) > limit) {
      // Not read to its end, so nothing more can come over this connection.
      res.set('Connection', 'close');
      next(new RoamingKeyError('invalid_request', 'the body is too large', { status: 413 }));
      return;
    }
    parse(req, res, (error?: unknown) => {
      if (error !== undefined || (req.body !== undefined && !isEmpty)) next(error);
      else next(new RoamingKeyError('invalid_request', 'the body is missing'));
    });
  };
}
