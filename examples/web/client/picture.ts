/** Draws a run: the device between assistant and app, what went from whom to whom, and how much. */
import { ASSISTANT } from './config.ts';
import { formatBytes, h, svg } from './dom.ts';
import type { Exchange, Local, Run, Step } from './runs.ts';

const HEAD = 58;
const EXCHANGE = 78;
const LOCAL = 50;
const TEXT = 12.5;
/** Width of a letter at that size, on average. */
const LETTER = 6.5;
const EDGE = 2;

interface Columns {
  readonly width: number;
  readonly assistant: number;
  readonly device: number;
  readonly app: number;
}

/**
 * The drawing and the same as text.
 *
 * @param upTo how many steps are shown as done; the others are faint. Default all
 */
export function drawRun(run: Run, upTo = run.steps.length): HTMLElement {
  const drawing = h('div', { class: 'drawing' });
  const figure = h(
    'figure',
    { class: 'run' },
    drawing,
    h(
      'details',
      {},
      h('summary', {}, 'The same as text, with sizes'),
      h('ol', {}, ...run.steps.map((step) => h('li', {}, sentence(step)))),
    ),
  );
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.round(drawing.clientWidth);
    if (width === 0 || width === drawn) return;
    drawn = width;
    drawing.replaceChildren(draw(run, width, upTo));
  }).observe(drawing);
  return figure;
}

/** One step in a sentence. */
export function sentence(step: Step): string {
  if (step.type === 'local') return `${localText(step)}. Nothing is sent.`;
  const to = step.server === 'assistant' ? 'the assistant' : 'Inkwell';
  const parts = step.parts.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(', ');
  const sent = `This device sends ${to}: ${step.kind.asks} (${parts || 'no body'}).`;
  if (step.status === 0) return `${sent} No answer comes.`;
  return `${sent} It gets: ${answerText(step)} (${formatBytes(step.answerBytes)}).`;
}

function draw(run: Run, width: number, upTo: number): SVGSVGElement {
  const side = Math.max(46, width * 0.13);
  const columns = { width, assistant: side, device: width / 2, app: width - side };
  const heights = run.steps.map((step) => (step.type === 'local' ? LOCAL : EXCHANGE));
  const height = HEAD + heights.reduce((sum, one) => sum + one, 0) + 14;
  const picture = svg(
    'svg',
    {
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `${run.title}: ${run.steps.length} steps between this device, the assistant and Inkwell. The same follows as text.`,
    },
    svg(
      'defs',
      {},
      ...['', '-bad'].map((kind) =>
        svg(
          'marker',
          {
            id: `arrow${kind}`,
            viewBox: '0 0 8 8',
            refX: 7,
            refY: 4,
            markerWidth: 7,
            markerHeight: 7,
            orient: 'auto-start-reverse',
          },
          svg('path', { class: `head${kind}`, d: 'M0 .6 7.4 4 0 7.4z' }),
        ),
      ),
    ),
    ...(['assistant', 'device', 'app'] as const).map((party) => lifeline(party, columns, height)),
  );
  let y = HEAD;
  for (const [i, step] of run.steps.entries()) {
    const group = svg('g', {
      class: i < upTo ? (i === upTo - 1 && upTo < run.steps.length ? 'now' : '') : 'later',
    });
    group.append(...(step.type === 'local' ? drawLocal(step, columns, y) : drawExchange(step, columns, y)));
    picture.append(group);
    y += heights[i] as number;
  }
  return picture;
}

const NAMES = { assistant: 'Assistant', device: 'This device', app: 'Inkwell' } as const;

function lifeline(party: keyof typeof NAMES, columns: Columns, height: number): SVGGElement {
  const x = columns[party];
  const host =
    party === 'assistant'
      ? new URL(ASSISTANT || location.href).host
      : party === 'app'
        ? location.host
        : 'your browser';
  const half = Math.min(66, columns.assistant - EDGE);
  return svg(
    'g',
    { class: `life ${party}` },
    svg('line', { x1: x, y1: 44, x2: x, y2: height }),
    svg('rect', { x: x - half, y: EDGE, width: half * 2, height: 42, rx: 8 }),
    svg('text', { x, y: 20, class: 'name' }, NAMES[party]),
    svg(
      'text',
      { x, y: 35, class: 'host' },
      columns.width < 420 ? `:${host.split(':')[1] ?? host}`.replace(':your browser', 'browser') : host,
    ),
  );
}

function drawExchange(step: Exchange, columns: Columns, y: number): SVGElement[] {
  const failed = step.status === 0 || step.status >= 400;
  const there = columns[step.server];
  const gap = there < columns.device ? 6 : -6;
  const from = columns.device - gap;
  const to = there + gap;
  return [
    ...arrow(from, to, y + 28, step.kind.asks, columns, false),
    ...(step.status === 0
      ? [
          svg('path', { class: 'cross', d: `M${(from + to) / 2 - 6} ${y + 22}l12 12m0 -12l-12 12` }),
          label('no answer', from, to, y + 52, columns, true),
        ]
      : arrow(to, from, y + 62, answerText(step), columns, failed)),
  ];
}

function arrow(
  from: number,
  to: number,
  y: number,
  text: string,
  columns: Columns,
  bad: boolean,
): SVGElement[] {
  const kind = bad ? '-bad' : '';
  return [
    svg('line', {
      class: `message${kind}`,
      x1: from,
      y1: y,
      x2: to,
      y2: y,
      'marker-end': `url(#arrow${kind})`,
    }),
    label(text, from, to, y - 7, columns, bad),
  ];
}

/** A text over an arrow: in its middle, or from the picture's edge where it is too long for that. */
function label(
  text: string,
  from: number,
  to: number,
  y: number,
  { width, device }: Columns,
  bad: boolean,
): SVGTextElement {
  const middle = (from + to) / 2;
  const isLeft = middle < device;
  const half = (text.length * LETTER) / 2;
  const fits = isLeft ? middle - half > EDGE : middle + half < width - EDGE;
  const place = fits
    ? { x: middle, 'text-anchor': 'middle' }
    : isLeft
      ? { x: EDGE, 'text-anchor': 'start' }
      : { x: width - EDGE, 'text-anchor': 'end' };
  const longest = Math.floor((width - 2 * EDGE) / LETTER);
  const shown = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return svg('text', { class: bad ? 'label bad' : 'label', y, 'font-size': TEXT, ...place }, shown);
}

function drawLocal(step: Local, { width, device }: Columns, y: number): SVGElement[] {
  const text = localText(step);
  const boxWidth = Math.min(width - 8, text.length * LETTER + 28);
  return [
    svg('rect', { class: 'work', x: device - boxWidth / 2, y: y + 8, width: boxWidth, height: 30, rx: 15 }),
    svg('text', { class: 'label', x: device, y: y + 27.5, 'text-anchor': 'middle', 'font-size': TEXT }, text),
  ];
}

function localText({ phase, ms }: Local): string {
  const time = ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
  return phase === 'generating' ? `makes a key, ${time}` : `works on the password, ${time}`;
}

function answerText({ status, code, kind }: Exchange): string {
  return status >= 400 ? `refused: ${code ?? status}` : kind.gets;
}
