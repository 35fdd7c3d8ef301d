import type { Device, Purpose } from '../device/device.ts';
import type { AssistantOptions, RecordOptions } from './options.ts';
import { recordSource } from './record-source.ts';

/** What a device is opened with on a command line. */
export interface OpenDeviceOptions extends RecordOptions, AssistantOptions {}

/** A device whose record stays current where it is kept, and its client options. */
export async function openDevice(options: OpenDeviceOptions, purposes: readonly Purpose[]): Promise<Device> {
  const [source, { Device }] = await Promise.all([recordSource(options), import('../device/device.ts')]);
  const record = await source.load();
  const { assistant = record.assistant.url } = options;
  return new Device(record, { ...transport(options), assistant, purposes, save: source.save });
}

/** The client options that `--timeout` stands for. */
export function transport({ timeout }: AssistantOptions): { timeout?: number } {
  return timeout === undefined ? {} : { timeout };
}
