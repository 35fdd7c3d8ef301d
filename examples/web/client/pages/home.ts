import 'passport-roaming-key/ui';
import { type Session, type SessionKey, thumbprintOf } from 'passport-roaming-key/ui/flows';
import { ask } from '../api.ts';
import { clockNotice, flash, startPage, tellTabs } from '../chrome.ts';
import { byId, count, formatTime, h, onClick, pageIsReady } from '../dom.ts';
import { explain } from '../errors.ts';
import { recordHere } from '../keys.ts';
import { showNotice, sign } from '../notice.ts';

const PURPOSES = { login: 'Logs in', sign: 'Signs messages', notes: 'Reads notes' } as const;
const EVENTS: Readonly<Record<string, readonly [Parameters<typeof sign>[0], string]>> = {
  created: ['done', 'Account made'],
  login: ['done', 'Logged in'],
  key: ['info', 'Key added'],
  pickup: ['info', 'Key picked up'],
  kit: ['stop', 'Kit used: a key is off'],
  ended: ['stop', 'A login was ended: its key is off'],
};

interface TimelineEvent {
  readonly at: number;
  readonly type: string;
  readonly agent: string;
}

onClick('out', () => logOut('/api/logout', 'You are logged out.'));
onClick('out-everywhere', () => logOut('/data/logout/everywhere', 'You are logged out everywhere.'));
const known = await startPage({ needsSession: true });
if (known?.account) {
  const { account, since, sessions, jkt } = known;
  byId('name').textContent = account;
  document.title = `${account} – Inkwell`;
  byId('kit-card').append(h('roaming-key-kit' as 'div', { account }));
  const { keys } = await ask<Session>('/api/session');
  byId('keys').append(...(await Promise.all(keys.map((key) => drawKey(key, account, jkt)))));
  const others = sessions - 1;
  byId('session').textContent =
    `Logged in at ${formatTime(since)}. ${others > 0 ? `You have ${count(others, 'other login')}.` : 'It is your only one.'}`;
  const clock = clockNotice();
  if (clock && byId('notice').childElementCount === 0) showNotice(clock);
  void drawTimeline();
}
pageIsReady();

async function drawKey(key: SessionKey, account: string, opened: string | undefined): Promise<HTMLElement> {
  const { purpose, kind, jkt, at, isDisabled, isSuspended } = key;
  const here = await recordHere(purpose, account).catch(() => undefined);
  const isHere = here !== undefined && (await thumbprintOf(here.jwk)) === jkt;
  const badges = [
    isDisabled && h('span', { class: 'badge', 'data-tone': 'stop' }, 'off'),
    isSuspended && h('span', { class: 'badge', 'data-tone': 'wait' }, 'on hold'),
    isHere && h('span', { class: 'badge' }, 'on this device'),
    jkt === opened && h('span', { class: 'badge', 'data-tone': 'done' }, 'this login'),
  ];
  return h(
    'li',
    { 'data-disabled': isDisabled },
    h(
      'span',
      { class: 'list-main' },
      h('strong', {}, PURPOSES[purpose]),
      h('span', {}, at === undefined ? kind : `${kind}, since ${formatTime(at)}`),
    ),
    h('span', { class: 'badges' }, ...badges),
    h('code', { class: 'print', title: 'Fingerprint of the public key' }, jkt.slice(0, 8)),
  );
}

async function drawTimeline(): Promise<void> {
  const { events } = await ask<{ events: TimelineEvent[] }>('/data/timeline').catch(() => ({ events: [] }));
  byId('timeline').replaceChildren(
    ...events.map(({ at, type, agent }) => {
      const [tone, text] = EVENTS[type] ?? ['info', type];
      const isNow = Date.now() / 1000 - at < 60;
      return h(
        'li',
        {},
        sign(tone),
        h('span', { class: 'list-main' }, h('strong', {}, text), h('span', {}, agent)),
        h('span', { class: 'hint' }, isNow ? 'just now' : formatTime(at)),
      );
    }),
  );
}

async function logOut(path: string, title: string): Promise<void> {
  try {
    await ask(path, { method: 'POST', body: {} });
  } catch (error) {
    showNotice(explain(error));
    return;
  }
  tellTabs('out');
  flash({ tone: 'done', title, text: 'Your key stays on this device, locked.' });
  location.assign('/');
}
