/** Lines of `allowed_signers` (ssh-keygen(1)), where a disabled key is good for what it signed before. */
import { epochSeconds } from '../../base/clock.ts';
import { earlier } from './key-lines.ts';

export interface Signer {
  /** Names that signatures are checked for, such as a mail address. */
  readonly principal: string;
  /** Type and base64. */
  readonly key: string;
  readonly comment: string;
  /** When the key was disabled, in seconds since the epoch. */
  readonly disabledAt: number | undefined;
}

/**
 * @param namespaces what signatures may be for, such as `git`
 * @param before the file as it was: a date that stands there is kept where it is the earlier one
 */
export function allowedSigners(
  signers: readonly Signer[],
  namespaces: readonly string[],
  before: string,
): string {
  const dates = datesOf(before);
  return signers
    .map(({ principal, key, comment, disabledAt }) => {
      const at = earlier(disabledAt, dates.get(key));
      const options = [
        `namespaces="${namespaces.join(',')}"`,
        ...(at === undefined ? [] : [`valid-before="${stamp(at)}"`]),
      ];
      return `${principal} ${options.join(',')} ${key} ${comment}`.trimEnd();
    })
    .map((line) => `${line}\n`)
    .join('');
}

/** When each key of a file stopped being good. */
function datesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.matchAll(/^.*\bvalid-before="(\d{14})Z".* (\S+ AAAA[A-Za-z0-9+/=]+)/gm);
  const dates = new Map<string, number>();
  for (const [, date = '', key = ''] of lines)
    dates.set(key, earlier(secondsOf(date), dates.get(key)) as number);
  return dates;
}

/** A time in UTC, as OpenSSH 9.1 and later read it. */
function stamp(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`;
}

function secondsOf(date: string): number {
  return Date.parse(date.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z')) / 1000;
}

/**
 * Reads a time as an option gives it.
 *
 * @returns seconds since the epoch; `undefined` where it is no time, or not past
 */
export function readTime(text: string): number | undefined {
  const seconds = Math.floor(Date.parse(text) / 1000);
  return Number.isSafeInteger(seconds) && seconds <= epochSeconds() ? seconds : undefined;
}
