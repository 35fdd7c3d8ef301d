import { type DeviceRecord, parseRecord, RecordServiceClient } from 'passport-roaming-key/device';
import type { Purpose } from '../api.ts';
import { startPage } from '../chrome.ts';
import { byId, download, formatTime, h, onClick, pageIsReady } from '../dom.ts';
import { DEVICE, deviceOn, kindOf, ROAM, recordHere } from '../keys.ts';
import { showNotice } from '../notice.ts';
import { perform } from '../perform.ts';
import { drawQr } from '../qr.ts';
import { recordLink, writeRecordFile } from '../record-file.ts';

const WORDS: Record<Purpose, string> = {
  login: 'Key for logging in',
  sign: 'Key for signing',
  notes: 'Key for notes',
};

onClick('make-code', makeCode);
onClick('remove', remove);
const known = await startPage({ needsSession: true });
const account = known?.account ?? '';
const service = new RecordServiceClient(ROAM, DEVICE);
const login = account === '' ? undefined : ((await load('login')) ?? unsaved());
if (account !== '') {
  await drawCarry();
  await drawStored();
  if (!login) {
    byId<HTMLButtonElement>('make-code').disabled = true;
    showNotice({
      tone: 'info',
      title: 'Your key is not kept on this device.',
      text: 'Make pickup codes where it is. Or bring it here, and say that it shall stay.',
      action: { label: 'Bring my key here', href: '/pickup' },
    });
  }
}
pageIsReady();

function load(purpose: Purpose): Promise<DeviceRecord | undefined> {
  return recordHere(purpose, account).catch(() => undefined);
}

/** The record of an account that was made in a browser that keeps nothing. */
function unsaved(): DeviceRecord | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem('inkwell:unsaved') ?? 'null');
    return kept?.account === account ? parseRecord(kept.record) : undefined;
  } catch {
    return undefined;
  }
}

async function makeCode(): Promise<void> {
  if (!login) return;
  if (login.scheme !== 'retrieve' || kindOf(login.jwk) !== 'Ed25519') {
    showNotice({
      tone: 'info',
      title: `Inkwell keeps no records of ${kindOf(login.jwk)} keys.`,
      text: 'All records there are of one kind, so that nobody can tell who has one. Carry yours as a file or a QR code.',
    });
    return;
  }
  const code = await perform({
    title: 'Storing the record',
    scheme: 'retrieve',
    act: () => deviceOn(login, 'login').storeRecord(),
  });
  if (typeof code !== 'string') return;
  byId('code-place').replaceChildren(
    h(
      'div',
      { class: 'kit', role: 'status' },
      h('p', { class: 'kit-label' }, 'Your pickup code, shown only now'),
      h(
        'p',
        { class: 'kit-code', id: 'pickup-code' },
        h('span', {}, code.slice(0, 4)),
        ' ',
        h('span', {}, code.slice(4)),
      ),
      h(
        'p',
        { class: 'hint' },
        'Open ',
        h('strong', {}, `${location.host}/pickup`),
        ' on the other device. The code is worth nothing without your password; a new one replaces it.',
      ),
    ),
  );
  await drawStored();
}

async function remove(): Promise<void> {
  const isRemoved = await perform({
    title: 'Deleting the record',
    scheme: 'retrieve',
    act: async () => {
      await service.remove();
      return true;
    },
  });
  if (!isRemoved) return;
  byId('code-place').replaceChildren();
  showNotice({ tone: 'done', title: 'Inkwell has deleted your record.', text: 'The pickup code is void.' });
  await drawStored();
}

async function drawStored(): Promise<void> {
  const stored = await service.stored().catch(() => undefined);
  byId('stored').textContent = stored
    ? `Inkwell has kept your record since ${formatTime(stored.at)}.`
    : 'Inkwell keeps no record of yours now.';
  byId('remove').hidden = !stored;
  byId('make-code').textContent = stored ? 'Make a new pickup code' : 'Make a pickup code';
}

async function drawCarry(): Promise<void> {
  const rows: HTMLElement[] = [];
  for (const purpose of ['login', 'sign', 'notes'] as const) {
    const record = purpose === 'login' ? login : await load(purpose);
    if (!record) continue;
    const carried = { account, purpose, record };
    const name = `inkwell-key-${account}-${purpose}.json`;
    rows.push(
      h(
        'li',
        {},
        h('span', { class: 'list-main' }, h('strong', {}, WORDS[purpose]), h('span', {}, kindOf(record.jwk))),
        h(
          'span',
          { class: 'row tight' },
          h(
            'button',
            {
              class: 'small',
              'data-file': purpose,
              'aria-label': `${WORDS[purpose]} as a file`,
              click: () => download(name, writeRecordFile(carried)),
            },
            'File',
          ),
          h(
            'button',
            {
              class: 'small',
              'data-qr': purpose,
              'aria-label': `${WORDS[purpose]} as a QR code`,
              click: () => void showQr(WORDS[purpose], carried),
            },
            'QR code',
          ),
        ),
      ),
    );
  }
  byId('carry').replaceChildren(
    ...(rows.length > 0 ? rows : [h('li', {}, 'There is no key on this device.')]),
  );
}

async function showQr(what: string, carried: Parameters<typeof recordLink>[0]): Promise<void> {
  const place = byId('qr');
  place.replaceChildren(
    await drawQr(await recordLink(carried)),
    h(
      'p',
      { class: 'hint' },
      `${what}: point the other device’s camera here, or save a picture of it. What is in it is not sent to any server.`,
    ),
    h(
      'button',
      {
        class: 'small',
        click: () => {
          place.hidden = true;
        },
      },
      'Hide it',
    ),
  );
  place.hidden = false;
  place.scrollIntoView({ block: 'nearest' });
}
