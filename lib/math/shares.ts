import { os2ip } from './integer.ts';
import { mod } from './modular.ts';

/** Bytes of password material beyond the modulus' own length, so that a reduction leaves no bias to find. */
export const SHARE_MARGIN = 16;

/**
 * The device's share of an RSA exponent, d1 = OS2IP(f), not reduced: the device does not know the order
 * (docs/protocol.md section 3).
 *
 * @param f password material, len(N) + 16 bytes
 * @param modulusLength len(N)
 * @throws RangeError where `f` has another length
 */
export function rsaDeviceShare(f: Uint8Array, modulusLength: number): bigint {
  expectLength(f, modulusLength);
  return os2ip(f);
}

/**
 * The device's share of an ElGamal exponent, x1 = OS2IP(f) mod q (docs/protocol.md section 3).
 *
 * @param f password material, len(q) + 16 bytes
 * @throws RangeError where `f` has another length
 */
export function elgamalDeviceShare(f: Uint8Array, group: { q: bigint; scalarLength: number }): bigint {
  expectLength(f, group.scalarLength);
  return mod(os2ip(f), group.q);
}

/** The assistant's share: what is missing from `deviceShare` to `secret`, modulo the order (phi(N) or q). */
export function complementShare(secret: bigint, deviceShare: bigint, order: bigint): bigint {
  return mod(secret - deviceShare, order);
}

function expectLength(f: Uint8Array, length: number): void {
  if (f.length !== length + SHARE_MARGIN) {
    throw new RangeError(`f must have ${length + SHARE_MARGIN} bytes, not ${f.length}`);
  }
}
