import { RoamingKeyError } from '../base/errors.ts';
import type { Device, Purpose } from '../device/device.ts';
import type { AssistantOptions, RecordOptions } from './options.ts';
import { placeForOld, recordSource } from './record-source.ts';

/** What a device is opened with on a command line. */
export interface OpenDeviceOptions extends RecordOptions, AssistantOptions {}

/**
 * A device whose record stays current where it is kept, and its client options.
 *
 * @throws RoamingKeyError `bad_record` also where the record names another assistant than the pinned one
 */
export async function openDevice(options: OpenDeviceOptions, purposes: readonly Purpose[]): Promise<Device> {
  const [source, { Device }, { joinPin, trustedAssistant }] = await Promise.all([
    recordSource(options),
    import('../device/device.ts'),
    import('./pins.ts'),
  ]);
  const record = await source.load();
  if (purposes.length > 0 && record.scheme === 'elgamal')
    throw new RoamingKeyError('unsupported', 'this key decrypts and does not sign');
  return new Device(record, {
    ...transport(options),
    assistant: await trustedAssistant(record, options.assistant),
    purposes,
    async save(changed, replaced) {
      // The pin first: a record whose key is not pinned could not be used.
      await joinPin(changed, replaced);
      // A change of password: the earlier record is kept until its ticket is retired, also over a crash.
      if (changed.salt !== replaced.salt) await (await placeForOld(source, replaced)).save(replaced);
      await source.replace(replaced, changed);
    },
  });
}

/** The client options that `--timeout` stands for. */
export function transport({ timeout }: AssistantOptions): { timeout?: number } {
  return timeout === undefined ? {} : { timeout };
}
