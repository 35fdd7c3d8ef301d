import type { Group } from './group.ts';
import { ffdhe2048, ffdhe3072, ffdhe4096, type ModpGroup } from './modp.ts';
import { type P256Point, p256 } from './p256.ts';

export { GROUP_NAMES, type GroupName } from './group.ts';

/** An element of any group; only its own group can make sense of it. */
export type GroupElement = P256Point | bigint;

/** Any group, its elements opaque to the caller. */
export type AnyGroup = Group<GroupElement>;

const GROUPS: ReadonlyMap<string, Group<P256Point> | ModpGroup> = new Map(
  [p256, ffdhe2048, ffdhe3072, ffdhe4096].map((group) => [group.name, group]),
);

/** The group of that name, or `undefined`. */
export function findGroup(name: string): AnyGroup | undefined {
  return GROUPS.get(name) as AnyGroup | undefined;
}

/** The safe prime of a finite-field group, or `undefined` for a curve. */
export function safePrimeOf(group: Pick<AnyGroup, 'name'>): bigint | undefined {
  const found = GROUPS.get(group.name);
  return found !== undefined && 'p' in found ? found.p : undefined;
}
