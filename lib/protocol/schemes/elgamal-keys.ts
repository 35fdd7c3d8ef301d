import { fromBase64url, randomBytes, toBase64url, wipe } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { type AnyGroup, findGroup, type GroupElement, type GroupName } from '../../math/groups.ts';
import { os2ip } from '../../math/integer.ts';
import { mod } from '../../math/modular.ts';

/** A public key for decryption: y = g^x in a group. */
export interface ElgamalPublicKey {
  readonly group: AnyGroup;
  readonly y: GroupElement;
}

/** A public key as JSON: an ordinary EC key on P-256, and `DH` with a group's name for the groups of RFC 7919. */
export type ElgamalPublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'DH'; readonly group: Exclude<GroupName, 'P-256'>; readonly y: string };

/**
 * Reads a public key, or the ephemeral key of a ciphertext, and checks that it is in its group. A private
 * key (`d`) is refused; members that name and describe (`kid`, `use`…) are let pass.
 *
 * @returns `undefined` where it is no public key of the four groups
 */
export function readElgamalPublicJwk(jwk: unknown): ElgamalPublicKey | undefined {
  if (typeof jwk !== 'object' || jwk === null || Object.hasOwn(jwk, 'd')) return undefined;
  const { kty, crv, x, y, group: name } = jwk as Record<string, unknown>;
  if (kty === 'EC' && crv === 'P-256') {
    const group = findGroup('P-256') as AnyGroup;
    const [left, right] = [coordinate(x), coordinate(y)];
    if (left?.length !== 32 || right?.length !== 32) return undefined;
    const bytes = new Uint8Array(65);
    bytes[0] = 4;
    bytes.set(left, 1);
    bytes.set(right, 33);
    const element = group.decode(bytes);
    return element === undefined ? undefined : { group, y: element };
  }
  if (kty !== 'DH' || typeof name !== 'string' || name === 'P-256') return undefined;
  const group = findGroup(name);
  const bytes = coordinate(y);
  const element = bytes && group?.decode(bytes);
  return group === undefined || element === undefined ? undefined : { group, y: element };
}

/** Writes a public key as JSON. */
export function elgamalPublicJwk({ group, y }: ElgamalPublicKey): ElgamalPublicJwk {
  const bytes = group.encode(y);
  const name = group.name as GroupName;
  if (name !== 'P-256') return { kty: 'DH', group: name, y: toBase64url(bytes) };
  const [left, right] = [bytes.subarray(1, 33), bytes.subarray(33)];
  return { kty: 'EC', crv: 'P-256', x: toBase64url(left), y: toBase64url(right) };
}

/**
 * Makes a key pair for decryption.
 *
 * @param groupName one of docs/protocol.md section 5
 * @throws RoamingKeyError `unsupported` for another group
 */
export function generateElgamalKey(
  groupName: string,
  random: (length: number) => Uint8Array = randomBytes,
): { readonly x: bigint; readonly publicKey: ElgamalPublicKey } {
  const group = findGroup(groupName);
  if (group === undefined) throw new RoamingKeyError('unsupported', 'no such group');
  const x = randomExponent(group, random);
  return { x, publicKey: { group, y: group.exp(group.generator, x) } };
}

/** A uniform exponent between 1 and q - 1. */
export function randomExponent(group: AnyGroup, random: (length: number) => Uint8Array): bigint {
  const bytes = random(group.scalarLength + 16);
  try {
    return 1n + mod(os2ip(bytes), group.q - 1n);
  } finally {
    wipe(bytes);
  }
}

function coordinate(member: unknown): Uint8Array | undefined {
  return typeof member === 'string' ? fromBase64url(member) : undefined;
}
