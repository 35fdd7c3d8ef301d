/** A key on its way to another device, as a file. */
import { type DeviceRecord, parseRecord, RoamingKeyError } from '../../device/index.ts';
import type { Context, KeyPurpose } from './context.ts';

/** A record and what it is for. */
export interface CarriedKey {
  readonly account: string;
  readonly purpose: KeyPurpose;
  readonly record: DeviceRecord;
}

const PURPOSES: readonly unknown[] = ['login', 'sign', 'notes'] satisfies KeyPurpose[];

/** The file's text. */
export function writeKeyFile(carried: CarriedKey): string {
  return `${JSON.stringify({ roamingKey: 1, ...carried }, null, 2)}\n`;
}

/** A file with its name. */
export function keyFile(
  { site }: Pick<Context, 'site'>,
  carried: CarriedKey,
  name: string = carried.purpose,
): { name: string; text: string } {
  const plain = site.replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase();
  return { name: `${plain}-key-${carried.account}-${name}.json`, text: writeKeyFile(carried) };
}

/**
 * Reads a file.
 *
 * @returns `kit` for a kit, `undefined` for what is no key file
 * @throws RoamingKeyError `bad_record` for a damaged one
 */
export function readKeyFile(text: string): CarriedKey | 'kit' | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if ('t' in value) return 'kit';
  const { roamingKey, account, purpose, record } = value as Record<string, unknown>;
  if (roamingKey === undefined) return undefined;
  if (roamingKey !== 1 || typeof account !== 'string' || !PURPOSES.includes(purpose))
    throw new RoamingKeyError('bad_record', 'the key file is damaged, or from a newer version');
  return { account, purpose: purpose as KeyPurpose, record: parseRecord(record) };
}
