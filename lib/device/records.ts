import { RoamingKeyError } from '../base/errors.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';

/**
 * Where device records are kept, by a name that the app chooses, such as an account.
 *
 * Others may read a record if the password is strong (docs/protocol.md section 1, G2), but only the owner should be able to
 * change it. A name is 1 to 80 bytes of UTF-8; names that differ in case alone are two names.
 */
export interface Records {
  /**
   * The record of that name, or `undefined` without one.
   *
   * @throws RoamingKeyError `bad_record` if it is damaged; it stays as it is
   */
  load(name: string): Promise<DeviceRecord | undefined>;
  /**
   * Puts a record under a name, durably: after a crash there is the old one or the new one. An earlier record of the
   * same key makes room, and one that is damaged; the record of another key, whose only copy it may be, does not: `replace`
   * or `remove` that.
   *
   * @throws RoamingKeyError `bad_record` if it is not a record; `refused` where the name has a record of another key; nothing has
   *   been changed then
   */
  save(name: string, record: DeviceRecord): Promise<void>;
  /**
   * Puts `record` under a name if `replaced` is what is there, and changes nothing otherwise: one step, whatever
   * other tabs and processes do. Where it is missing, loading and saving takes its place, between which others may come.
   *
   * @returns whether it was replaced
   */
  replace?(name: string, replaced: DeviceRecord, record: DeviceRecord): Promise<boolean>;
  /** Forgets the record of that name, if there is one. */
  remove(name: string): Promise<void>;
  /** All names that have a record, damaged or not, in the order of their code units. */
  list(): Promise<string[]>;
}

const MAX_NAME_BYTES = 80;

/**
 * Checks a record's name, so that every kind of storage takes the same names.
 *
 * @returns its UTF-8 bytes
 * @throws RangeError if it is empty, longer than 80 bytes of UTF-8, or not well-formed Unicode
 */
export function recordName(name: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES || /\p{Surrogate}/u.test(name)) {
    throw new RangeError(`name must be well-formed text of 1 to ${MAX_NAME_BYTES} bytes`);
  }
  return bytes;
}

/**
 * Replaces a record, and never a newer one.
 *
 * @throws RoamingKeyError `busy` if another tab or process has changed or removed the record meanwhile
 */
export async function replaceRecord(
  records: Pick<Records, 'load' | 'save' | 'replace'>,
  name: string,
  replaced: DeviceRecord,
  record: DeviceRecord,
): Promise<void> {
  const isThere = records.replace
    ? await records.replace(name, replaced, record)
    : isSameRecord(await records.load(name), replaced);
  if (isThere && !records.replace) await records.save(name, record);
  if (!isThere)
    throw new RoamingKeyError('busy', 'this device record was changed elsewhere meanwhile: try again');
}

/**
 * Requires that a record may take the place of what is kept: of nothing, of what is damaged, or of the same key's.
 *
 * @throws RoamingKeyError `refused`
 */
export function requireSameKey(kept: unknown, { jwk }: DeviceRecord): void {
  const result = readRecord(kept);
  if (!result || JSON.stringify(result.jwk) === JSON.stringify(jwk)) return;
  throw new RoamingKeyError(
    'refused',
    'another key is kept under this name, and this may be its only copy: replace or remove it first',
  );
}

function readRecord(kept: unknown): DeviceRecord | undefined {
  try {
    return parseRecord(kept);
  } catch {
    return undefined;
  }
}

/** Whether what is kept is that record: every record has a ticket of its own. */
export function isSameRecord(kept: unknown, record: DeviceRecord): boolean {
  return typeof kept === 'object' && kept !== null && 'ticket' in kept && kept.ticket === record.ticket;
}

/** Records that last as long as the process or the page. */
export function memoryRecords(): Records {
  // Kept as text, so that callers cannot change a stored record.
  const texts = new Map<string, string>();
  return {
    async load(name) {
      recordName(name);
      const text = texts.get(name);
      return text === undefined ? undefined : parseRecord(JSON.parse(text));
    },
    async save(name, record) {
      recordName(name);
      const checked = parseRecord(record);
      requireSameKey(JSON.parse(texts.get(name) ?? 'null'), checked);
      texts.set(name, JSON.stringify(checked));
    },
    async replace(name, replaced, record) {
      recordName(name);
      const text = JSON.stringify(parseRecord(record));
      const isThere = isSameRecord(JSON.parse(texts.get(name) ?? 'null'), replaced);
      if (isThere) texts.set(name, text);
      return isThere;
    },
    async remove(name) {
      recordName(name);
      texts.delete(name);
    },
    async list() {
      return [...texts.keys()].sort();
    },
  };
}
