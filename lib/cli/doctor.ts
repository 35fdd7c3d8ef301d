/** What `roaming-key doctor` looks at, and what to do about each. */
import { lstat } from 'node:fs/promises';
import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError } from '../base/errors.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { checkRecord } from './check-record.ts';
import { dataFolder } from './data-folder.ts';
import { localTime, toText } from './output.ts';
import { pinFile, readPin } from './pins.ts';
import type { RecordSource } from './record-source.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly about: string;
  readonly state: 'good' | 'warning' | 'bad';
  readonly says: string;
  /** What was thrown, where something is bad. */
  readonly error?: unknown;
}

/** How far the clock may be off, in seconds: requests are taken within ten minutes of the assistant's time. */
const CLOCK = 60;
const YEAR = 365 * 86_400;
const SLOW = 2000;

/** Looks at a record and all that it needs. */
export async function examine(
  source: RecordSource,
  options: { readonly assistant?: string; readonly timeout?: number },
): Promise<readonly Finding[]> {
  const findings = [...(await permissions())];
  let record: DeviceRecord;
  try {
    record = await source.load();
    findings.push({ about: 'record', state: 'good', says: `scheme ${record.scheme}` });
  } catch (error) {
    return [...findings, bad('record', error)];
  }
  const assistant = await askAssistant(record.assistant.url, options.timeout);
  return [...findings, await pin(record), ...assistant, await judge(record, options)];
}

/** Folders and files that others must not read or change. */
async function permissions(): Promise<readonly Finding[]> {
  const folders = ['records', 'pins'].map((name) => dataFolder(name));
  const findings = await Promise.all(
    folders.map(async (folder): Promise<Finding | undefined> => {
      const found = await lstat(folder).catch(() => undefined);
      if (!found || process.platform === 'win32' || (found.mode & 0o077) === 0) return undefined;
      return {
        about: 'permissions',
        state: 'warning',
        says: `others may enter ${folder}: chmod 700 ${folder}`,
      };
    }),
  );
  const open = findings.filter((finding) => finding !== undefined);
  return open.length > 0
    ? open
    : [{ about: 'permissions', state: 'good', says: 'records and pins are yours alone' }];
}

async function pin(record: DeviceRecord): Promise<Finding> {
  try {
    const found = await readPin(record);
    if (!found) {
      const says = `this machine does not know the key's assistant: roaming-key record trust --assistant ${record.assistant.url}`;
      return { about: 'pin', state: 'warning', says };
    }
    const age = epochSeconds() - found.since;
    const since = `enrolled or trusted at ${localTime(found.since)}`;
    if (age < YEAR) return { about: 'kit', state: 'good', says: since };
    return {
      about: 'kit',
      state: 'warning',
      says: `${since}: see that you still have its code, and can read it`,
    };
  } catch (error) {
    return bad(`pin ${await pinFile(record)}`, error);
  }
}

/** How far the assistant is, and how far its clock is off. */
async function askAssistant(url: string, timeout = 30): Promise<readonly Finding[]> {
  const begun = performance.now();
  let date: string | null;
  try {
    const response = await fetch(`${url}/keys`, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeout * 1000),
    });
    date = response.headers.get('date');
    await response.arrayBuffer();
  } catch {
    // What stood in the way is said by the check of the record.
    return [];
  }
  const took = Math.round(performance.now() - begun);
  const away: Finding = {
    about: 'network',
    state: took < SLOW ? 'good' : 'warning',
    says: `${new URL(url).origin} answered after ${took} ms`,
  };
  if (date === null) return [away];
  const off = Math.round(Date.parse(date) / 1000) - epochSeconds();
  const clock: Finding =
    Math.abs(off) <= CLOCK
      ? { about: 'clock', state: 'good', says: 'agrees with the assistant' }
      : {
          about: 'clock',
          state: 'warning',
          says: `${Math.abs(off)} s ${off > 0 ? 'behind' : 'ahead of'} the assistant: set it`,
        };
  return [away, clock];
}

async function judge(record: DeviceRecord, options: object): Promise<Finding> {
  try {
    const { warnings } = await checkRecord(record, { isOffline: false, ...options });
    const [warning] = warnings;
    if (warning !== undefined) return { about: 'assistant', state: 'warning', says: warning };
    return {
      about: 'assistant',
      state: 'good',
      says: 'has the key that the record is sealed to; not disabled',
    };
  } catch (error) {
    return bad('assistant', error);
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  disabled: 'make a new key: roaming-key enroll',
  network: 'see whether you are online, and whether a proxy or firewall stands between',
  unavailable: 'the assistant has a problem of its own: try again later, or tell who runs it',
};

function bad(about: string, error: unknown): Finding {
  const advice = isRoamingKeyError(error) ? ADVICE[error.code] : undefined;
  return { about, state: 'bad', says: [toText(error), ...(advice ? [advice] : [])].join('; '), error };
}
