/** Keys of an account beside its login key, on their way to another device: a pickup code brings them all. */
import { type DeviceRecord, isRoamingKeyError, RecordServiceClient } from '../../device/index.ts';
import type { Context, KeyPurpose } from './context.ts';
import { keepRecord, thumbprintOf } from './keep-record.ts';

type OtherPurpose = Exclude<KeyPurpose, 'login'>;

/** What has come to this device, and what has not. */
export interface Brought {
  readonly came: readonly OtherPurpose[];
  readonly left: readonly OtherPurpose[];
}

/**
 * Has the app keep those that are here.
 *
 * @returns those that it does not keep: the owner may have disabled them
 */
export async function keepOthers(context: Context, account: string): Promise<OtherPurpose[]> {
  const service = new RecordServiceClient(context.roam, context.transport);
  const left: OtherPurpose[] = [];
  for (const purpose of ['sign', 'notes'] as const) {
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

/** Keeps here what the app has of the account that is logged in; only keys that it names as this account's. */
export async function bringOthers(context: Context, account: string): Promise<Brought> {
  const { keys } = await context.session();
  const others = keys.filter(({ purpose, isDisabled }) => purpose !== 'login' && !isDisabled);
  const came: OtherPurpose[] = [];
  const left: OtherPurpose[] = [];
  if (others.length === 0) return { came, left };
  const service = new RecordServiceClient(context.roam, context.transport);
  const records: Partial<Record<OtherPurpose, DeviceRecord>> = await service
    .others(context.options.assistant)
    .catch(() => ({}));
  for (const purpose of new Set(others.map((key) => key.purpose as OtherPurpose))) {
    if (await context.recordHere(account, purpose).catch(() => undefined)) continue;
    const record = records[purpose];
    const print = record && (await thumbprintOf(record.jwk));
    const isOwn = others.some((key) => key.purpose === purpose && key.jkt === print);
    const kept = record && isOwn && (await keepRecord(context, { account, purpose, record })) === 'kept';
    (kept ? came : left).push(purpose);
  }
  return { came, left };
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
