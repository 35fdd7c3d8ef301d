/** How good a password is, from worst to best. */
export const METER_WORDS = {
  'password.names': 'Very weak, Weak, Fair, Good, Strong',
} as const;
