/** Making a key that is shared with the assistant, on the pages for signing and for notes. */
import { enroll } from 'passport-roaming-key/device';
import { Memory } from 'passport-roaming-key/ui/flows';
import { ask } from './api.ts';
import { KDF } from './config.ts';
import { byId, setFieldError } from './dom.ts';
import { DEVICE, deviceOn, openDevice, recordHere, recordName, records } from './keys.ts';
import { perform } from './perform.ts';

export interface SharedKeyOptions {
  readonly purpose: 'sign' | 'notes';
  readonly account: string;
}

/**
 * Makes the key with the password in `#new-password`, keeps its record here and publishes it. A kit that is not kept yet is
 * this key's, too: one sheet for all keys. Else it gets one of its own, which the account's page shows.
 *
 * @returns whether it was made
 */
export async function makeSharedKey({ purpose, account }: SharedKeyOptions): Promise<boolean> {
  const input = byId<HTMLInputElement>('new-password');
  if (input.value === '') {
    setFieldError('new-password', 'Type your password.');
    return false;
  }
  const scheme = purpose === 'sign' ? 'ed25519' : 'elgamal';
  const memory = new Memory();
  const isMade = await perform({
    title: purpose === 'sign' ? 'Making a signing key' : 'Making a key for notes',
    scheme,
    progress: byId('progress-new'),
    act: async () => {
      const password = input.value;
      // A typo would lock the new key under a password that nobody knows: the login key tells.
      const login = await recordHere('login', account);
      if (login) await tryPassword(account, password);
      const pending = memory.pendingKit(account);
      const { record, kit } = await enroll({
        ...DEVICE,
        password,
        kdf: KDF,
        scheme,
        ...(pending && { kit: pending }),
      });
      // What is not published would sign messages that nobody can check.
      await ask('/data/keys', { body: { purpose, jwk: record.jwk, u: record.u } });
      await records.save(recordName(purpose, account), record);
      memory.setPendingKit(account, kit);
      return true;
    },
  });
  if (isMade) input.value = '';
  return isMade === true;
}

async function tryPassword(account: string, password: string): Promise<void> {
  const device = await openDevice('login', account);
  if (device.record.scheme === 'retrieve') {
    await device.unlock(password, { forSeconds: 1 });
    return;
  }
  const probe = deviceOn(device.record, 'sign');
  await probe.sign(crypto.getRandomValues(new Uint8Array(32)), { password });
}
