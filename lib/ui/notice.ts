/** Messages: each tone has a look and a sign of its own, so that no failure passes for another. */
import { h, svg } from './dom.ts';
import type { Context } from './flows/context.ts';
import { CORE_WORDS } from './flows/english/core.ts';
import type { Notice, PageName, Tone } from './flows/explain.ts';
import { fill, type Values } from './flows/words.ts';

/** Drawn on 20 by 20. */
const SIGNS: Record<Tone, string> = {
  wrong:
    'M10 3a4 4 0 0 0-4 4v2H5v8h10V9h-1V7a4 4 0 0 0-4-4zm-2 6V7a2 2 0 1 1 4 0v2zM8.4 11.4l3.2 3.2m0-3.2l-3.2 3.2',
  wait: 'M5 2.5h10M5 17.5h10M6.5 2.5c0 4 3.5 5 3.5 7.5 0-2.5 3.5-3.5 3.5-7.5M6.5 17.5c0-4 3.5-5 3.5-7.5 0 2.5 3.5 3.5 3.5 7.5',
  offline: 'M3 3l14 14M4 9.5a9 9 0 0 1 3-1.9M16 9.5a9 9 0 0 0-5-2.4M6.8 12.5a5 5 0 0 1 2.2-1.3M10 16h.01',
  stop: 'M6.5 2.5h7l4 4v7l-4 4h-7l-4-4v-7zM10 6v5M10 14h.01',
  info: 'M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM10 9v5M10 6h.01',
  done: 'M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM6.5 10.2l2.5 2.5 4.5-5',
  warn: 'M10 3L2.5 16.5h15zM10 8v4M10 14.3h.01',
};

/** The sign of a tone. */
export function sign(tone: Tone): SVGSVGElement {
  return svg(
    'svg',
    { class: 'rk-sign', 'data-tone': tone, viewBox: '0 0 20 20', 'aria-hidden': 'true' },
    svg('path', { d: SIGNS[tone] }),
  );
}

const countdowns = new WeakMap<Element, ReturnType<typeof setInterval>>();

export interface NoticeOptions {
  /** Where a page is. */
  readonly hrefOf?: (page: PageName, account?: string) => string;
  /** Says a text; default: in English. */
  readonly say?: Context['say'];
}

/** Shows a message in `host`, which is under the class `rk`, in place of an earlier one; `undefined` clears it. */
export function showNotice(
  host: HTMLElement,
  notice: Notice | undefined,
  { hrefOf = (page) => page, say = english }: NoticeOptions = {},
): void {
  clearInterval(countdowns.get(host));
  host.replaceChildren();
  if (!notice) return;
  const { tone, title, text, until, action } = notice;
  const wait = h('span', { class: 'rk-countdown' });
  const go = action && {
    label: action.label,
    href: action.page === 'reload' ? location.href : hrefOf(action.page, action.account),
  };
  host.append(
    h(
      'div',
      {
        class: 'rk-notice',
        'data-tone': tone,
        role: tone === 'done' || tone === 'info' ? 'status' : 'alert',
      },
      sign(tone),
      h(
        'div',
        {},
        h('strong', {}, title),
        text && h('p', {}, text, until !== undefined && ' ', until !== undefined && wait),
        go &&
          h(
            'p',
            {},
            action.page === 'reload'
              ? reloadButton(go.label)
              : h('a', { href: go.href, class: 'rk-button' }, go.label),
          ),
      ),
    ),
  );
  if (until !== undefined) countDown(host, say, wait, until);
  if (host.getBoundingClientRect().top < 0) host.scrollIntoView({ block: 'center' });
}

function reloadButton(label: string): HTMLButtonElement {
  return h('button', { type: 'button', click: () => location.reload() }, label);
}

const english: Context['say'] = (key, values?: Values) =>
  fill((CORE_WORDS as Readonly<Record<string, string>>)[key] ?? key, values);

function countDown(host: Element, say: Context['say'], place: HTMLElement, until: number): void {
  const tick = () => {
    const left = Math.max(0, Math.ceil(until - Date.now() / 1000));
    place.textContent = left === 0 ? say('wait.now') : say('wait.in', { time: formatWait(left) });
    if (left === 0) clearInterval(countdowns.get(host));
  };
  countdowns.set(host, setInterval(tick, 1000));
  tick();
}

function formatWait(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
