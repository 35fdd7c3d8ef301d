/** Making a key that is shared with the assistant, on the pages for signing and for notes. */
import { enroll } from 'passport-roaming-key/device';
import { ask } from './api.ts';
import { KDF } from './config.ts';
import { byId, setFieldError } from './dom.ts';
import { DEVICE, openDevice, recordHere, recordName, records } from './keys.ts';
import { showKit } from './kit.ts';
import { perform } from './perform.ts';

export interface SharedKeyOptions {
  readonly purpose: 'sign' | 'notes';
  readonly account: string;
  readonly what: string;
}

/**
 * Makes the key with the password in `#new-password`, has its kit kept, keeps its record here and publishes it.
 *
 * @returns whether it was made
 */
export async function makeSharedKey({ purpose, account, what }: SharedKeyOptions): Promise<boolean> {
  const input = byId<HTMLInputElement>('new-password');
  if (input.value === '') {
    setFieldError('new-password', 'Type your password.');
    return false;
  }
  const scheme = purpose === 'sign' ? 'rsa' : 'elgamal';
  const made = await perform({
    title: purpose === 'sign' ? 'Making a signing key' : 'Making a key for notes',
    scheme,
    progress: byId('progress-new'),
    onFailure: () => {
      input.value = '';
      input.focus();
    },
    act: async () => {
      const password = input.value;
      // A typo would lock the new key under a password that nobody knows; the login key tells.
      const login = await recordHere('login', account);
      if (login?.scheme === 'retrieve')
        await (await openDevice('login', account)).unlock(password, { forSeconds: 1 });
      return enroll({ ...DEVICE, password, kdf: KDF, scheme });
    },
  });
  if (!made) return false;
  input.value = '';
  byId('part-new').hidden = true;
  byId('part-kit').hidden = false;
  await showKit(byId('kit'), { kit: made.kit, account, what });
  byId('part-kit').hidden = true;
  const isPublished = await perform({
    title: 'Publishing a key',
    scheme,
    act: async () => {
      const { jwk, u } = made.record;
      await records.save(recordName(purpose, account), made.record);
      await ask('/api/keys', { body: { purpose, jwk, u } });
      return true;
    },
    // What was not published would sign messages that nobody can check.
    onFailure: () => void records.remove(recordName(purpose, account)).catch(() => {}),
  });
  if (!isPublished) byId('part-new').hidden = false;
  return isPublished === true;
}
