/** The device records of this browser, one for each account and purpose. */
import { Device, type DeviceOptions, type DeviceRecord, indexedDbRecords } from 'passport-roaming-key/device';
import type { Purpose } from './api.ts';
import { ASSISTANT, ORIGIN } from './config.ts';
import { io } from './runs.ts';

/** What is kept, shared by all tabs. */
export const records = indexedDbRecords();

export const ROAM = { records: `${ORIGIN}/api/records` };

/** What every device on these pages is given. */
export const DEVICE = { assistant: ASSISTANT, fetch: io.fetch, onProgress: io.onProgress };

/** The name under which a record is kept. */
export function recordName(purpose: Purpose, account: string): string {
  return `${purpose}:${account}`;
}

/** How accounts are spelled everywhere. */
export function spellAccount(typed: string): string {
  return typed.trim().normalize('NFC').toLowerCase();
}

/** Options of a device for one purpose. */
export function optionsFor(purpose: Purpose): Omit<DeviceOptions, 'save' | 'load'> {
  if (purpose === 'login') return { ...DEVICE, roam: ROAM };
  return { ...DEVICE, purposes: purpose === 'sign' ? ['sign'] : [] };
}

/** The record that is kept here; `undefined` for none. */
export async function recordHere(purpose: Purpose, account: string): Promise<DeviceRecord | undefined> {
  return records.load(recordName(purpose, account));
}

/** A device on a record that is kept here. */
export function openDevice(purpose: Purpose, account: string): Promise<Device> {
  return Device.open(records, recordName(purpose, account), optionsFor(purpose));
}

/** A device on a record that is at hand but need not be kept. */
export function deviceOn(record: DeviceRecord, purpose: Purpose): Device {
  return new Device(record, optionsFor(purpose));
}
