/** A meter beside a field for a new password; loaded when somebody begins to type there. */
import { byId, h } from './dom.ts';
import type { Question, Rating } from './strength-worker.ts';

const NAMES = ['Very weak', 'Weak', 'Fair', 'Good', 'Strong'] as const;
/** What an attacker with both device and assistant can try in a second: an Argon2id guess costs 64 MiB. */
const OFFLINE_PER_SECOND = 10_000;

/** Passwords below this are not taken. */
export const MIN_SCORE = 2;

export interface Meter {
  /** The rating of what stands in the field now; `undefined` where it cannot be had. */
  rating(): Promise<Rating | undefined>;
}

/** Puts a meter under a field; `hints` are words that a thief would try first. */
export function setUpMeter(inputId: string, hints: () => string[]): Meter {
  const input = byId<HTMLInputElement>(inputId);
  const host = byId(`${inputId}-meter`);
  let worker: Worker | undefined;
  let asked = 0;
  const waiting = new Map<number, (rating: Rating | undefined) => void>();

  const rate = (): Promise<Rating | undefined> => {
    worker ??= start();
    const id = ++asked;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      worker?.postMessage({ id, password: input.value, hints: hints() } satisfies Question);
      // A meter that is late must not keep anybody from making an account.
      setTimeout(() => settle(id, undefined), 4000);
    });
  };
  const settle = (id: number, rating: Rating | undefined) => {
    waiting.get(id)?.(rating);
    waiting.delete(id);
  };
  const start = () => {
    const made = new Worker('/assets/strength-worker.js', { type: 'module' });
    made.addEventListener('message', ({ data }: MessageEvent<Rating>) => settle(data.id, data));
    made.addEventListener('error', () => {
      for (const id of waiting.keys()) settle(id, undefined);
    });
    return made;
  };

  input.addEventListener('focus', () => void rate(), { once: true });
  input.addEventListener('input', () => {
    const typed = input.value;
    if (typed === '') {
      host.replaceChildren();
      return;
    }
    void rate().then((rating) => {
      if (rating && input.value === typed) draw(host, rating);
    });
  });
  return { rating: rate };
}

function draw(host: HTMLElement, { score, guessesLog10, warning, suggestions }: Rating): void {
  const advice = [warning, ...suggestions].filter(Boolean).slice(0, 2).join(' ');
  const bars = h(
    'span',
    { class: 'bars', 'aria-hidden': 'true' },
    ...[1, 2, 3, 4].map((i) => h('i', { 'data-on': i <= Math.max(score, 1) })),
  );
  host.replaceChildren(
    h(
      'div',
      { class: 'meter', 'data-score': score },
      bars,
      h('span', { role: 'status' }, h('strong', {}, NAMES[score]), ` – ${timeToGuess(guessesLog10)}`),
    ),
    h('p', { class: 'hint' }, advice),
  );
}

/** What that means here, since only who has device *and* assistant can guess at leisure. */
function timeToGuess(log10: number): string {
  const seconds = 10 ** Math.min(log10, 30) / OFFLINE_PER_SECOND;
  const units: readonly [number, string][] = [
    [31_557_600, 'years'],
    [86_400, 'days'],
    [3600, 'hours'],
    [60, 'minutes'],
  ];
  const [size, unit] = units.find(([limit]) => seconds >= 2 * limit) ?? [1, 'seconds'];
  if (seconds < 2) return 'guessed at once by somebody who broke into device and assistant both';
  const amount = seconds / size;
  const long = amount >= 1e6 ? 'millions of' : amount >= 1e4 ? 'thousands of' : String(Math.round(amount));
  return `guessed in ${long} ${unit} by somebody who broke into device and assistant both`;
}
