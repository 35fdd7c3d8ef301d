import { configure } from 'passport-roaming-key/ui';
import { startPage } from '../chrome.ts';
import { byId, h } from '../dom.ts';
import { begin, io } from '../runs.ts';

configure({ fetch: io.fetch, onProgress: io.onProgress });
document.addEventListener('submit', () => begin('Making an account'), true);
const known = await startPage();
if (known?.account) {
  byId('start').replaceChildren(
    h('h2', {}, `Hello, ${known.account}`),
    h('p', {}, h('a', { class: 'button primary wide', href: '/home' }, 'Go on')),
    h('p', {}, h('a', { class: 'button wide', href: '/thief' }, 'Be the thief')),
  );
} else byId('start').append(h('roaming-key-enroll' as 'div', { kit: 'later' }));
