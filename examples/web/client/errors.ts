/** What went wrong, in words that say what to do next. */
import { type ErrorCode, isRoamingKeyError, type RoamingKeyError } from 'passport-roaming-key/device';
import { count } from './dom.ts';
import type { Notice } from './notice.ts';
import { lastAsked } from './runs.ts';

/** What the user was doing. */
export interface Doing {
  /** What `refused` means there. */
  readonly refused?: Notice;
  /** What a wrong password may also be. */
  readonly wrongPassword?: Notice;
}

const DISABLED: Notice = {
  tone: 'stop',
  title: 'This key was disabled.',
  text: 'Somebody has used its disabling kit, and it will never work again, here or elsewhere. If that was you, make a new account. If it was not, somebody else has your kit.',
  action: { label: 'Create a new account', href: '/create' },
};
const RETIRED: Notice = {
  tone: 'info',
  title: 'The password was changed on another device.',
  text: 'What this browser has is out of date. Your key is fine: bring over its new record, and use the new password.',
  action: { label: 'Get the new record', href: '/pickup' },
};
const SIGNED_OUT: Notice = {
  tone: 'info',
  title: 'You are signed out.',
  text: 'The session has ended: by signing out in another tab or on another device, or by its age. Nothing is lost.',
  action: { label: 'Log in', href: '/login' },
};
const NOT_GENUINE: Notice = {
  tone: 'stop',
  title: 'The answer was not genuine.',
  text: 'Somebody other than the assistant has answered. They learnt nothing, but leave this network before you try again.',
};

const NOTICES: Partial<Record<ErrorCode, (error: RoamingKeyError, doing: Doing) => Notice>> = {
  wrong_password: ({ attemptsLeft }, { wrongPassword }) =>
    wrongPassword ?? {
      tone: 'wrong',
      title: 'That password is not right.',
      text:
        attemptsLeft === undefined
          ? 'Try again.'
          : attemptsLeft > 0
            ? `Try again: ${count(attemptsLeft, 'more try', 'more tries')} before you have to wait.`
            : 'That was the last try for now: the next one is answered after a wait.',
    },
  locked: ({ retryAt }) => ({
    tone: 'wait',
    title: 'Too many wrong passwords.',
    text:
      retryAt === undefined
        ? 'The assistant has stopped helping with this key. Only its operator can let you try again. Have you another device, or the disabling kit?'
        : 'Your password was not looked at. The assistant answers again',
    ...(retryAt !== undefined && { until: retryAt }),
  }),
  busy: ({ retryAt, message }) =>
    message.includes('changed elsewhere')
      ? {
          tone: 'info',
          title: 'Another tab was faster.',
          text: 'The key was changed there meanwhile. Reload this page and look before you try again.',
        }
      : {
          tone: 'wait',
          title: 'One at a time, please.',
          text: 'There were too many requests. Your password was not looked at. Try again',
          until: retryAt ?? Math.floor(Date.now() / 1000) + 2,
        },
  disabled: () => DISABLED,
  retired: () => RETIRED,
  refused: (_error, { refused }) => refused ?? SIGNED_OUT,
  network: ({ message }) => ({
    tone: 'offline',
    title:
      message.includes('offline') || !navigator.onLine
        ? 'This device is offline.'
        : `No answer from ${serverName()}.`,
    text: message.includes('Content-Security-Policy')
      ? 'This page may not talk to it: its operator has to add it to the page’s Content-Security-Policy.'
      : 'Nothing was lost. Check the connection, and try again.',
  }),
  unavailable: ({ message }) => ({
    tone: 'offline',
    title:
      message.includes('tab') || message.includes('room')
        ? 'This browser could not save.'
        : `${capital(serverName())} cannot answer now.`,
    text:
      message.includes('tab') || message.includes('room')
        ? `${capital(message)}.`
        : 'The fault is not yours, and nothing was lost. Try again in a minute.',
  }),
  bad_response: () => NOT_GENUINE,
  bad_password: () => ({
    tone: 'wrong',
    title: 'This password cannot be used.',
    text: 'It is empty, too long, or has characters that cannot be typed everywhere. Choose another one.',
  }),
  bad_record: ({ message }) => ({
    tone: 'wrong',
    title: 'This key file cannot be used.',
    text: `${capital(message)}.`,
  }),
  bad_kit: ({ message }) => ({
    tone: 'wrong',
    title: message.includes('another assistant')
      ? 'This kit is for another assistant.'
      : 'This is no disabling kit.',
    text: message.includes('another assistant')
      ? 'It disables a key of another app. Use it there; nothing was sent.'
      : `${capital(message)}. Compare it with your printout; nothing was sent.`,
  }),
  not_unlocked: () => ({
    tone: 'info',
    title: 'The key has locked itself again.',
    text: 'It is held for a few minutes only. Type your password once more.',
  }),
  stale_request: () => ({
    tone: 'wait',
    title: 'This device’s clock is wrong.',
    text: 'Set date and time, then try again.',
  }),
  unsupported: ({ message }) => ({
    tone: 'stop',
    title: 'This does not work here.',
    text: `${capital(message)}.`,
  }),
};

/** What to tell the user. */
export function explain(error: unknown, doing: Doing = {}): Notice {
  if (isRoamingKeyError(error)) {
    const notice = NOTICES[error.code]?.(error, doing);
    if (notice) return notice;
    return { tone: 'stop', title: 'That did not work.', text: `${capital(error.message)} (${error.code}).` };
  }
  console.error(error);
  return {
    tone: 'stop',
    title: 'Something broke on this page.',
    text: 'Nothing was lost. Reload it and try again.',
  };
}

function serverName(): string {
  return lastAsked() === 'assistant' ? 'the assistant' : 'Inkwell';
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
