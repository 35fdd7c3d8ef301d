/** HTTP as the device needs it: bounded in time and size, no redirects, one error family. */
import { isWireErrorCode, RoamingKeyError } from '../base/errors.ts';
import { type PolicyWatch, watchPolicy } from './browser/policy.ts';
import type { ProgressOptions } from './progress.ts';

/** How a device reaches servers. */
export interface TransportOptions extends ProgressOptions {
  /** Default: the platform's own. */
  readonly fetch?: typeof globalThis.fetch;
  /** How long an answer may take, in seconds. Default 30. */
  readonly timeout?: number;
}

interface HttpRequest {
  /** Default POST with a body and GET without. */
  readonly method?: 'PUT' | 'DELETE' | 'GET';
  /** Sent as JSON. */
  readonly body?: object;
  readonly headers?: Record<string, string> | undefined;
  /** Whether a copy that the browser has will do. Default: as its server said. */
  readonly cache?: RequestCache | undefined;
  /** Default `omit`: an assistant has no use for cookies. */
  readonly credentials?: RequestCredentials | undefined;
}

/** An answer that was a success. */
export interface HttpAnswer {
  readonly headers: Headers;
  /** The parsed JSON; `undefined` where the answer had no JSON body. */
  readonly body: unknown;
}

/** The longest answer that is read: a feed's page is the largest. */
const MAX_ANSWER = 512 * 1024;

/**
 * Sends one request.
 *
 * @throws RoamingKeyError `network` without an answer in time; the server's own code for a problem it tells;
 *   `unavailable` or `bad_response` for an answer that is none of ours
 */
export async function send(
  url: string,
  request: HttpRequest,
  options: TransportOptions,
): Promise<HttpAnswer> {
  const { fetch = globalThis.fetch, timeout = 30 } = options;
  const { body, method = body ? 'POST' : 'GET', headers, cache = 'default', credentials = 'omit' } = request;
  const policy = watchPolicy(url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      ...(body && { body: JSON.stringify(body) }),
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      cache,
      credentials,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout * 1000),
    });
    text = await readText(response);
  } catch (cause) {
    if (cause instanceof RoamingKeyError) throw cause;
    throw new RoamingKeyError('network', await whyNoAnswer(url, policy), { cause });
  } finally {
    policy.end();
  }
  const json = parseJson(text);
  if (response.ok) return { headers: response.headers, body: json };
  throw problem(url, response, json);
}

async function whyNoAnswer(url: string, policy: PolicyWatch): Promise<string> {
  const { origin } = new URL(url);
  if (globalThis.navigator?.onLine === false) return 'this device is offline';
  return (await policy.isViolated())
    ? `this page's Content-Security-Policy does not let it reach ${origin}: connect-src must name it`
    : `no answer from ${origin}`;
}

async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.length;
    if (length > MAX_ANSWER) {
      await reader.cancel();
      throw new RoamingKeyError('bad_response', 'the answer is too long');
    }
    text += decoder.decode(value, { stream: true });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(url: string, response: Response, body: unknown): RoamingKeyError {
  const told = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const { code, title, detail } = told;
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retry = Number.isSafeInteger(retryAfter) && { retryAt: Math.floor(Date.now() / 1000) + retryAfter };
  if (!isWireErrorCode(code)) {
    // What stands before a server, a proxy say, answers in words of its own.
    const ours = response.status === 429 ? 'busy' : response.status >= 500 ? 'unavailable' : 'bad_response';
    const { origin, pathname } = new URL(url);
    return new RoamingKeyError(ours, `${origin}${pathname} answered ${response.status} without saying why`, {
      ...(ours === 'busy' && retry),
    });
  }
  const message = typeof detail === 'string' ? detail : typeof title === 'string' ? title : code;
  return new RoamingKeyError(code, message.slice(0, 300), {
    status: response.status,
    ...retry,
    ...(typeof told['response'] === 'string' && { response: told['response'] }),
  });
}
