import path from 'node:path';
import process from 'node:process';

/** What a database is used for. If one serves both uses, a single break-in allows offline guessing. */
export type StoreUse = 'assistant' | 'records';

const backings = new WeakMap<object, object | string>();
const usesOfObjects = new WeakMap<object, Set<StoreUse>>();
const usesOfFiles = new Map<string, Set<StoreUse>>();

/** Notes what lies behind a store: its connection, handle or file. */
export function noteBacking(store: object, backing: object | string): void {
  if (backing !== ':memory:')
    backings.set(store, typeof backing === 'string' ? path.resolve(backing) : backing);
}

/**
 * Notes what a store is used for.
 *
 * @returns whether what lies behind it serves the other use too, in this process
 */
export function noteUse(store: object, use: StoreUse): boolean {
  const backing = backings.get(store) ?? store;
  const known = typeof backing === 'string' ? usesOfFiles.get(backing) : usesOfObjects.get(backing);
  const uses = known ?? new Set<StoreUse>();
  uses.add(use);
  if (typeof backing === 'string') usesOfFiles.set(backing, uses);
  else usesOfObjects.set(backing, uses);
  return uses.size > 1;
}

/** Why assistant and record service want two operators (docs/protocol.md section 9). */
export const ONE_OPERATOR =
  'The assistant and the record service are in one hand: a thief of both can try passwords offline. Run ' +
  'them on two origins with two stores, better still by two operators.';

/** Warns as Node does. */
export function emitWarning(warning: string): void {
  process.emitWarning(warning, 'RoamingKeyWarning');
}
