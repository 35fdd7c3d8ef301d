/** HTTP as the device needs it: bounded in time and size, no redirects, one error family. */
import { epochSeconds } from '../base/clock.ts';
import { isWireErrorCode, RoamingKeyError } from '../base/errors.ts';
import { type PolicyWatch, watchPolicy } from './browser/policy.ts';
import type { ProgressOptions } from './progress.ts';

/** How a device reaches servers. */
export interface TransportOptions extends ProgressOptions {
  /** Default: the platform's own. */
  readonly fetch?: typeof globalThis.fetch;
  /**
   * How long an answer may take, in seconds. Default 30. An assistant that is `busy` and says when to come back is asked
   * again within the same time.
   */
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

const DEFAULT_TIMEOUT = 30;

/** The longest answer that is read: a feed's page is the largest. */
const MAX_ANSWER = 512 * 1024;

/**
 * Sends one request.
 *
 * @throws RoamingKeyError `network` without an answer in time; the server's own code for a problem it tells;
 *   `unavailable` or `bad_response` for an answer that is not the protocol's
 */
export async function send(
  url: string,
  request: HttpRequest,
  options: TransportOptions,
): Promise<HttpAnswer> {
  const { fetch = globalThis.fetch, timeout = DEFAULT_TIMEOUT } = options;
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
    throw new RoamingKeyError('network', await whyNoAnswer(url, cause, policy, options), { cause });
  } finally {
    policy.end();
  }
  const json = parseJson(text);
  if (response.ok) return { headers: response.headers, body: json };
  throw problem(url, response, json);
}

/** What stood between this device and a server, as far as the platform says. */
async function whyNoAnswer(
  url: string,
  cause: unknown,
  policy: PolicyWatch,
  { fetch = globalThis.fetch, timeout = DEFAULT_TIMEOUT }: TransportOptions,
): Promise<string> {
  const { origin, pathname } = new URL(url);
  if (globalThis.navigator?.onLine === false) return `no answer from ${origin}: this device is offline`;
  if (await policy.isViolated())
    return `this page's Content-Security-Policy does not let it reach ${origin}: connect-src must name it`;
  const where = `no answer from ${origin}${pathname}`;
  if (cause instanceof Error && cause.name === 'TimeoutError') return `${where} within ${timeout} s`;
  if (typeof document !== 'undefined') return `${where}: ${await whyNotInPage(url, fetch)}`;
  const reason = reasonOf(cause);
  return reason ? `${where}: ${reason}` : where;
}

/** Browsers tell a page nothing. An answer that the page may not read says whether the server is there at all. */
async function whyNotInPage(url: string, fetch: typeof globalThis.fetch): Promise<string> {
  const probe = { mode: 'no-cors', credentials: 'omit', signal: AbortSignal.timeout(3000) } as const;
  const isThere = await fetch(url, probe).then(
    () => true,
    () => false,
  );
  if (!isThere)
    return 'it is not there, or its certificate or port is refused: the console of the browser says which';
  return new URL(url).origin === location.origin
    ? 'it redirects, which is not followed'
    : `it is there, and redirects or does not let pages of ${location.origin} read its answers: its \`cors\` must name this origin`;
}

/** What Node's errors mean, by their codes and messages along the chain of causes. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/unexpected redirect/i, 'it redirects, which is not followed: name the address that it leads to'],
  [/bad port/i, 'fetch never uses this port: choose another'],
  [/CERT|SIGNATURE|SSL|TLS|EPROTO/, 'its certificate or TLS is not accepted'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known'],
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ECONNRESET|SOCKET|other side closed/i, 'the connection was cut'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to it from here'],
  [/CONNECT_TIMEOUT|ETIMEDOUT/, 'it cannot be reached in time'],
  [/407/, 'the proxy demands a password'],
  [/proxy/i, 'the proxy refuses'],
];

function reasonOf(cause: unknown): string | undefined {
  const texts: string[] = [];
  for (let error = cause; error instanceof Error && texts.length < 8; error = error.cause) {
    const inner = error instanceof AggregateError ? error.errors : [];
    for (const { code, message } of [error, ...inner] as { code?: unknown; message: string }[])
      texts.push(...(typeof code === 'string' ? [code] : []), message);
  }
  const reason = REASONS.find(([pattern]) => texts.some((text) => pattern.test(text)))?.[1];
  const code = texts.find((text) => /^[A-Z][A-Z0-9_]{3,40}$/.test(text));
  return reason && code ? `${reason} (${code})` : (reason ?? code);
}

/** How long a device goes on asking a server that is busy. */
export class Patience {
  readonly #until: number;

  constructor({ timeout = DEFAULT_TIMEOUT }: TransportOptions) {
    this.#until = Date.now() + timeout * 1000;
  }

  /**
   * Waits before another try, and a little more, so that not all come back at once.
   *
   * @param seconds when the server has room again; `undefined` where it did not say
   * @returns whether there is still time for another try
   */
  async wait(seconds: number | undefined): Promise<boolean> {
    if (seconds === undefined) return false;
    const wait = Math.max(seconds, 0) * 1000 + 100 + Math.random() * 400;
    if (Date.now() + wait > this.#until) return false;
    await new Promise((resolve) => setTimeout(resolve, wait));
    return true;
  }
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
  const problem = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const { code, title, detail } = problem;
  const { origin, pathname } = new URL(url);
  const where = `${origin}${pathname} answered ${response.status}`;
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retry = Number.isSafeInteger(retryAfter) && { retryAt: epochSeconds() + retryAfter };
  if (!isWireErrorCode(code)) {
    // What stands before a server, a proxy say, answers in words of its own.
    const ours = response.status === 429 ? 'busy' : response.status >= 500 ? 'unavailable' : 'bad_response';
    const why = response.status === 407 ? ': a proxy demands a password' : ' without saying why';
    return new RoamingKeyError(ours, `${where}${why}`, { ...(ours === 'busy' && retry) });
  }
  const message = typeof detail === 'string' ? detail : typeof title === 'string' ? title : code;
  return new RoamingKeyError(code, `${message.slice(0, 300)} (${where})`, {
    status: response.status,
    ...retry,
    ...(typeof problem['response'] === 'string' && { response: problem['response'] }),
  });
}
