import { startPage } from '../chrome.ts';
import { byId, h } from '../dom.ts';

const known = await startPage();
if (known?.account) {
  byId('calls').replaceChildren(
    h('a', { class: 'button primary', href: '/home' }, `Go on as ${known.account}`),
    h('a', { class: 'button', href: '/sign' }, 'Sign a message'),
  );
}
