import { CLOCK_WORDS } from './english/clock.ts';
import { CODE_WORDS } from './english/code.ts';
import { CORE_WORDS } from './english/core.ts';
import { DEVICES_WORDS } from './english/devices.ts';
import { ENROLL_WORDS } from './english/enroll.ts';
import { ENTER_WORDS } from './english/enter.ts';
import { KEEP_WORDS } from './english/keep.ts';
import { KIT_WORDS } from './english/kit.ts';
import { LOGIN_WORDS } from './english/login.ts';
import { LOST_WORDS } from './english/lost.ts';
import { METER_WORDS } from './english/meter.ts';
import { PASSWORD_WORDS } from './english/password.ts';
import { PICKUP_WORDS } from './english/pickup.ts';

/** The English texts, which are in pieces so that a page loads those it shows. Each error code has a title and a text. */
export const ENGLISH = {
  ...CORE_WORDS,
  ...LOGIN_WORDS,
  ...ENTER_WORDS,
  ...ENROLL_WORDS,
  ...KEEP_WORDS,
  ...KIT_WORDS,
  ...LOST_WORDS,
  ...PICKUP_WORDS,
  ...CLOCK_WORDS,
  ...METER_WORDS,
  ...CODE_WORDS,
  ...DEVICES_WORDS,
  ...PASSWORD_WORDS,
} as const;
