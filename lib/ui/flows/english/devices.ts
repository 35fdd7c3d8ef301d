/** Devices. */
export const DEVICES_WORDS = {
  'devices.title': 'Use your key on another device',
  'devices.lead':
    'Name, password and a short code are enough, for all keys that you have on this device. The code is worth nothing without your password.',
  'devices.make': 'Make a pickup code',
  'devices.remake': 'Make a new pickup code',
  'devices.stored': '{site} has kept your key for pickup since {when}.',
  'devices.not-stored': '{site} keeps nothing for pickup now.',
  'devices.remove': 'Remove it from {site}',
  'devices.removed': 'Removed.',
  'devices.removed.text': 'The pickup code no longer works.',
  'devices.elsewhere': 'Your key is not kept on this device.',
  'devices.elsewhere.text': 'Make pickup codes where it is. Or bring it here, and keep it.',
  'devices.kind': '{site} keeps no keys of this kind for pickup.',
  'devices.kind.text': 'Carry yours as a file.',
  'devices.left': 'The code does not bring: {list}.',
  'devices.left.text': 'It brings the rest. {site} takes no key that is off or unknown.',
  'devices.keys': 'Your keys',
  'devices.here': 'on this device',
  'devices.this': 'this login',
  'devices.off': 'off',
  'devices.hold': 'on hold',
  'devices.since': 'since {when}',
  'devices.print': 'Fingerprint',
  'devices.file': 'File',
  'devices.file.label': '{purpose} as a file',
  'devices.pickups': 'Pickups',
  'devices.pickups.lead':
    'Each time your key was picked up with the right code. Not all yours? Remove it above, and change the password.',
  'devices.spare': 'Add a spare key',
  'devices.spare.lead':
    'A second key with a kit of its own, as a file for a drawer. If this device is lost, you log in with it.',
  'devices.spare.submit': 'Make a spare key',
  'devices.spare.done': 'Your spare key is added.',
  'devices.spare.done.text':
    'Its file was downloaded. Keep it away from this device, and log in with it once after 30 days.',
  'devices.logout': 'Log out',
} as const;
