import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { RoamingKeyError } from '../base/errors.ts';
import { wholeNumber } from '../base/options.ts';

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
 * uncompressed, at most `limit` bytes. Where an earlier parser or a platform has set `req.body`, bytes and text are parsed,
 * and a value is left as it is.
 *
 * Goes on with `invalid_request` for everything else, status 413 where it is too large.
 *
 * Express's own parser would do, at a tenth of an unlock's cost; it also takes text that is not UTF-8.
 */
export function jsonBody({ limit }: JsonBodyOptions): RequestHandler {
  wholeNumber('limit', limit, 1);
  return (req, res, next) => {
    // Promises keep the app's AsyncLocalStorage, which a stream's events do not.
    readBody(req, limit)
      .then((body) => {
        // The app has already answered this request, for example on its own timeout.
        if (res.headersSent) return;
        req.body = body;
        next();
      })
      .catch((error: RoamingKeyError) => {
        // What was not read to its end ends the connection with the answer.
        if (error.status === 413 && !res.headersSent) res.set('Connection', 'close');
        if (!res.headersSent) next(error);
      });
  };
}

/** @throws RoamingKeyError `invalid_request` */
async function readBody(req: Request, limit: number): Promise<object> {
  const refuse = (message: string, reason = 'form', status = 400) =>
    new RoamingKeyError('invalid_request', message, { status, reason });
  const { 'content-length': length, 'content-encoding': encoding = 'identity' } = req.headers;
  if (!declaresJson(req)) throw refuse('the content type must be application/json', 'type');
  const given = bodyOf(req);
  if (typeof given === 'object' && given !== null && !(given instanceof Uint8Array)) return given;
  let bytes: Uint8Array | 'too large' | undefined;
  if (given === undefined || given === null) {
    if (Number(length) === 0) throw refuse('the body is missing');
    if (encoding.toLowerCase() !== 'identity') throw refuse('the body must not be compressed');
    bytes = await readBytes(req, Number(length) > limit ? 0 : limit);
  } else {
    bytes = typeof given === 'string' ? Buffer.from(given) : given instanceof Uint8Array ? given : undefined;
    if (bytes && bytes.length > limit) bytes = 'too large';
  }
  if (bytes === 'too large') throw refuse('the body is too large', 'size', 413);
  if (bytes?.length === 0) throw refuse('the body is missing');
  const value = bytes && parse(bytes);
  if (value === undefined) throw refuse('the body is not a JSON object or array');
  return value;
}

/**
 * What an earlier parser has read. Those of Express 4 put an empty object on requests that they leave alone, such as
 * `express.urlencoded()` on JSON.
 */
function bodyOf(req: Request): unknown {
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return body;
  return Object.keys(body).length === 0 && req.readableDidRead === false ? undefined : body;
}

const NOTHING = Buffer.alloc(0);

/** The whole body, as soon as it has ended or is known to be longer than `limit`; `undefined` where it breaks off. */
function readBytes(req: IncomingMessage, limit: number): Promise<Buffer | 'too large' | undefined> {
  return new Promise((resolve) => {
    if (limit === 0) return resolve('too large');
    if (req.destroyed || req.readableEnded) return resolve(NOTHING);
    // One buffer, which grows: kept as they come, chunks of a byte would take a hundred times their size.
    let held: Buffer = NOTHING;
    let size = 0;
    const end = (result: Buffer | 'too large' | undefined) => {
      req.off('data', take).off('end', finish).off('close', breakOff).off('error', breakOff);
      resolve(result);
    };
    const take = (data: Buffer | string) => {
      // Text where an earlier middleware has called setEncoding.
      const chunk = typeof data === 'string' ? Buffer.from(data) : data;
      const whole = size + chunk.length;
      if (whole > limit) {
        req.pause();
        end('too large');
        return;
      }
      if (size === 0) held = chunk;
      else {
        if (whole > held.length) held = Buffer.concat([held], Math.min(limit, 2 * whole));
        chunk.copy(held, size);
      }
      size = whole;
    };
    const finish = () => end(held.subarray(0, size));
    const breakOff = () => end(undefined);
    req.on('data', take).on('end', finish).on('close', breakOff).on('error', breakOff);
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** An object or array; `undefined` for anything else. */
function parse(bytes: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
