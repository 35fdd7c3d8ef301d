import { type Device, encryptTo, isRoamingKeyError } from 'passport-roaming-key/device';
import { thumbprintOf } from 'passport-roaming-key/ui/flows';
import { ask, type KnownKey, type Note } from '../api.ts';
import { startPage } from '../chrome.ts';
import { byId, formatTime, h, onSubmit, pageIsReady, setFieldError, setUpReveal, textIn } from '../dom.ts';
import { explain } from '../errors.ts';
import { openDevice, recordHere, spellAccount } from '../keys.ts';
import { showNotice } from '../notice.ts';
import { perform } from '../perform.ts';
import { makeSharedKey } from '../shared-key.ts';

/** For how long notes can be opened without the password, in seconds. */
const OPEN_SECONDS = 300;

onSubmit(byId<HTMLFormElement>('new'), make);
onSubmit(byId<HTMLFormElement>('write'), write);
onSubmit(byId<HTMLFormElement>('unlock'), unlock);
const known = await startPage({ needsSession: true });
const account = known?.account ?? '';
let device: Device | undefined;
/** The note that waits for the password. */
let wanted: { note: Note; place: HTMLElement } | undefined;
let ticking: ReturnType<typeof setInterval> | undefined;
setUpReveal();
if (account !== '') {
  byId<HTMLInputElement>('account').value = account;
  byId('part-write').hidden = false;
  await show();
  byId('lock').addEventListener('click', lock);
}
pageIsReady();

async function show(): Promise<void> {
  try {
    const hasKey = (await recordHere('notes', account)) !== undefined;
    // A second device is told where the key is, and not offered another one.
    const isElsewhere =
      !hasKey && known?.keys.some(({ purpose, isDisabled }) => purpose === 'notes' && !isDisabled) === true;
    if (isElsewhere)
      showNotice({
        tone: 'info',
        title: 'Your key for notes is on another device.',
        text: 'Make a new pickup code there: it brings all your keys along. A key file does, too.',
        action: { label: 'Bring my key here', href: '/pickup' },
      });
    byId('part-new').hidden = hasKey || isElsewhere;
    byId('part-inbox').hidden = !hasKey;
    if (hasKey) await drawInbox();
  } catch (error) {
    showNotice(explain(error));
  }
}

async function make(): Promise<void> {
  if (await makeSharedKey({ purpose: 'notes', account })) await show();
}

async function drawInbox(): Promise<void> {
  const { notes } = await ask<{ notes: Note[] }>('/data/notes');
  const here = await recordHere('notes', account);
  const print = here && (await thumbprintOf(here.jwk));
  const isForHere = (note: Note) => note.key === '' || note.key === print;
  const rows = notes.map((note) => {
    const place = h('div', { class: 'note-place' });
    return h(
      'li',
      { 'data-note': note.id },
      h(
        'span',
        { class: 'list-main' },
        h('strong', {}, note.from),
        h('span', {}, formatTime(note.at)),
        note.key !== '' && h('span', {}, ', for key ', h('code', {}, note.key.slice(0, 8))),
      ),
      h(
        'span',
        { class: 'row tight' },
        // A note for an earlier key stays closed here, and says so before a password is asked for.
        isForHere(note) &&
          h(
            'button',
            {
              class: 'small',
              'data-read': note.id,
              'aria-label': `Read the note from ${note.from}`,
              click: () => void read(note, place),
            },
            'Read',
          ),
        h(
          'button',
          {
            class: 'small',
            'aria-label': `Delete the note from ${note.from}`,
            click: () => void remove(note),
          },
          'Delete',
        ),
      ),
      isForHere(note)
        ? place
        : h(
            'p',
            { class: 'hint' },
            `Your key on this device is ${(print ?? '').slice(0, 8)}: it does not open this note.`,
          ),
    );
  });
  byId('inbox').replaceChildren(
    ...(rows.length > 0
      ? rows
      : [h('li', { class: 'empty' }, 'Nobody has written yet. Try it: send a note to yourself.')]),
  );
}

/** Opens a note; asks for the password first where the key is locked. */
async function read(note: Note, place: HTMLElement): Promise<void> {
  wanted = { note, place };
  if (!device?.isUnlocked) {
    byId('unlock').hidden = false;
    byId('password').focus();
    return;
  }
  await open(device);
}

async function unlock(): Promise<void> {
  const input = byId<HTMLInputElement>('password');
  if (input.value === '') return setFieldError('password', 'Type the password of your key for notes.');
  const opened = await openDevice('notes', account);
  device = opened;
  await open(opened, input.value);
  input.value = '';
}

async function open(opened: Device, password?: string): Promise<void> {
  const asked = wanted;
  if (!asked) return;
  const { note, place } = asked;
  const text = await perform({
    title: 'Opening a note',
    scheme: 'elgamal',
    onFailure: (error) => {
      if (isRoamingKeyError(error, 'wrong_password', 'not_unlocked')) {
        lock();
        byId('unlock').hidden = false;
        byId('password').focus();
      }
    },
    act: async () => {
      if (password !== undefined) await opened.unlockShared(password, { forSeconds: OPEN_SECONDS });
      return new TextDecoder().decode(await opened.decrypt(note.jwe));
    },
  });
  if (text === undefined) return;
  byId('unlock').hidden = true;
  if (password !== undefined) showOpen();
  place.replaceChildren(h('blockquote', { tabindex: '-1' }, text));
  place.querySelector('blockquote')?.focus();
}

function showOpen(): void {
  const until = Date.now() + OPEN_SECONDS * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) return lock();
    byId('open-text').textContent =
      `Open for ${left >= 60 ? `${Math.ceil(left / 60)} min` : `${left} s`}: no password is needed until then.`;
  };
  clearInterval(ticking);
  ticking = setInterval(tick, 1000);
  tick();
  byId('open').hidden = false;
}

function lock(): void {
  clearInterval(ticking);
  device?.lock();
  byId('open').hidden = true;
  for (const place of document.querySelectorAll('.note-place')) place.replaceChildren();
}

async function remove(note: Note): Promise<void> {
  try {
    await ask(`/data/notes/${note.id}`, { method: 'DELETE' });
    await drawInbox();
  } catch (error) {
    showNotice(explain(error));
  }
}

async function write(): Promise<void> {
  const to = spellAccount(textIn('to'));
  const text = byId<HTMLTextAreaElement>('text');
  if (to === '') return setFieldError('to', 'Who is it for?');
  if (text.value.trim() === '') return setFieldError('text', 'Write something.');
  const sent = await perform({
    title: 'Sealing a note',
    scheme: 'elgamal',
    progress: byId('progress-write'),
    act: async () => {
      const { keys } = await ask<{ keys: KnownKey[] }>(`/data/people/${encodeURIComponent(to)}/keys`);
      const key = keys.find(({ purpose, isDisabled }) => purpose === 'notes' && !isDisabled);
      if (!key) return { key: undefined };
      await ask('/data/notes', {
        body: { to, jwe: await encryptTo(key.jwk, new TextEncoder().encode(text.value)), key: key.jkt },
      });
      return { key };
    },
  });
  if (!sent) return;
  if (!sent.key)
    return setFieldError(
      'to',
      `“${to}” has no key for notes. Is the name right? They make one on this page.`,
    );
  text.value = '';
  showNotice({
    tone: 'done',
    title: `Sealed for ${to}, and on its way.`,
    text: `Only the key with the fingerprint ${sent.key.jkt.slice(0, 8)} opens it: not Inkwell${to === account ? '' : ', and not you'}.`,
  });
  if (to === account) await show();
}
