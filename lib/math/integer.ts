import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';

/** OS2IP of RFC 8017 section 4.2: the integer that big-endian `bytes` spell; 0 for none. */
export function os2ip(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : bytesToNumberBE(bytes);
}

/**
 * I2OSP of RFC 8017 section 4.1: `n` as exactly `length` bytes, big-endian.
 *
 * @throws RangeError where `n` is negative or does not fit; nothing is ever cut off
 */
export function i2osp(n: bigint, length: number): Uint8Array<ArrayBuffer> {
  if (n < 0n || n >> BigInt(8 * length) !== 0n) {
    throw new RangeError(`i2osp: the number does not fit into ${length} bytes`);
  }
  return length === 0 ? new Uint8Array(0) : (numberToBytesBE(n, length) as Uint8Array<ArrayBuffer>);
}

/** How many bits a non-negative integer has; 0 for 0. */
export function bitLength(n: bigint): number {
  if (n < 0n) throw new RangeError('bitLength: the number is negative');
  return n === 0n ? 0 : n.toString(2).length;
}

/** How many bytes hold every integer below `modulus`. */
export function byteLength(modulus: bigint): number {
  return Math.ceil(bitLength(modulus) / 8);
}
