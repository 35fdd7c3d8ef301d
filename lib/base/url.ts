import * as v from 'valibot';

/**
 * Reads a URL that secrets may be sent to: https, or http on this machine's own loopback; no credentials, no
 * fragment, no query.
 *
 * @returns the URL without a slash at its end, or `undefined` where it is not one of these
 */
export function readSecureUrl(text: string): string | undefined {
  const url = text.length > 2048 ? undefined : parseUrl(text);
  if (!url) return undefined;
  if (url.username || url.password || url.hash || url.search || text.includes('?') || text.includes('#'))
    return undefined;
  if (!isSecure(url)) return undefined;
  return url.href.replace(/\/+$/, '');
}

/** A URL, or `undefined`. Not by `URL.canParse`, which on Node 20 reads some strings otherwise than the constructor does. */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Whether a text is an origin whose pages cannot be changed on their way: https, or http on the loopback. */
export function isSecureOrigin(text: unknown): text is string {
  const url = typeof text === 'string' ? parseUrl(text) : undefined;
  return url !== undefined && url.origin === text && isSecure(url);
}

/**
 * Whether a text is an origin as a client sends it in `Origin`: of a web page, or of an app or extension, such as
 * `capacitor://localhost`, `tauri://localhost`, `chrome-extension://…`, whose origin `URL` does not know.
 */
export function isPageOrigin(text: unknown): text is string {
  if (typeof text !== 'string') return false;
  if (/^https?:/.test(text)) return parseUrl(text)?.origin === text;
  return /^[a-z][a-z\d+.-]*:\/\/[a-z\d._-]+(:\d+)?$/.test(text);
}

function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** Whether a host name means this machine: 127.0.0.0/8, ::1, localhost. Names below localhost may go through DNS. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** A member that holds such a URL; kept as it was written. */
export const assistantUrl = v.pipe(
  v.string(),
  v.check((text) => readSecureUrl(text) !== undefined),
);
