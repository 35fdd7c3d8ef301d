import type { Device } from 'passport-roaming-key/device';
import { startPage } from '../chrome.ts';
import { byId, h, onSubmit, pageIsReady, setFieldError, setUpReveal, showOnly } from '../dom.ts';
import { explain } from '../errors.ts';
import { openDevice, REGISTER, recordHere } from '../keys.ts';
import { showKit } from '../kit.ts';
import { MIN_SCORE, setUpMeter } from '../meter.ts';
import { showNotice, sign } from '../notice.ts';
import { perform } from '../perform.ts';

const PARTS = ['part-ask', 'part-kit', 'part-done'];

onSubmit(byId<HTMLFormElement>('change'), async () => device && submit(device));
const known = await startPage({ needsSession: true });
const account = known?.account ?? '';
setUpReveal();
byId<HTMLInputElement>('account').value = account;
const meter = setUpMeter('next', () => [account, 'inkwell']);
const device = account === '' ? undefined : await openHere();
if (account !== '' && !device) byId('change').inert = true;
pageIsReady();

async function openHere(): Promise<Device | undefined> {
  try {
    if (!(await recordHere('login', account))) {
      showNotice({
        tone: 'info',
        title: 'Your key is not kept on this device.',
        text: 'Passwords are changed where the key is. Bring it here first, and say that it shall stay.',
        action: { label: 'Bring my key here', href: '/pickup' },
      });
      return undefined;
    }
    const opened = await openDevice('login', account);
    if (opened.record.scheme === 'retrieve') return opened;
    showNotice({
      tone: 'info',
      title: 'The password of a shared key cannot be changed yet.',
      text: 'Device and assistant would have to split the key anew. Make another account with another kind of key if you need to.',
    });
  } catch (error) {
    showNotice(explain(error));
  }
  return undefined;
}

async function submit(opened: Device): Promise<void> {
  const current = byId<HTMLInputElement>('current');
  const next = byId<HTMLInputElement>('next');
  if (current.value === '') return setFieldError('current', 'Type your current password.');
  if (next.value === current.value) return setFieldError('next', 'This is your current password.');
  const rating = await meter.rating();
  if (next.value === '') return setFieldError('next', 'Choose a new password.');
  if (rating && rating.score < MIN_SCORE)
    return setFieldError('next', 'Too easy to guess. Make it longer: four or five uncommon words do.');
  const changed = await perform({
    title: 'Changing the password',
    scheme: 'retrieve',
    onFailure: () => {
      showOnly('part-ask', ...PARTS);
      current.value = '';
      current.focus();
    },
    act: () =>
      opened.changePassword({
        password: current.value,
        newPassword: next.value,
        relyingParties: [{ ...REGISTER, account }],
        saveKit: async (kit) => {
          showOnly('part-kit', ...PARTS);
          await showKit(byId('kit'), { kit, account, what: 'your key, under its new password' });
        },
      }),
  });
  if (!changed) return;
  current.value = '';
  next.value = '';
  byId('checks').replaceChildren(
    changed.isOldRetired
      ? h(
          'li',
          {},
          sign('done'),
          h(
            'span',
            {},
            h('strong', {}, 'The old password is dead'),
            ': the assistant helps with the old record no more.',
          ),
        )
      : h(
          'li',
          {},
          sign('warn'),
          h(
            'span',
            {},
            h('strong', {}, 'The old record still works'),
            ' wherever there is a copy, with the old password: the assistant could not be told. Change the password again later.',
          ),
        ),
    h(
      'li',
      {},
      sign('done'),
      h(
        'span',
        {},
        'Other devices have to bring over the new record. A pickup code that you have made stays good.',
      ),
    ),
    h(
      'li',
      {},
      sign('info'),
      h('span', {}, 'Keys for signing and notes keep the password they were made with.'),
    ),
  );
  showOnly('part-done', ...PARTS);
}
