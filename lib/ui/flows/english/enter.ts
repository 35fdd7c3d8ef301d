/** What a login tells. */
export const ENTER_WORDS = {
  'login.strangers':
    '{n} wrong password was tried on your key since you last used it. | {n} wrong passwords were tried on your key since you last used it.',
  'login.strangers.text':
    'The last one {when}. If that was not you, somebody has a copy of what this device keeps: change the password, and look where your devices are.',
  'login.reissued': 'A password change was made that this device does not remember.',
  'login.reissued.text':
    'If it was not yours, somebody had your device and your password. Use your kit, then make a new key.',
  'login.last-used': 'Last used {when}.',
  'login.done': 'Welcome back, {account}.',
} as const;
