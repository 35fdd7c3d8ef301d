/** A pickup code on the screen, with a picture of it for the other device. */
import { h } from './dom.ts';
import type { Context } from './flows/context.ts';
import { CODE_WORDS } from './flows/english/code.ts';

/** What is shown under the code. */
export function codeView(context: Context, link: string): readonly (Node | false)[] {
  context.learn(CODE_WORDS);
  const picture = h('div', { class: 'rk-qr-place' });
  import('./qr.ts').then(
    ({ drawQr }) => picture.append(drawQr(link)),
    () => picture.remove(),
  );
  const { host, pathname, hostname } = new URL(link);
  return [
    h('p', { class: 'rk-kit-label' }, context.say('devices.code')),
    picture,
    h('p', { class: 'rk-hint' }, context.say('devices.code.hint', { url: `${host}${pathname}` })),
    /^(localhost|127\.|\[::1\])/.test(hostname) &&
      h('p', { class: 'rk-hint' }, context.say('devices.localhost')),
  ];
}
