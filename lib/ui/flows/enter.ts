/** Logging in with a key that is at hand, and what every use of a key tells of its use by others. */
import { epochSeconds } from '../../base/clock.ts';
import { type Device, isRoamingKeyError, type KeyHistory } from '../../device/index.ts';
import type { Context } from './context.ts';
import { ENTER_WORDS } from './english/enter.ts';
import type { Notice } from './explain.ts';
import { forgetTries, noteTry, triesOf } from './tries.ts';

/** What the answer to a use of the key tells of earlier uses: each answer tells it once. */
export interface EarlierUse extends Partial<KeyHistory> {
  /** Of the wrong passwords in `failedSince`, those that were not typed here. */
  readonly strangers: number;
}

/** A login that succeeded. */
export interface Entered extends EarlierUse {
  readonly account: string;
  /** The app's answer. */
  readonly body: unknown;
}

/** Logs in, and holds no key. */
export async function enter(
  context: Context,
  device: Device,
  account: string,
  password: string,
): Promise<Entered> {
  const { value, ...earlier } = await useKey(context, device, () =>
    device.login({ ...context.party('login', account), password }),
  );
  return { ...earlier, account, body: value.body };
}

/** Has a key used, and keeps wrong passwords that were typed here apart from those of strangers. */
export async function useKey<T>(
  { memory }: Context,
  device: Device,
  use: () => Promise<T>,
): Promise<EarlierUse & { readonly value: T }> {
  const { u } = device.record;
  let value: T;
  try {
    value = await use();
  } catch (error) {
    // By the assistant's clock, as it tells of uses. It says when the next try is answered: now, or after a wait.
    if (isRoamingKeyError(error, 'wrong_password')) noteTry(memory, u, error.retryAt ?? epochSeconds());
    throw error;
  }
  const { lastUse } = device;
  const own = triesOf(memory, u, lastUse?.lastUsed ?? 0);
  forgetTries(memory, u);
  return { ...lastUse, value, strangers: Math.max(0, (lastUse?.failedSince.count ?? 0) - own) };
}

/** The notice of a use that was not the owner's; `undefined` where there was none. */
export function alarmOf(
  context: Context,
  { failedSince, isReissuedElsewhere, strangers }: EarlierUse,
): Notice | undefined {
  context.learn(ENTER_WORDS);
  if (isReissuedElsewhere) return context.notice('stop', 'login.reissued', 'login.reissued.text');
  if (strangers === 0) return undefined;
  return context.notice('warn', 'login.strangers', 'login.strangers.text', {
    n: strangers,
    when: failedSince?.last ? context.when(failedSince.last) : '',
  });
}

/** The notice after a login: strangers' tries first, then when the key was last used. */
export function noticeOf(context: Context, entered: Entered): Notice {
  const alarm = alarmOf(context, entered);
  if (alarm) return alarm;
  const { account, lastUsed } = entered;
  const title = context.say('login.done', { account });
  return {
    tone: 'done',
    title,
    ...(typeof lastUsed === 'number' && {
      text: context.say('login.last-used', { when: context.when(lastUsed) }),
    }),
  };
}
