import * as v from 'valibot';

/**
 * Reads a URL that secrets may be sent to: https, or http on this machine's own loopback; no credentials, no
 * fragment, no query.
 *
 * @returns the URL without a slash at its end, or `undefined` where it is not one of these
 */
export function readSecureUrl(text: string): string | undefined {
  if (text.length > 2048 || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username || url.password || url.hash || url.search || text.includes('?') || text.includes('#'))
    return undefined;
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) return undefined;
  return url.href.replace(/\/+$/, '');
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
