import {
  type DisablingKit,
  disable,
  isRoamingKeyError,
  kitFromCode,
  parseKit,
  RoamingKeyError,
} from 'passport-roaming-key/device';
import { ask } from '../api.ts';
import { startPage, tellTabs } from '../chrome.ts';
import { ASSISTANT } from '../config.ts';
import { byId, count, h, onSubmit, pageIsReady, setFieldError, showOnly, textIn } from '../dom.ts';
import { DEVICE } from '../keys.ts';
import { sign } from '../notice.ts';
import { perform } from '../perform.ts';
import { readQr } from '../qr.ts';

const MAX_FILE = 20 * 1024 * 1024;

// A link from a printed kit has its code behind #, where no server sees it.
const linked = decodeURIComponent(location.hash.slice(1));
if (linked !== '') {
  history.replaceState(null, '', location.pathname);
  byId<HTMLTextAreaElement>('code').value = linked.slice(0, 64);
}
void startPage();
onSubmit(byId<HTMLFormElement>('by-code'), submit);
pageIsReady();

async function submit(): Promise<void> {
  const files = [...(byId<HTMLInputElement>('file').files ?? [])];
  const typed = textIn('code');
  if (files.length === 0 && typed === '')
    return setFieldError('code', 'Type the code, or choose the kit’s file.');
  let kits: DisablingKit[];
  try {
    kits = typed === '' ? await Promise.all(files.map(readKit)) : [readCode(typed)];
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    const text = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
    return setFieldError(typed === '' ? 'file' : 'code', text);
  }
  const isRead = await perform({
    title: 'Disabling a key',
    scheme: 'retrieve',
    act: async () => {
      for (const kit of kits) await disable(kit, DEVICE);
      // Inkwell would see it by itself in seconds; there is no reason to wait.
      return ask('/api/disabled/refresh', { method: 'POST', body: {} }).then(
        () => true,
        () => false,
      );
    },
  });
  if (isRead === undefined) return;
  const what = kits.length > 1 ? `${count(kits.length, 'key')} are` : 'the key is';
  byId('checks').replaceChildren(
    h(
      'li',
      {},
      sign('done'),
      h(
        'span',
        {},
        h('strong', {}, 'The assistant has confirmed it'),
        ` in a sealed answer: it will never help with ${kits.length > 1 ? 'them' : 'it'} again.`,
      ),
    ),
    isRead
      ? h(
          'li',
          {},
          sign('done'),
          h(
            'span',
            {},
            h('strong', {}, `Inkwell knows that ${what} disabled`),
            ' and has ended its sessions.',
          ),
        )
      : h(
          'li',
          {},
          sign('wait'),
          h(
            'span',
            {},
            h('strong', {}, 'Inkwell did not answer.'),
            ' It reads the assistant’s list by itself, and will end the sessions within seconds of being back.',
          ),
        ),
  );
  tellTabs('out');
  showOnly('part-done', 'part-ask', 'part-done');
}

function readCode(typed: string): DisablingKit {
  const link = /\/lost#([\w-]+)$/.exec(typed);
  if (/^[0-9a-z]{8}$/i.test(typed.replace(/[\s-]/g, '')))
    throw new RoamingKeyError(
      'bad_kit',
      'this looks like a pickup code, which brings a key to a device. The disabling code has 29 characters',
    );
  return kitFromCode(link?.[1] ?? typed, ASSISTANT);
}

async function readKit(file: File): Promise<DisablingKit> {
  if (file.size > MAX_FILE) throw new RoamingKeyError('bad_kit', `“${file.name}” is too large for a kit`);
  if (file.type.startsWith('image/')) {
    const text = await readQr(file);
    if (text === undefined)
      throw new RoamingKeyError(
        'bad_kit',
        'no QR code can be read in this picture: take it closer and straight, or type the code',
      );
    if (/\/pickup#record=/.test(text))
      throw new RoamingKeyError(
        'bad_kit',
        'this QR code carries a key to another device. The kit’s own is on its printout',
      );
    if (!/\/lost#/.test(text))
      throw new RoamingKeyError('bad_kit', 'this QR code is not one of a disabling kit');
    return readCode(text);
  }
  const value = parse(await file.text());
  if (typeof value === 'object' && value !== null && 'record' in value)
    throw new RoamingKeyError(
      'bad_kit',
      `“${file.name}” is a key file, which brings a key to a device. The kit is another file`,
    );
  const kit = parseKit(value);
  if (new URL(kit.assistant.url).href !== new URL(ASSISTANT).href)
    throw new RoamingKeyError(
      'bad_kit',
      `this kit is for another assistant, ${new URL(kit.assistant.url).host}: use it with the app that it was made by. Nothing was sent`,
    );
  return kit;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
