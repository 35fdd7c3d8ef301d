/** A meter beside a field for a new password. Rules answer at once; word lists are loaded when the field is used. */
import { h } from './dom.ts';
import type { Context } from './flows/context.ts';
import { METER_WORDS } from './flows/english/meter.ts';
import { weaknessOf } from './flows/strength.ts';
import type { Question, Rating } from './strength-worker.ts';

/** Shows under `input` how good its password is. */
export function setUpMeter(
  context: Context,
  input: HTMLInputElement,
  host: HTMLElement,
  hints: () => string[],
): void {
  let worker: Worker | undefined;
  let asked = 0;
  context.learn(METER_WORDS);
  const names = context.say('password.names').split(', ');
  const draw = (score: number, advice = '') =>
    host.replaceChildren(
      h(
        'div',
        { class: 'rk-meter', 'data-score': score },
        h(
          'span',
          { class: 'rk-bars', 'aria-hidden': 'true' },
          ...[1, 2, 3, 4].map((i) => h('i', { 'data-on': i <= Math.max(score, 1) })),
        ),
        h('span', { role: 'status' }, h('strong', {}, names[score] ?? '')),
      ),
      advice && h('p', { class: 'rk-hint' }, advice),
    );
  try {
    worker = new Worker(new URL('./strength-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<Rating>) => {
      if (data.id === asked && input.value !== '') draw(data.score);
    };
  } catch {
    // The rules do without.
  }
  const rate = () => {
    asked += 1;
    if (input.value === '') return host.replaceChildren();
    const weak = weaknessOf(input.value, hints());
    if (weak) return draw(0, context.say(weak.word, weak.n === undefined ? {} : { n: weak.n }));
    draw(2);
    return worker?.postMessage({ id: asked, password: input.value, hints: hints() } satisfies Question);
  };
  input.addEventListener('input', rate);
  rate();
}
