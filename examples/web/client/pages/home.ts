import { RecordServiceClient } from 'passport-roaming-key/device';
import { ask, type KnownKey } from '../api.ts';
import { clockNotice, flash, startPage, tellTabs } from '../chrome.ts';
import { byId, count, formatTime, h, onClick, pageIsReady } from '../dom.ts';
import { explain } from '../errors.ts';
import { DEVICE, kindOf, ROAM, recordHere } from '../keys.ts';
import { showNotice } from '../notice.ts';

const PURPOSES = { login: 'Logs in', sign: 'Signs messages', notes: 'Reads notes' } as const;

onClick('out', () => signOut('/logout', 'You are signed out.'));
onClick('out-everywhere', () => signOut('/api/logout/everywhere', 'You are signed out everywhere.'));
const known = await startPage({ needsSession: true });
if (known?.account) {
  const { account, since, sessions, jkt } = known;
  byId('name').textContent = account;
  document.title = `${account} – Inkwell`;
  byId('keys').append(...(await Promise.all(known.keys.map((key) => drawKey(key, account, jkt)))));
  const others = sessions - 1;
  byId('session').textContent =
    `Signed in at ${formatTime(since)}. ${others > 0 ? `You have ${count(others, 'other session')}.` : 'It is your only one.'}`;
  const clock = clockNotice();
  if (clock && byId('notice').childElementCount === 0) showNotice(clock);
  void drawPickups();
}
pageIsReady();

async function drawKey(key: KnownKey, account: string, opened: string | undefined): Promise<HTMLElement> {
  const { purpose, jwk, jkt, at, isDisabled } = key;
  const here = await recordHere(purpose, account).catch(() => undefined);
  const isHere = here !== undefined && sameKey(here.jwk, jwk);
  const badges = [
    isDisabled && h('span', { class: 'badge', 'data-tone': 'stop' }, 'disabled'),
    isHere && h('span', { class: 'badge' }, 'on this device'),
    jkt === opened && h('span', { class: 'badge', 'data-tone': 'done' }, 'this session'),
  ];
  return h(
    'li',
    { 'data-disabled': isDisabled },
    h(
      'span',
      { class: 'list-main' },
      h('strong', {}, PURPOSES[purpose]),
      h(
        'span',
        {},
        `${kindOf(jwk)}${jwk.kty === 'RSA' || purpose === 'notes' ? ', shared' : ''}, since ${formatTime(at)}`,
      ),
    ),
    h('span', { class: 'badges' }, ...badges),
    h('code', { class: 'print', title: 'Fingerprint of the public key' }, jkt.slice(0, 8)),
  );
}

function sameKey(a: object, b: object): boolean {
  const members = (jwk: object) =>
    JSON.stringify(Object.entries(jwk).sort(([one], [other]) => (one < other ? -1 : 1)));
  return members(a) === members(b);
}

async function drawPickups(): Promise<void> {
  const fetches = await new RecordServiceClient(ROAM, DEVICE).fetches().catch(() => []);
  if (fetches.length === 0) return;
  byId('pickups').append(
    ...fetches
      .slice(0, 5)
      .map(({ at, address }) =>
        h(
          'li',
          {},
          h('span', { class: 'list-main' }, formatTime(at)),
          h('code', { class: 'print' }, address),
        ),
      ),
  );
  byId('pickups-section').hidden = false;
}

async function signOut(path: string, title: string): Promise<void> {
  try {
    await ask(path, { method: 'POST', body: {} });
  } catch (error) {
    showNotice(explain(error));
    return;
  }
  tellTabs('out');
  flash({ tone: 'done', title, text: 'Your key stays on this device, locked.' });
  location.assign('/login');
}
