import path from 'node:path';
import type { DeviceRecord } from '../protocol/record.ts';
import { dataFolder } from './data-folder.ts';
import { CommandLineError } from './failure.ts';
import type { RecordOptions } from './options.ts';
import { readAs } from './what-is.ts';

const DEFAULT_NAME = 'default';
/** Marks the record of an earlier password. */
export const OLD = '.old';

/** One place for one device record: a name among the user's records, or a file. */
export interface RecordSource {
  /** Names the place, for people and in JSON. */
  readonly place: { readonly name: string } | { readonly record: string };
  /**
   * @throws CommandLineError `not_found`
   * @throws RoamingKeyError `bad_record`
   */
  readonly load: () => Promise<DeviceRecord>;
  /** Keeps a record durably, in the place of the same key's; of another key's where it `mayReplace` that. */
  readonly save: (record: DeviceRecord, mayReplace?: boolean) => Promise<void>;
  /**
   * Keeps the changed record of a device where `replaced` is still what is kept.
   *
   * @throws RoamingKeyError `busy` where another process has changed it meanwhile
   */
  readonly replace: (replaced: DeviceRecord, record: DeviceRecord) => Promise<void>;
  readonly exists: () => Promise<boolean>;
  readonly remove: () => Promise<void>;
  /** Where the record of an earlier password is kept until its ticket is retired. */
  readonly old: RecordOptions;
  /** Where an SSH certificate for this key may lie. */
  readonly certificate: string | undefined;
}

/** Where `--name` and `--record` point. */
export async function recordSource(options: RecordOptions): Promise<RecordSource> {
  return options.record === undefined ? named(options.name ?? DEFAULT_NAME) : inFile(options.record);
}

/** The folder of named records. */
export function recordsFolder(): string {
  return dataFolder('records');
}

/**
 * Where the record of the password before goes. It is the only one by which its ticket can be retired, so that it is never
 * overwritten; a copy of the record in force is what a change has left there that did not come to its end.
 *
 * @throws CommandLineError `exists`
 */
export async function placeForOld({ old }: RecordSource, { salt }: DeviceRecord): Promise<RecordSource> {
  const place = await recordSource(old);
  if ((await place.exists()) && (await place.load()).salt !== salt)
    throw new CommandLineError(
      'exists',
      'the record of an earlier password is not retired yet: run `roaming-key retire --old` with that password first',
    );
  return place;
}

async function named(name: string): Promise<RecordSource> {
  const [{ fileRecords }, { replaceRecord }] = await Promise.all([
    import('../device/file-records.ts'),
    import('../device/records.ts'),
  ]);
  const records = fileRecords(recordsFolder());
  return {
    place: { name },
    async load() {
      const record = await records.load(name);
      if (record) return record;
      throw new CommandLineError(
        'not_found',
        `there is no device record named ${JSON.stringify(name)}; \`roaming-key record list\` shows those there are`,
      );
    },
    async save(record, mayReplace = false) {
      const kept = mayReplace ? await records.load(name).catch(() => undefined) : undefined;
      if (kept) await replaceRecord(records, name, kept, record);
      else await records.save(name, record);
    },
    replace: (replaced, record) => replaceRecord(records, name, replaced, record),
    exists: async () => (await records.list()).includes(name),
    remove: () => records.remove(name),
    old: { name: `${name}${OLD}` },
    certificate: /^[\w@.-]+$/.test(name) ? path.join(recordsFolder(), `${name}-cert.pub`) : undefined,
  };
}

async function inFile(file: string): Promise<RecordSource> {
  const [
    { readJsonFile, replaceJsonFile },
    { replaceRecord },
    { replaceInFile },
    { parseRecord },
    { lstat, rm },
  ] = await Promise.all([
    import('../device/private-file.ts'),
    import('../device/records.ts'),
    import('../device/file-records.ts'),
    import('../protocol/record.ts'),
    import('node:fs/promises'),
  ]);
  const load = () => readAs('a device record', file, async () => parseRecord(await readJsonFile(file)));
  const save = (record: DeviceRecord) => replaceJsonFile(file, record);
  const replace = (_name: string, replaced: DeviceRecord, record: DeviceRecord) =>
    replaceInFile({ file, lock: `${file}.lock`, load }, replaced, record);
  return {
    place: { record: file },
    load,
    save,
    replace: (replaced, record) =>
      replaceRecord({ load, save: (_name, changed) => save(changed), replace }, file, replaced, record),
    exists: () =>
      lstat(file).then(
        () => true,
        () => false,
      ),
    remove: () => rm(file, { force: true }),
    old: { record: `${file}${OLD}` },
    certificate: `${file.replace(/\.json$/, '')}-cert.pub`,
  };
}
