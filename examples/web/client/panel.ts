import { byId, count, formatBytes, h } from './dom.ts';
import { drawRun } from './picture.ts';
import { type Run, runs } from './runs.ts';

/** For how long, in milliseconds, something has just happened, for those who were sent on to another page. */
const JUST = 20_000;

/** A folded panel at a page's end with the picture of what was done last; new runs take the place of old ones. */
export function setUpPanel(): void {
  const show = (run: Run | undefined) => {
    document.getElementById('panel')?.remove();
    if (!run || location.pathname === '/picture') return;
    const details = h(
      'details',
      { id: 'panel', class: 'panel' },
      h('summary', {}, h('span', {}, 'What just happened'), h('small', {}, summary(run))),
    );
    details.addEventListener(
      'toggle',
      () => {
        details.append(
          drawRun(run),
          h('p', {}, h('a', { href: '/picture' }, 'Step by step, and what a thief would have')),
        );
      },
      { once: true },
    );
    (document.querySelector('main > .narrow') ?? byId('main')).append(details);
  };
  show(runs().find(({ at }) => Date.now() - at < JUST));
  document.addEventListener('inkwell:run', ({ detail }: CustomEventInit<Run>) => show(detail));
}

function summary({ title, steps }: Run): string {
  const exchanges = steps.filter((step) => step.type === 'exchange');
  const bytes = exchanges.reduce((sum, step) => sum + step.bytes + step.answerBytes, 0);
  return `${title}: ${count(exchanges.length, 'exchange')}, ${formatBytes(bytes)}`;
}
