import type { Device } from 'passport-roaming-key/device';
import { startPage } from '../chrome.ts';
import { byId, h, onSubmit, pageIsReady, setFieldError, setUpReveal, textIn } from '../dom.ts';
import { enter, UNKNOWN_KEY } from '../enter.ts';
import { explain } from '../errors.ts';
import { accountsHere, openDevice, recordHere, spellAccount } from '../keys.ts';
import { showNotice } from '../notice.ts';
import { perform } from '../perform.ts';

onSubmit(byId<HTMLFormElement>('login'), submit);
const known = await startPage();
setUpReveal();
const accounts = await accountsHere();
byId('accounts').append(...accounts.map((account) => h('option', { value: account })));
const account = byId<HTMLInputElement>('account');
if (accounts.length === 1) account.value = accounts[0] as string;
if (known?.account)
  showNotice({
    tone: 'info',
    title: `You are logged in as ${known.account}.`,
    action: { label: 'Go to your account', href: '/home' },
  });
else byId(account.value === '' ? 'account' : 'password').focus();
pageIsReady();

async function submit(): Promise<void> {
  const name = spellAccount(textIn('account'));
  const input = byId<HTMLInputElement>('password');
  if (name === '') return setFieldError('account', 'Type your account name.');
  if (input.value === '') return setFieldError('password', 'Type your password.');
  let device: Device;
  try {
    if (!(await recordHere('login', name))) {
      showNotice({
        tone: 'info',
        title: `This browser has no key for “${name}”.`,
        text: 'Is the name spelled right? If you made the account elsewhere, or cleared this browser’s data, bring the key here with a pickup code, a file or a QR code.',
        action: { label: 'Bring my key here', href: `/pickup?account=${encodeURIComponent(name)}` },
      });
      return;
    }
    device = await openDevice('login', name);
  } catch (error) {
    showNotice(explain(error));
    return;
  }
  await perform({
    title: 'Logging in',
    scheme: device.record.scheme,
    refused: UNKNOWN_KEY,
    onFailure: () => {
      input.value = '';
      input.focus();
    },
    act: () => enter(device, name, input.value),
  });
}
