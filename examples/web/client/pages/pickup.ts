import { Device, isRoamingKeyError, RoamingKeyError } from 'passport-roaming-key/device';
import { startPage } from '../chrome.ts';
import { byId, onSubmit, pageIsReady, setFieldError, setUpReveal, showOnly, textIn } from '../dom.ts';
import { enter, UNKNOWN_KEY } from '../enter.ts';
import { explain } from '../errors.ts';
import { DEVICE, deviceOn, kindOf, ROAM, recordHere, recordName, records, spellAccount } from '../keys.ts';
import { type Notice, showNotice } from '../notice.ts';
import { perform } from '../perform.ts';
import { readQr } from '../qr.ts';
import { type CarriedRecord, readRecordText } from '../record-file.ts';

const MAX_FILE = 20 * 1024 * 1024;
const PARTS = ['part-ask', 'part-found'];
const ONE_OF_THREE: Notice = {
  tone: 'wrong',
  title: 'One of the three is not right.',
  text: 'Account name, pickup code or password: which one is not told to anybody, so that whoever guesses does not learn that he is close. Look at each once more. A newer code replaces an older one.',
};

const hash = location.hash;
// A key must not stay in the history of a browser.
if (hash !== '') history.replaceState(null, '', location.pathname);
onSubmit(byId<HTMLFormElement>('by-code'), pickUp);
byId('file').addEventListener('change', () => void readFile());
await startPage();
setUpReveal();
byId<HTMLInputElement>('account').value =
  new URLSearchParams(location.search).get('account')?.slice(0, 32) ?? '';
pageIsReady();
if (hash.startsWith('#record=')) await found(() => readRecordText(`${location.origin}/pickup${hash}`));
else if (hash !== '')
  showNotice({
    tone: 'wrong',
    title: 'This link carries no key.',
    text: 'Scan the code on the page “Use your key on another device” once more.',
  });

async function pickUp(): Promise<void> {
  const account = spellAccount(textIn('account'));
  const code = textIn('code');
  const password = byId<HTMLInputElement>('password');
  if (account === '') return setFieldError('account', 'Type your account name.');
  if (code === '') return setFieldError('code', 'Type the code that you made on the other device.');
  if (/^[0-9a-z]{29}$/i.test(code.replace(/[\s-]/g, '')))
    return setFieldError(
      'code',
      'This is a disabling code, which switches a key off. The pickup code has 8 characters.',
    );
  if (password.value === '') return setFieldError('password', 'Type your password.');
  await perform({
    title: 'Picking up the key',
    scheme: 'retrieve',
    refused: UNKNOWN_KEY,
    wrongPassword: ONE_OF_THREE,
    act: async () => {
      const device = await Device.roam({ ...DEVICE, ...ROAM, account, code });
      await device.unlock(password.value);
      if (byId<HTMLInputElement>('keep').checked)
        await keep({ account, purpose: 'login', record: device.record });
      await enter(device, account, password.value);
    },
  });
}

async function readFile(): Promise<void> {
  const [file] = byId<HTMLInputElement>('file').files ?? [];
  setFieldError('file');
  if (file) await found(() => readText(file).then(readRecordText));
}

async function readText(file: File): Promise<string> {
  if (file.size > MAX_FILE)
    throw new RoamingKeyError('bad_record', `“${file.name}” is too large for a key file`);
  if (!file.type.startsWith('image/')) return file.text();
  const text = await readQr(file);
  if (text === undefined)
    throw new RoamingKeyError(
      'bad_record',
      'no QR code can be read in this picture: take it closer and straight',
    );
  if (!/\/(pickup|lost)#/.test(text))
    throw new RoamingKeyError('bad_record', 'this QR code is not one of Inkwell’s');
  return text;
}

/** Shows what was brought, or why it cannot be used. */
async function found(read: () => Promise<CarriedRecord>): Promise<void> {
  let carried: CarriedRecord;
  let isNewer: boolean;
  try {
    carried = await read();
    // Another assistant's record is refused here, before anybody types a password for it.
    deviceOn(carried.record, carried.purpose);
    const here = await recordHere(carried.purpose, carried.account).catch(() => undefined);
    isNewer = here === undefined || here.ticket !== carried.record.ticket;
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    const { title, text } = explain(error);
    setFieldError('file', `${title} ${text}`);
    return;
  }
  const { account, purpose, record } = carried;
  byId('found-name').textContent = account;
  byId<HTMLInputElement>('found-account').value = account;
  const isLogin = purpose === 'login';
  byId('found-what').textContent = isLogin
    ? `${kindOf(record.jwk)}, for logging in. ${isNewer ? 'Your password shows that it is yours.' : 'This browser has it already.'}`
    : `${kindOf(record.jwk)}, shared with the assistant, for ${purpose === 'sign' ? 'signing' : 'notes'}. Its password is asked for when it is used.`;
  byId('found-password-field').hidden = !isLogin;
  byId('found-enter').textContent = isLogin ? 'Log in' : 'Keep it on this device';
  if (!isLogin) (byId('found-keep').parentElement as HTMLElement).hidden = true;
  showOnly('part-found', ...PARTS);
  onSubmit(byId<HTMLFormElement>('take'), () => take(carried));
}

async function take(carried: CarriedRecord): Promise<void> {
  const { account, purpose, record } = carried;
  const password = byId<HTMLInputElement>('found-password');
  if (purpose !== 'login') {
    try {
      await keep(carried);
    } catch (error) {
      showNotice(explain(error));
      return;
    }
    location.assign(purpose === 'sign' ? '/sign' : '/notes');
    return;
  }
  if (password.value === '') return setFieldError('found-password', 'Type your password.');
  await perform({
    title: 'Bringing a key',
    scheme: record.scheme,
    progress: byId('progress-found'),
    refused: UNKNOWN_KEY,
    act: async () => {
      const device = deviceOn(record, 'login');
      // Kept only once it has opened: it must not take the place of a record that works.
      if (record.scheme === 'retrieve') await device.unlock(password.value);
      if (byId<HTMLInputElement>('found-keep').checked)
        await keep({ account, purpose, record: device.record });
      await enter(device, account, password.value);
    },
  });
}

async function keep({ account, purpose, record }: CarriedRecord): Promise<void> {
  await records.save(recordName(purpose, account), record);
}
