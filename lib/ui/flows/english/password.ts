/** Changing the password. */
export const PASSWORD_WORDS = {
  'password.title': 'Change your password',
  'password.lead': 'The key stays the same.',
  'password.submit': 'Change the password',
  'password.done': 'Your password is changed',
  'password.done.old': 'The old password no longer works.',
  'password.done.open':
    'The old password still works with a copy of what this device kept before: the assistant did not answer.',
  'password.done.open.submit': 'Try again to stop it',
  'password.done.kit': 'Your kit stays good.',
  'password.done.new-kit': 'The old kit can still switch your key off: shred it, and keep the new one.',
  'password.done.moved': 'The new password is also that of your other keys here: {list}.',
  'password.done.left': 'Still with their own password: {list}.',
  'password.done.others':
    'On other devices, bring the key over once more. A pickup code that you have made stays good.',
  'password.elsewhere': 'Your key is not kept on this device.',
  'password.elsewhere.text': 'The password is changed where the key is. Bring it here first, and keep it.',
  'password.unsupported': 'The password of this kind of key cannot be changed yet.',
  'password.unsupported.text': 'Add another key, and remove this one later.',
} as const;
