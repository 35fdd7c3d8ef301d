import { p256 as curve } from '@noble/curves/nist.js';
import type { Group } from './group.ts';
import { mod } from './modular.ts';

const { Point } = curve;
const q = Point.Fn.ORDER;
const UNCOMPRESSED = 4;

/** A point of P-256. */
export type P256Point = typeof Point.BASE;

/** NIST P-256 (cofactor 1), elements as uncompressed SEC1 points of 65 bytes. */
export const p256: Group<P256Point> = {
  name: 'P-256',
  q,
  scalarLength: 32,
  elementLength: 65,
  generator: Point.BASE,
  secretLength: 32,

  encode(element) {
    if (element.is0()) throw new RangeError('P-256: the identity has no encoding');
    return element.toBytes(false) as Uint8Array<ArrayBuffer>;
  },
  decode(bytes) {
    if (bytes.length !== 65 || bytes[0] !== UNCOMPRESSED) return undefined;
    try {
      const point = Point.fromBytes(bytes);
      point.assertValidity();
      return point.is0() ? undefined : point;
    } catch {
      return undefined;
    }
  },
  exp(element, exponent) {
    const k = mod(exponent, q);
    return k === 0n || element.is0() ? Point.ZERO : element.multiply(k);
  },
  multiply: (a, b) => a.add(b),
  invert: (element) => element.negate(),
  equals: (a, b) => a.equals(b),
  isIdentity: (element) => element.is0(),
  secret(element) {
    const encoded = p256.encode(element);
    const x = encoded.slice(1, 33);
    encoded.fill(0);
    return x;
  },
};
