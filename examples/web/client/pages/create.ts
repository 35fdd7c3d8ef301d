import {
  type Device,
  type EnrollOptions,
  type Enrolment,
  enroll,
  isRoamingKeyError,
} from 'passport-roaming-key/device';
import { ask } from '../api.ts';
import { drawNavigation, startPage, tellTabs } from '../chrome.ts';
import { KDF } from '../config.ts';
import { byId, onSubmit, pageIsReady, setFieldError, setUpReveal, showOnly, textIn } from '../dom.ts';
import { DEVICE, deviceOn, LOGIN, REGISTER, recordName, records, spellAccount } from '../keys.ts';
import { showKit } from '../kit.ts';
import { MIN_SCORE, setUpMeter } from '../meter.ts';
import { showNotice } from '../notice.ts';
import { perform } from '../perform.ts';

const DRAFT = 'inkwell:draft';
const PARTS = ['part-details', 'part-kit', 'part-done'];
/** For how long the new key is held while the kit is being kept, in seconds. */
const KIT_TIME = 1800;

type Kind = 'Ed25519' | 'P-256' | 'RSA-2048';

onSubmit(byId<HTMLFormElement>('details'), submitDetails);
const known = await startPage();
setUpReveal();
const meter = setUpMeter('password', () => [textIn('account'), 'inkwell']);
if (known?.account)
  showNotice({
    tone: 'info',
    title: `You are logged in as ${known.account}.`,
    text: 'A new account is a new name with a new key. Sign out first if it is not meant for you.',
    action: { label: 'Go to your account', href: '/home' },
  });
resumeDraft();
byId('details').addEventListener('change', () => {
  byId('kind-name').textContent = kindChosen() === 'RSA-2048' ? 'RSA, shared' : kindChosen();
});
pageIsReady();

function kindChosen(): Kind {
  return new FormData(byId<HTMLFormElement>('details')).get('kind') as Kind;
}

/** Whoever reloads before the kit is kept begins anew, since a kit is shown once; nothing has been made by then. */
function resumeDraft(): void {
  const name = sessionStorage.getItem(DRAFT);
  if (name === null) return;
  sessionStorage.removeItem(DRAFT);
  byId<HTMLInputElement>('account').value = name;
  showNotice({
    tone: 'info',
    title: 'Your account was not made yet.',
    text: 'The page was left before the kit was kept, so its key was thrown away. Nothing is lost: choose the password again.',
  });
}

async function submitDetails(): Promise<void> {
  const account = spellAccount(textIn('account'));
  const password = byId<HTMLInputElement>('password').value;
  if (!(await isFree(account, 'account'))) return;
  const rating = await meter.rating();
  if (password === '') return setFieldError('password', 'Choose a password.');
  if (rating && rating.score < MIN_SCORE)
    return setFieldError('password', 'Too easy to guess. Make it longer: four or five uncommon words do.');
  const kind = kindChosen();
  const scheme = kind === 'RSA-2048' ? 'rsa' : 'retrieve';
  const made = await perform({
    title: 'Making a key',
    scheme,
    act: async () => {
      const enrolment = await enroll({ ...DEVICE, password, kdf: KDF, scheme, key: kind } as EnrollOptions);
      const device = deviceOn(enrolment.record, 'login');
      // Before anything depends on it: that the key opens. It stays open until the kit is kept.
      if (scheme === 'rsa') await device.unlockShared(password, { forSeconds: KIT_TIME });
      else await device.unlock(password, { forSeconds: KIT_TIME });
      return { enrolment, device };
    },
  });
  if (!made) return;
  byId<HTMLInputElement>('password').value = '';
  sessionStorage.setItem(DRAFT, account);
  showOnly('part-kit', ...PARTS);
  setStep(2);
  await showKit(byId('kit'), { kit: made.enrolment.kit, account, what: 'your key' });
  await finish(account, made.enrolment, made.device, scheme);
}

/** Makes the account: the key is registered, then kept here, then used. */
async function finish(
  account: string,
  enrolment: Enrolment,
  device: Device,
  scheme: 'rsa' | 'retrieve',
  password?: string,
): Promise<void> {
  const isMade = await perform({
    title: 'Making an account',
    scheme,
    progress: byId('progress-kit'),
    refused: {
      tone: 'wrong',
      title: `“${account}” was taken meanwhile.`,
      text: 'Choose another name: your key and its kit stay good.',
    },
    onFailure: (error) => {
      if (isRoamingKeyError(error, 'refused'))
        askAgain('rename', 'other-name', async (name) => {
          const other = spellAccount(name);
          if (await isFree(other, 'other-name')) await finish(other, enrolment, device, scheme, password);
          else return false;
          return true;
        });
      else
        askAgain('again', 'again-password', async (typed) => {
          await finish(account, enrolment, device, scheme, typed);
          return true;
        });
    },
    act: async () => {
      const withPassword = password === undefined ? {} : { password };
      await device.register({ ...REGISTER, account, ...withPassword });
      // From here on the account exists, so the record is kept before anything else can fail.
      const isKept = await keep(account, enrolment);
      await device.login({ ...LOGIN, account, ...withPassword });
      return { isKept };
    },
  });
  if (!isMade) return;
  sessionStorage.removeItem(DRAFT);
  tellTabs('in');
  drawNavigation(account);
  byId('done-name').textContent = account;
  setStep(3);
  showOnly('part-done', ...PARTS);
  if (!isMade.isKept)
    showNotice({
      tone: 'warn',
      title: 'This browser keeps nothing.',
      text: 'It may be a private window. Before you close it, make a pickup code, or you will not be able to log in again.',
      action: { label: 'Make a pickup code', href: '/devices' },
    });
}

async function keep(account: string, { record }: Enrolment): Promise<boolean> {
  try {
    await records.save(recordName('login', account), record);
    // So that the browser does not clear it by itself when it needs room.
    await navigator.storage?.persist?.();
    return true;
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    sessionStorage.setItem('inkwell:unsaved', JSON.stringify({ account, record }));
    return false;
  }
}

/** Shows a form with one field, once more if it was not enough. */
function askAgain(formId: string, inputId: string, act: (typed: string) => Promise<boolean>): void {
  const form = byId<HTMLFormElement>(formId);
  form.hidden = false;
  byId(inputId).focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    const typed = byId<HTMLInputElement>(inputId).value;
    if (typed === '') return setFieldError(inputId, 'This is needed.');
    form.hidden = true;
    void act(typed).then((isDone) => {
      if (!isDone) form.hidden = false;
    });
  };
}

async function isFree(name: string, field: string): Promise<boolean> {
  if (name.length < 2) {
    setFieldError(field, 'Choose a name of at least two letters.');
    return false;
  }
  const found = await perform({
    title: 'Looking up a name',
    scheme: 'retrieve',
    progress: null,
    act: () => ask<{ isName: boolean; isTaken: boolean }>(`/api/names/${encodeURIComponent(name)}`),
  });
  if (!found) return false;
  if (!found.isName)
    setFieldError(field, 'Use letters, digits, dots and dashes, beginning with a letter or digit.');
  else if (found.isTaken)
    setFieldError(field, `“${name}” is taken. Choose another name, or log in if it is you.`);
  return found.isName && !found.isTaken;
}

function setStep(step: number): void {
  for (const i of [1, 2, 3]) {
    byId(`step-${i}`).toggleAttribute('aria-current', false);
    if (i === step) byId(`step-${i}`).setAttribute('aria-current', 'step');
    byId(`step-${i}`).dataset['done'] = String(i < step);
  }
}
