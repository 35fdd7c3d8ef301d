/** Checks of options. What fails is the programmer's error: it says what was wanted and what was got. */

/**
 * Refuses a misspelt option, which would silently be its default.
 *
 * @param known has every option as a member
 * @param within the option whose own options these are
 * @throws TypeError naming the unknown option, or where there is no object
 */
export function checkOptions(options: unknown, known: object, within?: string): void {
  if (typeof options !== 'object' || options === null)
    throw wrongOption(within ?? 'options', 'an object', options);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const name = within === undefined ? unknown : `${within}.${unknown}`;
  throw new TypeError(`unknown option ${name}: there are ${Object.keys(known).join(', ')}`);
}

/** What is thrown for an option of another kind. */
export function wrongOption(name: string, wanted: string, got: unknown): TypeError {
  return new TypeError(`${name} must be ${wanted}, not ${shown(got)}`);
}

/** @throws TypeError naming the option that is not a function */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw wrongOption(name, 'a function', value);
}

/** The same for options that may be left out. */
export function checkFunctions<Name extends string>(
  options: Readonly<Partial<Record<Name, unknown>>>,
  names: readonly Name[],
): void {
  for (const name of names) if (options[name] !== undefined) checkFunction(name, options[name]);
}

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
  throw wrongOption(name, `a whole number ${range}`, value);
}

/** A value in an error's words; only numbers, since a text may be a secret in the wrong place. */
function shown(value: unknown): string {
  if (typeof value === 'number' || value === undefined || value === null) return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/**
 * Refuses anything but an array of names: a single name, passed as text, would be read as names of one letter each.
 *
 * @throws TypeError
 */
export function checkNames(names: readonly string[]): void {
  if (!Array.isArray(names)) throw wrongOption('names', 'an array', names);
}
