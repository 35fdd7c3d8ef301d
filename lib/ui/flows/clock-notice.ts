import type { Context } from './context.ts';
import { CLOCK_WORDS } from './english/clock.ts';
import type { Notice } from './explain.ts';

/** Says by how much this device's clock is wrong. */
export function clockNotice(context: Context): Notice {
  const { behind } = context;
  context.learn(CLOCK_WORDS);
  const off = Math.abs(behind);
  const unit = off < 7200 ? 'minute' : off < 172_800 ? 'hour' : 'day';
  const size = { minute: 60, hour: 3600, day: 86_400 }[unit];
  const format = new Intl.NumberFormat(context.locale, { style: 'unit', unit, unitDisplay: 'long' });
  const amount = format.format(Math.round(off / size));
  return context.notice('warn', 'clock.title', 'clock.text', { amount, n: behind < 0 ? 1 : 2 });
}
