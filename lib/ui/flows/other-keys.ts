/** Keys of an account beside its login key, on their way to another device: a pickup code brings them all. */
import {
  type Device,
  type DeviceRecord,
  encryptTo,
  isRoamingKeyError,
  type OtherPurpose,
  RecordServiceClient,
  RoamingKeyError,
} from '../../device/index.ts';
import type { Context } from './context.ts';
import { alarmOf, type EarlierUse, useKey } from './enter.ts';
import type { Notice } from './explain.ts';
import { hold } from './hold.ts';
import { isSameKey, keepRecord, thumbprintOf } from './keep-record.ts';

const OTHERS: readonly OtherPurpose[] = ['sign', 'notes'];

/** What has come to this device, and what has not. */
export interface Brought {
  readonly came: readonly OtherPurpose[];
  readonly left: readonly OtherPurpose[];
  /** What their use told of strangers. */
  readonly alarm?: Notice | undefined;
}

/**
 * Has the app keep those that are here.
 *
 * @returns those that it does not keep: the owner may have disabled them
 */
export async function keepOthers(context: Context, account: string): Promise<OtherPurpose[]> {
  const service = new RecordServiceClient(context.roam, context.transport);
  const left: OtherPurpose[] = [];
  for (const purpose of OTHERS) {
    const record = await context.recordHere(account, purpose).catch(() => undefined);
    try {
      if (record) await service.storeOther(purpose, record);
    } catch (error) {
      if (!isRoamingKeyError(error)) throw error;
      left.push(purpose);
    }
  }
  return left;
}

/**
 * Keeps here what the app has of the account that is logged in; only keys that it names as this account's, and only records
 * that work: a thief's session can store one with the right public key and a ticket of his own.
 *
 * @param password that of the login, which opens every record once
 */
export async function bringOthers(context: Context, account: string, password: string): Promise<Brought> {
  const { keys } = await context.session();
  const others = keys.filter(({ purpose, isDisabled }) => purpose !== 'login' && !isDisabled);
  const came: OtherPurpose[] = [];
  const left: OtherPurpose[] = [];
  let alarm: Notice | undefined;
  if (others.length === 0) return { came, left };
  const service = new RecordServiceClient(context.roam, context.transport);
  const records: Partial<Record<OtherPurpose, DeviceRecord>> = await service
    .others(context.options.assistant)
    .catch(() => ({}));
  for (const purpose of new Set(others.map((key) => key.purpose as OtherPurpose))) {
    const record = records[purpose];
    const here = await context.recordHere(account, purpose).catch(() => undefined);
    // A record of the same key makes room where it is of an earlier password or retired.
    if (here && !(record && isSameKey(here, record) && here.ticket !== record.ticket)) continue;
    if (here && !(await isOutdated(context, context.deviceOn(here, purpose), password))) continue;
    const print = record && (await thumbprintOf(record.jwk));
    const isOwn = others.some((key) => key.purpose === purpose && key.jkt === print);
    const device = record && isOwn && context.deviceOn(record, purpose);
    const use = device && (await useIfGood(context, device, password));
    if (use) alarm ??= alarmOf(context, use);
    const isKept = use && (await keepRecord(context, { account, purpose, record: device.record })) === 'kept';
    if (isKept) came.push(purpose);
    else if (!here) left.push(purpose);
  }
  return { came, left, alarm };
}

/** What became of the other keys at a change of password. */
export interface Moved {
  readonly moved: readonly OtherPurpose[];
  /** Those that keep their password: another than the login key's, or of a kind that would need a new kit. */
  readonly left: readonly OtherPurpose[];
  /** The keys of `moved`, and whether their old passwords are dead: else `retire` finishes. */
  readonly changed: readonly (readonly [device: Device, isOldRetired: boolean])[];
  /** What their use told of strangers. */
  readonly alarm?: Notice | undefined;
}

/**
 * Gives the keys that are here the new password as well, once the login key has it. Where the app keeps the account's keys for
 * pickup, it gets their new records before the old ones stop working.
 *
 * @param devices those of earlier changes, which know what these have left to do
 */
export async function moveOthers(
  context: Context,
  account: string,
  passwords: { readonly password: string; readonly newPassword: string },
  devices: Map<OtherPurpose, Device>,
): Promise<Moved> {
  const moved: OtherPurpose[] = [];
  const left: OtherPurpose[] = [];
  const changed: [Device, boolean][] = [];
  let alarm: Notice | undefined;
  for (const purpose of OTHERS) {
    const here = await context.recordHere(account, purpose).catch(() => undefined);
    if (!here) continue;
    try {
      if (here.scheme === 'retrieve') throw new RoamingKeyError('unsupported', 'this key needs a new kit');
      const device = devices.get(purpose) ?? (await context.open(account, purpose));
      devices.set(purpose, device);
      const beforeRetire = (record: DeviceRecord) => keepMoved(context, purpose, record);
      const { value, ...use } = await useKey(context, device, () =>
        device.changePassword({ ...passwords, beforeRetire }),
      );
      moved.push(purpose);
      changed.push([device, value.isOldRetired]);
      alarm ??= alarmOf(context, use);
    } catch (error) {
      if (!isRoamingKeyError(error)) console.error(error);
      left.push(purpose);
    }
  }
  return { moved, left, changed, alarm };
}

/** Where the app refuses a record the next pickup says so; where it does not answer, the old record must go on working. */
async function keepMoved(context: Context, purpose: OtherPurpose, record: DeviceRecord): Promise<void> {
  if (!context.has('records')) return;
  const service = new RecordServiceClient(context.roam, context.transport);
  try {
    if (await service.stored()) await service.storeOther(purpose, record);
  } catch (error) {
    if (
      !isRoamingKeyError(error) ||
      isRoamingKeyError(error, 'network', 'bad_response', 'busy', 'unavailable')
    )
      throw error;
  }
}

async function useIfGood(
  context: Context,
  device: Device,
  password: string,
): Promise<EarlierUse | undefined> {
  try {
    return await useKey(context, device, () => useOnce(device, password));
  } catch (error) {
    if (isRoamingKeyError(error)) return undefined;
    throw error;
  }
}

/** Whether a record opens no longer: not where an assistant cannot answer. */
async function isOutdated(context: Context, device: Device, password: string): Promise<boolean> {
  return useKey(context, device, () => useOnce(device, password)).then(
    () => false,
    (error: unknown) => isRoamingKeyError(error, 'wrong_password', 'retired', 'disabled', 'unknown_key'),
  );
}

/** Uses a key for another purpose than login, so that a record that does not work is not kept. */
export async function useOnce(device: Device, password: string): Promise<void> {
  const probe = crypto.getRandomValues(new Uint8Array(16));
  if (device.record.scheme === 'elgamal') {
    const sealed = await encryptTo(device.jwk, probe);
    await device.decrypt(sealed, { password });
    return;
  }
  await hold(device, password);
  try {
    await device.signJws(probe, { header: { typ: 'roaming-key-check' } });
  } finally {
    device.lock();
  }
}

/** What is said of it; nothing where there was nothing to bring. */
export function tellOthers(context: Context, { came, left }: Brought): string {
  return [
    came.length > 0 && context.say('pickup.came', { list: listOf(context, came) }),
    left.length > 0 && context.say('pickup.left', { list: listOf(context, left) }),
  ]
    .filter(Boolean)
    .join(' ');
}

/** Names keys in a sentence. */
export function listOf(context: Context, purposes: readonly OtherPurpose[]): string {
  return new Intl.ListFormat(context.locale).format(
    purposes.map((purpose) => context.say(`purpose.${purpose}`)),
  );
}
