import type { ServerResponse } from 'node:http';

/** What an answer says of its body besides its length. */
export interface AnswerOptions {
  /** Media type. Default: JSON in UTF-8, as Express says it. */
  readonly type?: string;
  /** How long others may keep the answer, in seconds. Default: not at all. */
  readonly maxAge?: number;
}

/**
 * Answers with JSON. Not by Express's `res.json`: a hash of the body, for caches, is worth nothing here and costs more than
 * the rest.
 *
 * @param value what is written as JSON, or its bytes
 */
export function answerJson(
  res: ServerResponse,
  status: number,
  value: object | Buffer,
  { type = 'application/json; charset=utf-8', maxAge = 0 }: AnswerOptions = {},
): void {
  const body = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
  res.statusCode = status;
  res.setHeader('Content-Type', type);
  res.setHeader('Content-Length', body.length);
  res.setHeader('Cache-Control', maxAge > 0 ? `public, max-age=${maxAge}` : 'no-store');
  res.end(body);
}
