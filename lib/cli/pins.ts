/**
 * Which assistant each key belongs to, in a file of its own: an attacker who can change a device record must not be able
 * to choose who sees the next password (docs/protocol.md section 3).
 */
import { lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import { thumbprint } from '../crypto/keys/public-jwk.ts';
import { readJsonFile, replaceJsonFile } from '../device/private-file.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { dataFolder } from './data-folder.ts';
import { CommandLineError } from './failure.ts';

const PIN = v.strictObject({
  version: v.literal(1),
  /** The assistant's URL, normalised. */
  url: v.string(),
  /** Ids of its keys, the first one as it was at enrolment. */
  kids: v.pipe(v.array(v.string()), v.minLength(1)),
  /** When the key was enrolled or trusted, in seconds since the epoch. */
  since: v.pipe(v.number(), v.safeInteger()),
});

/** What is known of a key's assistant, whatever its record says. */
export type Pin = v.InferOutput<typeof PIN>;

/** Where the pin of a record's key is kept. */
export async function pinFile({ jwk }: DeviceRecord): Promise<string> {
  return dataFolder('pins', `${await thumbprint(jwk)}.json`);
}

/**
 * @returns `undefined` where the key was not enrolled on this machine
 * @throws CommandLineError `bad_input` where the file is damaged, or others may change it
 */
export async function readPin(record: DeviceRecord): Promise<Pin | undefined> {
  const file = await pinFile(record);
  const found = await lstat(file).catch(() => undefined);
  if (!found) return undefined;
  if (process.getuid && (found.uid !== process.getuid() || (found.mode & 0o077) !== 0))
    throw new CommandLineError('bad_input', `${file} is not this user's alone: chmod 600 it`);
  const pin = v.safeParse(PIN, await readJsonFile(file));
  if (!pin.success) throw new CommandLineError('bad_input', `${file} is not a pin, or it is damaged`);
  return pin.output;
}

/** Remembers a record's assistant and its key, at enrolment or because the user says so. */
export async function writePin(record: DeviceRecord): Promise<void> {
  const { url, jwk } = record.assistant;
  await save(record, { version: 1, url: normal(url), kids: [jwk.kid], since: epochSeconds() });
}

/**
 * Takes over the key of an assistant's authenticated answer: `replaced` was sealed to a pinned one, and the answer gave
 * `record`.
 */
export async function joinPin(record: DeviceRecord, replaced: DeviceRecord): Promise<void> {
  const pin = await readPin(record);
  const { kid } = record.assistant.jwk;
  if (!pin?.kids.includes(replaced.assistant.jwk.kid) || pin.kids.includes(kid)) return;
  await save(record, { ...pin, kids: [...pin.kids, kid] });
}

/**
 * The assistant that a record may be used with: the pinned one, or where there is no pin the one that the user names.
 *
 * @throws RoamingKeyError `bad_record` where record and pin differ, or nothing but the record names an assistant
 */
export async function trustedAssistant(record: DeviceRecord, named: string | undefined): Promise<string> {
  const pin = await readPin(record);
  const url = normal(record.assistant.url);
  if (!pin) {
    if (named !== undefined) return named;
    const say = `if it is ${url}, say so: roaming-key record trust --assistant ${url}`;
    throw changed(`this machine does not know which assistant this key belongs to; ${say}`);
  }
  if (pin.url !== url)
    throw changed(`the record names the assistant ${url}, and its key was enrolled with ${pin.url}`);
  const { kid } = record.assistant.jwk;
  if (!pin.kids.includes(kid)) {
    const known = `the record names the assistant's key ${kid}, and known are ${pin.kids.join(', ')}`;
    throw changed(
      `${known}; if ${url} has changed its key, say so: roaming-key record trust --assistant ${url}`,
    );
  }
  return named ?? pin.url;
}

async function save(record: DeviceRecord, pin: Pin): Promise<void> {
  const file = await pinFile(record);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await replaceJsonFile(file, pin);
}

function normal(url: string): string {
  return readSecureUrl(url) ?? url;
}

function changed(message: string): RoamingKeyError {
  return new RoamingKeyError('bad_record', message);
}
