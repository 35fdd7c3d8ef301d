/** A clock that is wrong. */
export const CLOCK_WORDS = {
  'clock.title': 'This device’s clock is {amount} fast. | This device’s clock is {amount} slow.',
  'clock.text': 'This page works all the same. Other programs may not: set date and time when you can.',
} as const;
