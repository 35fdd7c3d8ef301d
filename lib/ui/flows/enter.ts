/** Logging in with a key that is at hand, and what the answer tells of its use by others. */
import { type Device, isRoamingKeyError } from '../../device/index.ts';
import type { Context } from './context.ts';
import { ENTER_WORDS } from './english/enter.ts';
import type { Notice } from './explain.ts';
import { type EarlierUse, hold } from './hold.ts';

/** A login that succeeded. */
export interface Entered extends EarlierUse {
  readonly account: string;
  /** The app's answer. */
  readonly body: unknown;
}

/** Unlocks and logs in, and forgets the key. Wrong passwords of this device are counted apart. */
export async function enter(
  context: Context,
  device: Device,
  account: string,
  password: string,
): Promise<Entered> {
  try {
    const history = await hold(device, password);
    const answer = await device.login(context.party('login', account));
    const { body, ...more } = answer as typeof answer & EarlierUse;
    return { ...history, ...more, account, body };
  } catch (error) {
    if (isRoamingKeyError(error, 'wrong_password'))
      context.memory.setTries(account, context.memory.triesOf(account) + 1);
    throw error;
  } finally {
    device.lock();
  }
}

/** The notice after a login: strangers' tries first, then when the key was last used. */
export function noticeOf(
  context: Context,
  { account, failedSince, lastUsed, isReissuedElsewhere }: Entered,
): Notice {
  context.learn(ENTER_WORDS);
  const own = context.memory.triesOf(account);
  context.memory.setTries(account, 0);
  if (isReissuedElsewhere) return context.notice('stop', 'login.reissued', 'login.reissued.text');
  const strangers = (failedSince?.count ?? 0) - own;
  if (strangers > 0)
    return context.notice('warn', 'login.strangers', 'login.strangers.text', {
      n: strangers,
      when: failedSince?.last ? context.when(failedSince.last) : '',
    });
  const title = context.say('login.done', { account });
  return {
    tone: 'done',
    title,
    ...(typeof lastUsed === 'number' && {
      text: context.say('login.last-used', { when: context.when(lastUsed) }),
    }),
  };
}
