import { byId, count, formatTime, h, onSubmit, pageIsReady, setFieldError, svg, textIn } from '../dom.ts';
import { showNotice } from '../notice.ts';

interface Counters {
  readonly since: number;
  readonly now: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly recent: readonly { readonly at: number; readonly type: string; readonly what: string }[];
  readonly minutes: readonly { readonly helped: number; readonly failed: number }[];
  readonly health: { readonly status: string; readonly store: string };
  readonly keys: readonly { readonly kid: string; readonly kty: string; readonly alg: string }[];
}

const TOKEN = 'operator:token';
const EVERY = 2000;
/** The tiles: event types that are added up, and their caption. */
const TILES: readonly [string, readonly string[], string?][] = [
  ['helped', ['assisted']],
  ['wrong passwords', ['wrongPassword'], 'wait'],
  ['told to wait', ['locked', 'busy'], 'wait'],
  ['keys disabled', ['disabled'], 'stop'],
  ['turned away', ['rejected', 'replayed', 'refusedDisabled', 'refusedRetired', 'refusedByPolicy']],
  ['failures', ['unavailable'], 'stop'],
];
const WORDS: Record<string, string> = {
  assisted: 'helped',
  wrongPassword: 'wrong password',
  locked: 'told to wait',
  busy: 'told to wait',
  disabled: 'key disabled',
  retired: 'ticket retired',
  rejected: 'turned away',
  replayed: 'turned away: seen before',
  refusedDisabled: 'turned away: disabled',
  refusedRetired: 'turned away: retired',
  refusedByPolicy: 'turned away by policy',
  unavailable: 'could not answer',
};

if (location.hash.length > 1) {
  sessionStorage.setItem(TOKEN, location.hash.slice(1));
  history.replaceState(null, '', location.pathname);
}
onSubmit(byId<HTMLFormElement>('token-form'), async () => {
  if (textIn('token') === '') return setFieldError('token', 'Type the token.');
  sessionStorage.setItem(TOKEN, textIn('token'));
  await refresh();
});
pageIsReady();
void loop();

async function loop(): Promise<void> {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

async function refresh(): Promise<void> {
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) return askForToken();
  try {
    const response = await fetch('/operator/counters', { headers: { authorization: `Bearer ${token}` } });
    if (response.status === 403) {
      sessionStorage.removeItem(TOKEN);
      askForToken();
      setFieldError('token', 'This is not the token of this assistant; a new one is made at each start.');
      return;
    }
    draw((await response.json()) as Counters);
    showNotice(undefined);
  } catch {
    showNotice({
      tone: 'offline',
      title: 'The assistant does not answer.',
      text: 'Numbers are from before. This page goes on asking.',
    });
  }
}

function askForToken(): void {
  byId('token-form').hidden = false;
  byId('board').hidden = true;
}

function draw({ since, now, counts, recent, minutes, health, keys }: Counters): void {
  byId('token-form').hidden = true;
  byId('board').hidden = false;
  const isWell = health.status === 'ok';
  byId('health').textContent =
    `${isWell ? 'In good health' : `In trouble: store ${health.store}`}, up for ${formatSpan(now - since)}`;
  byId('health').dataset['tone'] = isWell ? 'done' : 'stop';
  byId('counters').replaceChildren(
    ...TILES.map(([caption, types, tone]) => {
      const sum = types.reduce((all, type) => all + (counts[type] ?? 0), 0);
      return h(
        'div',
        { 'data-tone': sum > 0 && tone },
        h('dt', {}, caption),
        h('dd', {}, sum.toLocaleString('en')),
      );
    }),
  );
  byId('chart').replaceChildren(drawChart(minutes));
  byId('recent').replaceChildren(
    ...(recent.length > 0
      ? recent
          .slice(0, 8)
          .map(({ at, type, what }) =>
            h(
              'li',
              {},
              h('span', { class: 'list-main' }, h('strong', {}, WORDS[type] ?? type), h('span', {}, what)),
              h('span', { class: 'hint' }, formatTime(at)),
            ),
          )
      : [h('li', { class: 'empty' }, 'Nothing since the start.')]),
  );
  byId('keys').replaceChildren(
    ...keys.map(({ kid, kty, alg }, i) =>
      h(
        'li',
        {},
        h(
          'span',
          { class: 'list-main' },
          h('strong', {}, i === 0 ? 'active' : 'retiring'),
          h('span', {}, `${kty}, ${alg}`),
        ),
        h('code', { class: 'print' }, kid.slice(0, 8)),
      ),
    ),
  );
}

/** Two bars a minute: helped above the line, wrong passwords below. */
function drawChart(minutes: Counters['minutes']): SVGSVGElement {
  const most = Math.max(4, ...minutes.flatMap(({ helped, failed }) => [helped, failed]));
  const scale = (value: number) => (value / most) * 44;
  const helped = minutes.reduce((sum, minute) => sum + minute.helped, 0);
  const failed = minutes.reduce((sum, minute) => sum + minute.failed, 0);
  const bars = minutes.flatMap((minute, i) => {
    const x = i * 20 + 3;
    return [
      svg('rect', {
        class: 'bar',
        x,
        y: 50 - scale(minute.helped),
        width: 14,
        height: scale(minute.helped),
        rx: 2,
      }),
      svg('rect', { class: 'bar bad', x, y: 52, width: 14, height: scale(minute.failed), rx: 2 }),
    ];
  });
  const label = `${count(helped, 'time', 'times')} helped, ${count(failed, 'time', 'times')} refused for a wrong password, in 30 minutes`;
  return svg(
    'svg',
    { class: 'chart', viewBox: '0 0 600 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    svg('line', { x1: 0, y1: 51, x2: 600, y2: 51 }),
    ...bars,
  );
}

function formatSpan(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
