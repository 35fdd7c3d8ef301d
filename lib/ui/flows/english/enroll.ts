/** Creating an account. */
export const ENROLL_WORDS = {
  'enroll.title': 'Create your account',
  'enroll.lead': 'Your browser makes a key and locks it with your password. Neither is sent to anybody.',
  'enroll.submit': 'Create account',
  'enroll.login': 'Have an account? Log in',
  'enroll.signed-in': 'You are logged in as {account}.',
  'enroll.signed-in.text': 'A new account is for another name. Log out first.',
  'enroll.taken': '“{account}” was taken meanwhile.',
  'enroll.taken.text': 'Choose another name: your key and its kit stay good.',
  'enroll.again': 'Your account is not made yet.',
  'enroll.again.text': 'The key was made and its kit is good. Go on when {site} answers again.',
  'enroll.again.submit': 'Go on',
  'enroll.rename.submit': 'Take this name',
  'enroll.left': 'Your account was not made yet.',
  'enroll.left.text':
    'The page was left before the kit was kept, so nothing was made. Choose the password again.',
  'enroll.exists': 'This browser has another key for “{account}”.',
  'enroll.exists.text': 'It is not thrown away. Log in with it, or choose another name. Key here: {old}.',
  'enroll.done': 'Welcome, {account}',
  'enroll.done.lead': 'You are logged in with a key that nobody else can use.',
} as const;
