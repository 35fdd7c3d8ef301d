import type { Device } from 'passport-roaming-key/device';
import { flash, nextPage, tellTabs } from './chrome.ts';
import { count, formatTime } from './dom.ts';
import { LOGIN } from './keys.ts';
import type { Notice } from './notice.ts';

/** What `refused` means at a login. */
export const UNKNOWN_KEY: Notice = {
  tone: 'stop',
  title: 'Inkwell does not know this key.',
  text: 'It was never registered for this account, or the account is gone. Is the account name right?',
};

/** How long the key is held: as long as the login takes. */
const HOLD = 60;

/** Unlocks, logs in, and goes on to where the user wanted; tells of wrong passwords that were tried before. */
export async function enter(device: Device, account: string, password: string): Promise<void> {
  if (device.record.scheme === 'retrieve') {
    const { failedSince } = await device.unlock(password, { forSeconds: HOLD });
    if (failedSince.count > 0)
      flash({
        tone: 'warn',
        title: `${count(failedSince.count, 'wrong password was', 'wrong passwords were')} tried on your key since you last used it.`,
        text: `${failedSince.last === null ? '' : `The last one at ${formatTime(failedSince.last)}. `}If that was not you, somebody has your device record: change the password, and look where your devices are.`,
      });
  } else {
    await device.unlockShared(password, { forSeconds: HOLD });
  }
  try {
    await device.login({ ...LOGIN, account });
  } finally {
    device.lock();
  }
  tellTabs('in');
  location.assign(nextPage());
}
