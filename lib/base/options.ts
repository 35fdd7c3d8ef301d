/**
 * Refuses anything but an array of names: a single name, passed as text, would be read as names of one letter each.
 *
 * @throws TypeError
 */
export function checkNames(names: readonly string[]): void {
  if (!Array.isArray(names)) throw new TypeError(`names must be an array, not ${typeof names}`);
}
