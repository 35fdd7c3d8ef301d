/** Wrong passwords that were typed on this device, kept apart from those of strangers. */
import type { Memory } from './memory.ts';

type Try = readonly [u: string, at: number];

/** As many as an assistant answers for one key in a month. */
const MAX_TRIES = 100;

/**
 * How many were typed on a key after a time.
 *
 * @param u the key's disabling name: account names and pickup codes may be mistyped, too, and then it is another key
 * @param since by the assistant's clock, in seconds since the epoch
 */
export function triesOf(memory: Memory, u: string, since: number): number {
  return read(memory).filter(([name, at]) => name === u && at > since).length;
}

export function noteTry(memory: Memory, u: string, at: number): void {
  write(memory, [...read(memory), [u, at]]);
}

export function forgetTries(memory: Memory, u: string): void {
  write(
    memory,
    read(memory).filter(([name]) => name !== u),
  );
}

function read(memory: Memory): readonly Try[] {
  try {
    const tries: unknown = JSON.parse(memory.tries ?? '[]');
    return Array.isArray(tries) ? tries.filter((one): one is [string, number] => Array.isArray(one)) : [];
  } catch {
    return [];
  }
}

function write(memory: Memory, tries: readonly Try[]): void {
  memory.tries = tries.length === 0 ? undefined : JSON.stringify(tries.slice(-MAX_TRIES));
}
