/** Checks of options that several rooms have; what fails is the programmer's error and says what was got. */

/**
 * A whole number from `least` to `most`.
 *
 * @throws TypeError naming the option and its value
 */
export function wholeNumber(
  name: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new TypeError(`${name} must be a whole number ${range}, not ${shown(value)}`);
}

/** A value in an error's words; only numbers, since a text may be a secret in the wrong place. */
function shown(value: unknown): string {
  return typeof value === 'number' || value === undefined || value === null
    ? String(value)
    : `a ${typeof value}`;
}

/**
 * Refuses anything but an array of names: a single name, passed as text, would be read as names of one letter each.
 *
 * @throws TypeError
 */
export function checkNames(names: readonly string[]): void {
  if (!Array.isArray(names)) throw new TypeError(`names must be an array, not ${shown(names)}`);
}
