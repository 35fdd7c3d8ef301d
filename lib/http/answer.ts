import type { ServerResponse } from 'node:http';

/**
 * Answers with JSON that nobody may keep. Not by Express's `res.json`: a hash of the body, for caches, is worth nothing
 * here and costs more than the rest.
 *
 * @param type media type. Default: JSON in UTF-8, as Express says it
 */
export function answerJson(
  res: ServerResponse,
  status: number,
  value: object,
  type = 'application/json; charset=utf-8',
): void {
  const body = JSON.stringify(value);
  res.statusCode = status;
  res.setHeader('Content-Type', type);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.setHeader('Cache-Control', 'no-store');
  res.end(body);
}
