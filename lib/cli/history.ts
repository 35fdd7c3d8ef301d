/** Reports how a key was used before: traces of an attacker who has record and password. */
import type { Device } from '../device/device.ts';
import { localTime, note } from './output.ts';

/** Notes on stderr what the owner should know after a use of a key. */
export function noteHistory(device: Device, options: { readonly json?: boolean | undefined }): void {
  for (const line of historyOf(device)) note(line, options);
}

/** What the last use of a device reported. The time of the use before appears only at a terminal. */
export function historyOf({ lastUse }: Device, isWatched = process.stderr.isTTY): readonly string[] {
  if (!lastUse) return [];
  const { failedSince, lastUsed, reissues, isReissuedElsewhere } = lastUse;
  const lines: string[] = [];
  if (isWatched && typeof lastUsed === 'number') lines.push(`last used ${friendlyTime(lastUsed)}`);
  if (failedSince.count > 0)
    lines.push(`wrong passwords tried on this key since its last use: ${failedSince.count}`);
  if (isReissuedElsewhere && reissues)
    lines.push(
      `the password was changed ${friendlyTime(reissues.last)}, which this device does not remember: if that was not you, use your kit and make a new key`,
    );
  return lines;
}

/** As people say it: `yesterday, 18:03`. */
export function friendlyTime(seconds: number, now = Date.now()): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const time = localTime(seconds).slice(11, 16);
  const at = seconds * 1000;
  if (at >= midnight && at <= now + 60_000) return `today, ${time}`;
  // A day that began with a change of the clock has 23 or 25 hours.
  const yesterday = new Date(midnight - 12 * 3_600_000).setHours(0, 0, 0, 0);
  return at >= yesterday && at < midnight ? `yesterday, ${time}` : localTime(seconds);
}
