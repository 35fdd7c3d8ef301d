/** Keeping a kit, and a key that a browser does not keep. */
export const KEEP_WORDS = {
  'kit.what': 'your key',
  'kit.what.spare': 'your spare key',
  'kit.what.new': 'your key, under its new password',
  'kit.title': 'Keep your kit',
  'kit.lead':
    'If this device is lost or stolen, this kit switches its key off. It is shown only now, and nobody has a copy.',
  'kit.kept': 'I keep the kit somewhere other than on this device.',
  'kit.not-kept': 'Keep the kit first, then tick this box: without it nobody can stop a thief.',
  'kit.submit': 'Continue',
  'kit.pending': 'Keep your kit',
  'kit.pending.text': 'You have not kept the kit of “{account}” yet.',
  'kit.pending.submit': 'Show the kit',
  'kit.nothing': 'No kit waits in this browser to be kept.',
  'kit.none': 'Your kit is kept.',
  'kit.none.text': 'It is not on this device, as it should be.',
  'enroll.private': 'This browser keeps nothing.',
  'enroll.private.text':
    'It may be a private window, or full. Take your key along before you leave this page, or you cannot log in again.',
  'enroll.take.file': 'Download my key as a file',
} as const;
