/** A lost device. */
export const LOST_WORDS = {
  'lost.title': 'Lost a device?',
  'lost.lead':
    'Your kit switches its key off, for good and on every device. You need neither the device nor the password, and you need not be logged in.',
  'lost.code': 'Code from your sheet',
  'lost.code.hint': '32 letters and digits. Capitals, spaces and dashes do not matter.',
  'lost.file': 'Kit file, or a picture of its QR code',
  'lost.or': 'or',
  'lost.look': 'Look what it switches off',
  'lost.missing': 'Type the code, or choose the kit’s file.',
  'lost.pickup-code':
    'This looks like a pickup code, which brings a key to a device. The kit’s code has 32 characters.',
  'lost.key-file': '“{name}” is a key file, which brings a key to a device. The kit is another file.',
  'lost.too-large': '“{name}” is too large for a kit.',
  'lost.no-qr': 'No QR code can be read in this picture. Take it closer and straight, or type the code.',
  'lost.other-qr': 'This QR code is not one of a kit.',
  'lost.pickup-qr': 'This QR code brings a key to another device. The kit’s own is on its sheet.',
  'lost.ours': 'This switches off the {purpose} of “{account}”, on every device, for good.',
  'lost.anonymous': 'This switches off the key with this code, on every device, for good.',
  'lost.off.anonymous':
    'The key with this code is off, on every device. The assistant at {assistant} has confirmed it.',
  'lost.unknown':
    '{site} has no key with this code. Is it the sheet of a sign-up that was broken off, or of another app? You can have the assistant note it all the same.',
  'lost.unasked': '{site} does not answer now. The assistant can switch the key off all the same.',
  'lost.submit': 'Switch it off for good',
  'lost.back': 'Back',
  'lost.done': 'The key is off',
  'lost.done.unknown': 'Noted by the assistant',
  'lost.off':
    'The {purpose} of “{account}” is off, on every device. | The {purpose} of “{account}” are off, on every device.',
  'lost.off.text': 'The assistant at {assistant} has confirmed it. {site} has ended the logins made with it.',
  'lost.off.later':
    'The assistant at {assistant} has confirmed it. {site} has not heard of it yet, and will end the logins made with it when it does.',
  'lost.noted': 'Noted by the assistant at {assistant}, but {site} has no key with this code.',
  'lost.noted.text':
    'Is it the sheet of a sign-up that was broken off, or of another app? The key you mean to stop may still work.',
  'lost.untold':
    'Noted by the assistant at {assistant}, but {site} could not say whether it has a key with this code.',
  'lost.untold.text': 'If it has, that key is off, on every device.',
  'lost.already': 'The key was off already.',
  'lost.already.text': 'Nothing more had to be done.',
  'lost.old-code':
    'This sheet is from an older version: its code does not say which assistant it is for. Only the key’s own assistant counts, and {assistant} was asked.',
  'lost.spare': 'Use my spare key',
  'lost.next': 'When you are ready, make a new account.',
  'lost.next.held':
    'Your spare key was added with this key not long ago, so {site} has to confirm first that it is yours. Or make a new account.',
  'lost.next.spare': 'Log in with your spare key, or make a new account.',
} as const;
