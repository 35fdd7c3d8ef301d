/** Keeping a kit. */
export const KEEP_WORDS = {
  'kit.what': 'your key',
  'kit.what.spare': 'your spare key',
  'kit.what.new': 'your key, under its new password',
  'kit.title': 'Keep your kit',
  'kit.lead':
    'If this device is ever lost or stolen, this kit switches its key off. It is shown only now, and nobody has a copy.',
  'kit.kept': 'I keep the kit somewhere other than on this device.',
  'kit.not-kept': 'Without the kit nobody can stop a thief. Keep it first, then tick this box.',
  'kit.submit': 'Continue',
  'kit.pending': 'Keep your kit',
  'kit.pending.text': 'You have not kept the kit of “{account}” yet. Without it nobody can stop a thief.',
  'kit.pending.submit': 'Show the kit',
  'kit.none': 'Your kit is kept.',
  'kit.none.text': 'It is not on this device, and that is how it should be.',
} as const;
