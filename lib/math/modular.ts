import { pow } from '@noble/curves/abstract/modular.js';

/** The representative of `n` modulo `modulus` between 0 and `modulus` - 1. */
export function mod(n: bigint, modulus: bigint): bigint {
  const rest = n % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/**
 * `base` to the power `exponent` modulo `modulus`.
 *
 * Its time depends on the exponent: for devices, public exponents and tests. An assistant's exponents go through its
 * worker pool.
 *
 * @throws RangeError where the exponent is negative or the modulus is not above 1
 */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  if (exponent < 0n) throw new RangeError('power: the exponent must not be negative');
  if (modulus <= 1n) throw new RangeError(`power: the modulus must be above 1, and is ${modulus}`);
  // noble does not reduce the base where the exponent is 1.
  return pow(mod(base, modulus), exponent, modulus);
}

/**
 * The inverse of `n` modulo `modulus`, by Euclid's extended algorithm.
 *
 * @returns `undefined` where `n` and `modulus` share a factor
 */
export function inverse(n: bigint, modulus: bigint): bigint | undefined {
  let [a, b] = [mod(n, modulus), modulus];
  let [x, y] = [1n, 0n];
  while (a !== 0n) {
    const quotient = b / a;
    [a, b] = [b - quotient * a, a];
    [x, y] = [y - quotient * x, x];
  }
  return b === 1n ? mod(y, modulus) : undefined;
}

/**
 * The Jacobi symbol (`n` / `modulus`) for an odd positive modulus: for a prime it tells the squares (1) from the
 * rest (-1), at the price of one greatest common divisor. Variable time.
 *
 * @throws RangeError where the modulus is even or not positive
 */
export function jacobi(n: bigint, modulus: bigint): -1 | 0 | 1 {
  if (modulus <= 0n || (modulus & 1n) === 0n) throw new RangeError('jacobi: the modulus must be odd');
  let [a, b] = [mod(n, modulus), modulus];
  let symbol: -1 | 1 = 1;
  while (a !== 0n) {
    const zeros = trailingZeros(a);
    a >>= BigInt(zeros);
    const eighth = Number(b & 7n);
    if (zeros % 2 === 1 && (eighth === 3 || eighth === 5)) symbol = symbol === 1 ? -1 : 1;
    if (Number(a & 3n) === 3 && eighth % 4 === 3) symbol = symbol === 1 ? -1 : 1;
    [a, b] = [b % a, a];
  }
  return b === 1n ? symbol : 0;
}

function trailingZeros(n: bigint): number {
  let zeros = 0;
  let rest = n;
  for (;;) {
    const low = Number(BigInt.asUintN(32, rest));
    if (low !== 0) return zeros + 31 - Math.clz32(low & -low);
    rest >>= 32n;
    zeros += 32;
  }
}
