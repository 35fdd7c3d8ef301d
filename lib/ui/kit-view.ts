/** A kit on the screen, and its sheet of paper. */
import { download, h } from './dom.ts';
import type { Context } from './flows/context.ts';
import { KIT_WORDS } from './flows/english/kit.ts';
import type { KitSheet } from './flows/kit-sheet.ts';

/** The code, its buttons and the sheet; the sheet is in the document as long as the kit is shown. */
export function kitView(context: Context, sheet: KitSheet, lostUrl: string): readonly Node[] {
  context.learn(KIT_WORDS);
  const say = context.say.bind(context);
  const copied = h('span', { role: 'status', class: 'rk-hint' });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(sheet.code);
      copied.textContent = say('kit.copied');
    } catch {
      copied.textContent = say('kit.not-copied');
    }
  };
  document.querySelector('body > .rk-sheet')?.remove();
  document.body.append(paper(context, sheet, lostUrl));
  return [
    h(
      'div',
      { class: 'rk-kit' },
      h(
        'p',
        { class: 'rk-kit-label' },
        `${say('kit.label', { what: sheet.what })} · ${say('kit.number', { number: sheet.number })}`,
      ),
      h('p', { class: 'rk-code', 'data-code': sheet.code }, ...groups(sheet)),
      h(
        'div',
        { class: 'rk-row' },
        h(
          'button',
          { type: 'button', 'data-kit': 'download', click: () => download(sheet.file) },
          say('kit.download'),
        ),
        h('button', { type: 'button', 'data-kit': 'print', click: () => print() }, say('kit.print')),
        h('button', { type: 'button', 'data-kit': 'copy', click: () => void copy() }, say('kit.copy')),
      ),
      copied,
    ),
    h('p', { class: 'rk-hint' }, say('kit.hint')),
  ];
}

/** In groups that do not break within themselves; eight of them make lines of two or four. */
function groups(sheet: KitSheet): Node[] {
  return sheet.groups.flatMap((group, i) => [
    document.createTextNode(i > 0 ? ' ' : ''),
    h('span', {}, group),
  ]);
}

/** One sheet of paper that explains itself years later. */
function paper(context: Context, sheet: KitSheet, lostUrl: string): HTMLElement {
  const say = context.say.bind(context);
  const link = `${lostUrl}#${sheet.code}`;
  const picture = h('div', { class: 'rk-sheet-qr' });
  void import('./qr.ts').then(({ drawQr }) => picture.append(drawQr(link)));
  const date = new Date().toLocaleDateString(context.locale, { dateStyle: 'long' });
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  return h(
    'section',
    { class: 'rk-sheet', 'aria-hidden': 'true' },
    h('p', { class: 'rk-sheet-site' }, context.site),
    h('h1', {}, say('sheet.title')),
    h('p', {}, say('sheet.for', { what: capital(sheet.what), account: sheet.account })),
    h('p', {}, `${say('sheet.made', { date })} · ${say('kit.number', { number: sheet.number })}`),
    h('p', { class: 'rk-code' }, ...groups(sheet)),
    picture,
    h(
      'ol',
      {},
      h('li', {}, say('sheet.step1', { url: lostUrl })),
      h('li', {}, say('sheet.step2')),
      h('li', {}, say('sheet.step3')),
    ),
    h('p', {}, say('sheet.hint')),
    h('p', { class: 'rk-sheet-line' }, say('sheet.notes')),
  );
}
