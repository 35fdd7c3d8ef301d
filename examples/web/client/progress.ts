import type { Progress } from 'passport-roaming-key/device';
import { h } from './dom.ts';

const WORDS: Record<Progress['phase'], string> = {
  generating: 'Making a key',
  stretching: 'Working on your password',
  asking: 'Asking the assistant',
  proving: 'Talking to Inkwell',
};

/** Shows in `host` what a device is doing, from the first notice until `end`. */
export function showProgress(host: HTMLElement): { on: (progress: Progress) => void; end: () => void } {
  const text = h('span', { role: 'status' });
  const bar = h('progress', { 'aria-hidden': 'true' });
  host.replaceChildren(h('div', { class: 'progress' }, text, bar));
  host.hidden = false;
  return {
    on({ phase, done }) {
      const words = `${WORDS[phase]} …`;
      if (text.textContent !== words) text.textContent = words;
      if (done === undefined) bar.removeAttribute('value');
      else bar.value = done;
    },
    end() {
      host.hidden = true;
      host.replaceChildren();
    },
  };
}
