import { startPage } from '../chrome.ts';
import { byId, formatTime, h } from '../dom.ts';
import { sign } from '../notice.ts';
import { drawRun, sentence } from '../picture.ts';
import { type Run, runs, type Step } from '../runs.ts';
import { SAMPLE } from '../sample-run.ts';
import { type Loot, loot } from '../thieves.ts';

const NEVER = {
  assistant: 'Never: your password, your account’s name, your private key',
  device: 'Never: the assistant’s key, or what is in the ticket',
  app: 'Never: your password, your private key',
} as const;
/** What even the least message tells. */
const ASKED = {
  assistant: 'that somebody at your address, on a page of this app, has asked something',
  app: 'that somebody at your address has asked something',
} as const;
const PARTIES = { assistant: 'The assistant', device: 'This device', app: 'Inkwell' } as const;
const SIGNS = { nothing: 'done', guesses: 'wait', use: 'stop' } as const;

void startPage();
const known = runs();
const all = known.length > 0 ? known : [SAMPLE];
byId('empty').hidden = known.length > 0;
let run = all[0] as Run;
let at = 1;
const which = byId<HTMLSelectElement>('which');
which.append(
  ...all.map((one, i) =>
    h(
      'option',
      { value: i },
      `${one.title}${one.outcome === 'ok' ? '' : ` (${one.outcome})`}${one === SAMPLE ? '' : `, ${formatTime(one.at / 1000)}`}`,
    ),
  ),
);
which.addEventListener('change', () => {
  run = all[Number(which.value)] as Run;
  at = 1;
  draw();
  drawThieves();
});
byId('back').addEventListener('click', () => go(-1));
byId('forth').addEventListener('click', () => go(1));
draw();
drawThieves();
play();

/** Goes through the steps by itself once, where motion is welcome, until a button is used. */
function play(): void {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  const timer = setInterval(() => {
    if (at >= run.steps.length) clearInterval(timer);
    else go(1);
  }, 1400);
  for (const id of ['back', 'forth', 'which']) byId(id).addEventListener('click', () => clearInterval(timer));
}

function go(by: number): void {
  at = Math.min(run.steps.length, Math.max(1, at + by));
  draw();
}

function draw(): void {
  byId('picture').replaceChildren(drawRun(run, at));
  byId<HTMLButtonElement>('back').disabled = at <= 1;
  byId<HTMLButtonElement>('forth').disabled = at >= run.steps.length;
  byId('where').textContent = `Step ${at} of ${run.steps.length}`;
  byId('what').textContent = sentence(run.steps[at - 1] as Step);
  byId('knows').replaceChildren(
    ...(['assistant', 'device', 'app'] as const).map((party) => {
      const before = learnt(party, at - 1);
      const items = learnt(party, at);
      return h(
        'section',
        { 'data-party': party },
        h('h3', {}, h('span', { class: 'dot', 'aria-hidden': 'true' }), PARTIES[party]),
        h('ul', {}, ...items.map((item) => h('li', { 'data-new': !before.includes(item) }, item))),
        items.length === 0 && h('p', { class: 'hint' }, 'Nothing so far.'),
        h('p', { class: 'never' }, NEVER[party]),
      );
    }),
  );
}

/** What a party has learnt in the first steps, each thing once. */
function learnt(party: keyof typeof PARTIES, upTo: number): string[] {
  const items = party === 'device' ? ['your password, while you type it'] : [];
  for (const step of run.steps.slice(0, upTo)) {
    if (step.type === 'local') {
      if (party === 'device')
        items.push(
          step.phase === 'generating'
            ? 'a new private key, for a moment'
            : 'what password and salt make together, for a moment',
        );
      continue;
    }
    const isDone = step.status > 0 && step.status < 400;
    if (party === 'device' && isDone && step.kind.deviceLearns) items.push(step.kind.deviceLearns);
    if (party === step.server && step.status > 0) items.push(step.kind.serverLearns ?? ASKED[party]);
  }
  return [...new Set(items)];
}

function drawThieves(): void {
  const choices = loot(run.scheme);
  const chips = choices.map((one, i) => {
    const input = h('input', {
      type: 'radio',
      name: 'loot',
      value: one.id,
      checked: i === 0,
      change: () => drawLoot(one),
    });
    return h('label', { class: 'chip' }, input, h('span', {}, one.label));
  });
  byId('chips').replaceChildren(...chips);
  drawLoot(choices[0] as Loot);
}

function drawLoot({ verdict, headline, text }: Loot): void {
  byId('loot').replaceChildren(
    h(
      'div',
      { class: 'verdict', 'data-tone': SIGNS[verdict] },
      sign(SIGNS[verdict]),
      h('div', {}, h('strong', {}, headline), h('p', {}, text)),
    ),
  );
}
