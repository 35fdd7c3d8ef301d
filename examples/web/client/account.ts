/** Beside the package's own pages: the navigation, and a picture of what they send. */
import { configure } from 'passport-roaming-key/ui';
import { me } from './api.ts';
import { drawNavigation } from './chrome.ts';
import { CHANGE } from './message-kinds.ts';
import { setUpPanel } from './panel.ts';
import { begin, io } from './runs.ts';

const TITLES: Readonly<Record<string, string>> = {
  login: 'Logging in',
  create: 'Making an account',
  pickup: 'Picking up a key',
  lost: 'Switching a key off',
  devices: 'Storing a key for pickup',
  password: CHANGE,
};

configure({ fetch: io.fetch, onProgress: io.onProgress });
document.addEventListener('submit', () => begin(TITLES[location.pathname.slice(1)] ?? 'A request'), true);
document.addEventListener('rk:done', () => void draw());
setUpPanel();
void draw();

async function draw(): Promise<void> {
  const known = await me().catch(() => undefined);
  drawNavigation(known?.account ?? undefined);
}
