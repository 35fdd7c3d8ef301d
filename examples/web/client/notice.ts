/** Messages to the user: each tone has a look and a sign of its own, so that no failure passes for another. */
import { serverNow } from './clock.ts';
import { h, svg } from './dom.ts';

export type Tone = 'wrong' | 'wait' | 'offline' | 'stop' | 'info' | 'done' | 'warn';

export interface Notice {
  readonly tone: Tone;
  readonly title: string;
  readonly text?: string;
  /** When it is worth trying again, in seconds since the epoch: counted down at the end of `text`. */
  readonly until?: number;
  readonly action?: { readonly label: string; readonly href: string };
}

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
    { class: 'sign', 'data-tone': tone, viewBox: '0 0 20 20', 'aria-hidden': 'true' },
    svg('path', { d: SIGNS[tone] }),
  );
}

const countdowns = new WeakMap<Element, ReturnType<typeof setInterval>>();

/** Shows a message in the page's place for them, in that of an earlier one; `undefined` clears it. */
export function showNotice(notice: Notice | undefined, host = document.getElementById('notice')): void {
  if (!host) return;
  clearInterval(countdowns.get(host));
  host.replaceChildren();
  if (!notice) return;
  const { tone, title, text, until, action } = notice;
  const wait = h('span', { class: 'countdown' });
  const element = h(
    'div',
    { class: 'notice', 'data-tone': tone, role: tone === 'done' || tone === 'info' ? 'status' : 'alert' },
    sign(tone),
    h(
      'div',
      {},
      h('strong', {}, title),
      text && h('p', {}, text, until !== undefined && ' ', until !== undefined && wait),
      action && h('p', {}, h('a', { class: 'button small', href: action.href }, action.label)),
    ),
  );
  host.append(element);
  if (until !== undefined) countDown(host, wait, until);
  if (element.getBoundingClientRect().top < 0) element.scrollIntoView({ block: 'center' });
}

function countDown(host: Element, place: HTMLElement, until: number): void {
  const tick = () => {
    const left = Math.max(0, Math.ceil(until - serverNow()));
    place.textContent = left === 0 ? 'now.' : `in ${formatWait(left)}.`;
    if (left === 0) clearInterval(countdowns.get(host));
  };
  tick();
  countdowns.set(host, setInterval(tick, 1000));
}

function formatWait(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
