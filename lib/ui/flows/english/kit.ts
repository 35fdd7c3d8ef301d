/** The kit. */
export const KIT_WORDS = {
  'kit.label': 'Code of {what}',
  'kit.download': 'Download as a file',
  'kit.print': 'Print',
  'kit.copy': 'Copy the code',
  'kit.copied': 'Copied.',
  'kit.not-copied': 'The browser did not let this page copy. Select the code instead.',
  'kit.hint':
    'Keep it on paper, on a USB stick, or with somebody you trust: anywhere but on this device. It opens nothing. All it can do is switch this key off.',
  'sheet.title': 'Emergency sheet',
  'sheet.for': '{what} of “{account}” at {site}',
  'sheet.made': 'Made on {date}',
  'sheet.step1': 'On any other device, open {url}',
  'sheet.step2': 'Type the code above, or scan the picture.',
  'sheet.step3': 'Press the red button. From that moment the key is off on every device.',
  'sheet.hint':
    'You need neither the device nor the password. Whoever finds this sheet can switch the key off, and do nothing else with it.',
  'sheet.notes': 'Where the second copy is:',
} as const;
