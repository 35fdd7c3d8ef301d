/** Bringing a key to this device. */
export const PICKUP_WORDS = {
  'pickup.title': 'Bring your key to this device',
  'pickup.code.title': 'With a pickup code',
  'pickup.code': 'Pickup code',
  'pickup.code.hint': '8 characters, made on the other device.',
  'pickup.code.missing': 'Type the code that you made on the other device.',
  'pickup.code.form': 'A pickup code has 8 letters and digits.',
  'pickup.kit-code': 'This is a kit’s code, which switches a key off. The pickup code has 8 characters.',
  'pickup.keep': 'Keep it on this device. Leave this out where others use it too.',
  'pickup.submit': 'Log in',
  'pickup.wrong': 'One of the three is not right.',
  'pickup.wrong.text':
    'Account name, pickup code or password. Nobody is told which, so that a thief does not learn that he is close. A newer code replaces an older one.',
  'pickup.file.title': 'With a key file',
  'pickup.file': 'Key file',
  'pickup.file.kit': 'This is a kit: it switches a key off, and belongs to the page for lost devices.',
  'pickup.file.none': 'This is not a key file.',
  'pickup.found': 'The key of {account}',
  'pickup.found.what': '{purpose}, fingerprint {print}.',
  'pickup.found.same': 'This browser has it already.',
  'pickup.found.other': 'This browser already has another key under this name.',
  'pickup.found.other.text':
    'Key here: {old}. Key in the file: {new}. It is replaced only if you say so, and only after the new one has worked.',
  'pickup.found.replace': 'Replace the key that is here.',
  'pickup.found.choose': 'Say that the key here may be replaced, or leave it.',
  'pickup.stranger': '{site} does not know this key as one of “{account}”.',
  'pickup.stranger.text':
    'Somebody may have made this file to learn your password. It was not kept, and no password is asked for.',
  'pickup.link': 'This link brings no key.',
  'pickup.link.text': 'Scan the code on the page “Use your key on another device” once more.',
  'pickup.came': 'Brought along: {list}.',
  'pickup.left':
    'Not brought along: {list}. Make a new pickup code on the device that has it, or carry it as a file.',
  'pickup.kept': 'Your key is on this device.',
} as const;
