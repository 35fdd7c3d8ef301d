/** The time of this machine in whole seconds since the epoch. */
export function epochSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
