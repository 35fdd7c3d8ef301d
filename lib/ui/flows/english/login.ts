/** Logging in. */
export const LOGIN_WORDS = {
  'login.title': 'Log in',
  'login.submit': 'Log in',
  'login.create': 'New here? Create an account',
  'login.lost': 'Lost a device?',
  'login.already': 'You are logged in as {account}.',
  'login.already.text': 'Or log in here as somebody else.',
  'login.no-key': 'This browser has no key for “{account}”.',
  'login.no-key.text':
    'Is the name spelled right? If the account was made elsewhere, or this browser’s data was cleared, bring the key here.',
  'login.alike': 'This is not the “{account}” that has a key here.',
  'login.alike.text':
    'The names look alike, but this one has letters of another alphabet. Choose the name from the list.',
} as const;
