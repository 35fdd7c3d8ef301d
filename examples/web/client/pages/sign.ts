import { startPage } from '../chrome.ts';
import { byId, formatMoment, h, onSubmit, pageIsReady, setFieldError, setUpReveal, textIn } from '../dom.ts';
import { explain } from '../errors.ts';
import { openDevice, recordHere } from '../keys.ts';
import { sign as drawSign, showNotice } from '../notice.ts';
import { perform } from '../perform.ts';
import { makeSharedKey } from '../shared-key.ts';
import {
  readSigned,
  type SignedMessage,
  type Verdict,
  verifySigned,
  writeSigned,
} from '../signed-message.ts';

onSubmit(byId<HTMLFormElement>('verify'), check);
onSubmit(byId<HTMLFormElement>('new'), make);
onSubmit(byId<HTMLFormElement>('sign'), sign);
const known = await startPage();
const account = known?.account ?? '';
setUpReveal();
byId('copy').addEventListener(
  'click',
  () => void navigator.clipboard.writeText(textIn('signed')).catch(() => {}),
);
// The verdict follows every key that is pressed.
byId('signed').addEventListener('input', () => void judge());
if (known && account === '')
  showNotice({
    tone: 'info',
    title: 'You can check messages here.',
    text: 'To sign one, log in.',
    action: { label: 'Log in', href: '/login?next=/sign' },
  });
if (account !== '') {
  byId<HTMLInputElement>('account').value = account;
  await show();
}
pageIsReady();

async function show(): Promise<void> {
  try {
    const hasKey = (await recordHere('sign', account)) !== undefined;
    const isElsewhere =
      !hasKey && known?.keys.some(({ purpose, isDisabled }) => purpose === 'sign' && !isDisabled) === true;
    if (isElsewhere)
      showNotice({
        tone: 'info',
        title: 'Your signing key is on another device.',
        text: 'Make a new pickup code there: it brings all your keys along. Or sign there.',
        action: { label: 'Bring my key here', href: '/pickup' },
      });
    byId('part-new').hidden = hasKey || isElsewhere;
    byId('part-sign').hidden = !hasKey;
  } catch (error) {
    showNotice(explain(error));
  }
}

async function make(): Promise<void> {
  const isMade = await makeSharedKey({ purpose: 'sign', account });
  if (!isMade) return;
  await show();
  byId('message').focus();
}

async function sign(): Promise<void> {
  const text = byId<HTMLTextAreaElement>('message').value;
  const password = byId<HTMLInputElement>('password');
  if (text.trim() === '') return setFieldError('message', 'Write something to sign.');
  if (password.value === '') return setFieldError('password', 'Type the password of your signing key.');
  const signed = await perform({
    title: 'Signing a message, and checking it',
    scheme: 'ed25519',
    onFailure: () => {
      password.value = '';
      password.focus();
    },
    act: async () => {
      const device = await openDevice('sign', account);
      const payload = JSON.stringify({ by: account, at: known?.now ?? 0, text });
      const jws = await device.signJws(payload, {
        password: password.value,
        header: { typ: 'inkwell-message' },
      });
      const signed = writeSigned(jws);
      return { signed, verdict: await verifySigned(readSigned(signed) as SignedMessage) };
    },
  });
  if (!signed) return;
  password.value = '';
  byId<HTMLTextAreaElement>('signed').value = signed.signed;
  byId('copy').hidden = false;
  draw(signed.verdict);
}

async function check(): Promise<void> {
  const text = byId<HTMLTextAreaElement>('signed').value.trim();
  if (text === '') return setFieldError('signed', 'Paste a signed message.');
  const message = readSigned(text);
  if (!message)
    return setFieldError('signed', 'This is not a message signed with Inkwell, or a part of it is missing.');
  const verdict = await perform({
    title: 'Checking a signature',
    scheme: 'ed25519',
    progress: null,
    act: () => verifySigned(message),
  });
  if (verdict) draw(verdict);
}

let judged = 0;

/** Shows whether what stands in the field now is genuine; only the last answer counts. */
async function judge(): Promise<void> {
  const turn = ++judged;
  const message = readSigned(byId<HTMLTextAreaElement>('signed').value);
  const verdict = message && (await verifySigned(message).catch(() => undefined));
  if (turn !== judged) return;
  if (verdict) draw(verdict);
  else byId('verdict').replaceChildren();
}

function draw({ isGenuine, by, at, text, reason, isDisabled }: Verdict): void {
  byId('verdict').replaceChildren(
    h(
      'div',
      { class: 'verdict', 'data-tone': isGenuine ? 'done' : 'stop' },
      drawSign(isGenuine ? 'done' : 'stop'),
      h(
        'div',
        {},
        h('strong', {}, isGenuine ? `Signed by ${by}` : 'Not genuine'),
        h('p', {}, isGenuine ? `${formatMoment(at)}, and not a letter was changed since.` : reason),
        isGenuine &&
          isDisabled &&
          h(
            'p',
            {},
            'The key has been disabled since. Signatures that were made before stay good; its owner may tell you whether this is one.',
          ),
        isGenuine && h('blockquote', {}, text),
      ),
    ),
  );
}
