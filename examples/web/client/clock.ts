/** This device's clock against the app's, which tells the time in every answer. */
let offset = 0;

/** Takes the time from an answer of the app. */
export function noteTime(response: Response, server: 'assistant' | 'app'): void {
  const date = server === 'app' ? Date.parse(response.headers.get('date') ?? '') : Number.NaN;
  if (!Number.isNaN(date)) offset = date - Date.now();
}

/** Seconds since the epoch, by the app's clock. */
export function serverNow(): number {
  return (Date.now() + offset) / 1000;
}

/** How many seconds this device's clock is ahead. */
export function secondsAhead(): number {
  return Math.round(-offset / 1000);
}
