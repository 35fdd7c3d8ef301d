/** A pickup code that is shown. */
export const CODE_WORDS = {
  'devices.code': 'Your pickup code, shown only now',
  'devices.code.hint':
    'Open {url} on the other device, or scan the picture with it. A new code replaces this one.',
  'devices.localhost': 'Phones cannot open “localhost”: try this on another browser of this computer.',
} as const;
