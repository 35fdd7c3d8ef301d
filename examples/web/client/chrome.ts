/** What every page of the app has: navigation for who is logged in, and the panel with the picture of the last run. */
import { type Me, me } from './api.ts';
import { secondsAhead } from './clock.ts';
import { byId, h } from './dom.ts';
import { explain } from './errors.ts';
import { type Notice, showNotice } from './notice.ts';
import { setUpPanel } from './panel.ts';

const CHANNEL = 'roaming-key session';
const FLASH = 'inkwell:flash';

/** Starts a page: who is logged in, or `undefined` where the app does not answer, which the page then says. */
export async function startPage({ needsSession = false } = {}): Promise<Me | undefined> {
  setUpPanel();
  // What no page expects is told, too: a button that does nothing is the worst of answers.
  addEventListener('unhandledrejection', ({ reason }) => showNotice(explain(reason)));
  const flash = takeFlash();
  if (flash) showNotice(flash);
  let known: Me;
  try {
    known = await me();
  } catch (error) {
    drawNavigation(undefined);
    showNotice(explain(error));
    return undefined;
  }
  drawNavigation(known.account ?? undefined);
  if (needsSession && known.account === null) {
    location.replace(`/login?next=${encodeURIComponent(location.pathname)}`);
    // The page is being left.
    return new Promise(() => {});
  }
  if (needsSession) watchSession();
  return known;
}

/** Draws the navigation for who is logged in. */
export function drawNavigation(account: string | undefined): void {
  const links: readonly [string, string][] = account
    ? [
        ['/home', account],
        ['/sign', 'Sign'],
        ['/notes', 'Notes'],
        ['/devices', 'Devices'],
        ['/thief', 'Thief'],
      ]
    : [
        ['/login', 'Log in'],
        ['/create', 'Create account'],
      ];
  byId('nav').replaceChildren(
    ...links.map(([href, text]) =>
      h(
        'a',
        { href, 'aria-current': location.pathname === href && 'page', class: href === '/home' && 'who' },
        text,
      ),
    ),
  );
}

/** Tells the other tabs that the session has begun or ended. */
export function tellTabs(what: 'in' | 'out'): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(what);
  channel.close();
}

function watchSession(): void {
  new BroadcastChannel(CHANNEL).addEventListener('message', ({ data }: MessageEvent<string>) => {
    if (data === 'out')
      showNotice({
        tone: 'info',
        title: 'You signed out in another tab.',
        text: 'What you have typed here is still here. Log in there or here to go on.',
        action: { label: 'Log in', href: `/login?next=${encodeURIComponent(location.pathname)}` },
      });
  });
}

/** Has the next page show a message. */
export function flash(notice: Notice): void {
  try {
    sessionStorage.setItem(FLASH, JSON.stringify(notice));
  } catch {
    // Then the user does without.
  }
}

function takeFlash(): Notice | undefined {
  try {
    const text = sessionStorage.getItem(FLASH);
    sessionStorage.removeItem(FLASH);
    return text === null ? undefined : (JSON.parse(text) as Notice);
  } catch {
    return undefined;
  }
}

/** A sentence for a clock that is wrong by minutes or more, which stops nothing here but will elsewhere. */
export function clockNotice(): Notice | undefined {
  const ahead = secondsAhead();
  const off = Math.abs(ahead);
  if (off < 300) return undefined;
  const amount = off < 7200 ? `${Math.round(off / 60)} minutes` : `${Math.round(off / 3600)} hours`;
  return {
    tone: 'warn',
    title: `This device’s clock is ${amount} ${ahead > 0 ? 'fast' : 'slow'}.`,
    text: 'Inkwell works all the same, since the assistant tells the time. Other programs may not: set date and time when you can.',
  };
}
