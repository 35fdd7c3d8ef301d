import type { Device } from '../../device/index.ts';

/** What the answer to a use of the key reports of earlier uses. */
export interface EarlierUse {
  readonly failedSince?: { readonly count: number; readonly last: number | null };
  readonly lastUsed?: number | null;
  readonly isReissuedElsewhere?: boolean;
}

/** How long the key is held: as long as the login takes, in seconds. */
const HOLD = 60;

/** Has a device hold its key, whatever its scheme. */
export async function hold(device: Device, password: string, forSeconds = HOLD): Promise<EarlierUse> {
  if (device.record.scheme === 'retrieve') return device.unlock(password, { forSeconds });
  await device.unlockShared(password, { forSeconds });
  return {};
}
