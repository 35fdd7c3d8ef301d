import type { Device } from '../../device/index.ts';

/** How long the key is held: as long as the login takes, in seconds. */
const HOLD = 60;

/** Has a device hold its key, whatever its scheme. */
export async function hold(device: Device, password: string, forSeconds = HOLD): Promise<void> {
  if (device.record.scheme === 'retrieve') await device.unlock(password, { forSeconds });
  else await device.unlockShared(password, { forSeconds });
}
