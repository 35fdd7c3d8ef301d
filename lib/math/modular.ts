import { bitLength } from './integer.ts';

const WINDOW = 5;

/** The representative of `n` modulo `modulus` between 0 and `modulus` - 1. */
export function mod(n: bigint, modulus: bigint): bigint {
  const rest = n % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/**
 * `base` to the power `exponent` modulo `modulus`, by fixed windows.
 *
 * Takes time that depends on all three numbers: fit for the device, for public exponents and for tests. An
 * assistant's exponents go through its worker pool instead.
 *
 * @throws RangeError where the exponent is negative or the modulus is not above 1
 */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  if (exponent < 0n) throw new RangeError('power: the exponent is negative');
  if (modulus <= 1n) throw new RangeError('power: the modulus must be above 1');
  const digits = windows(exponent);
  const reduced = mod(base, modulus);
  const table = [1n, reduced];
  for (let i = 2; i < 1 << WINDOW; i++) table.push(((table[i - 1] as bigint) * reduced) % modulus);
  let result = 1n;
  for (const digit of digits) {
    for (let i = 0; i < WINDOW; i++) result = (result * result) % modulus;
    result = (result * (table[digit] as bigint)) % modulus;
  }
  return result;
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

/**
 * Whether `n` passes Miller-Rabin to the given bases: for numbers that their owner chose and would only harm himself
 * by choosing badly. Variable time.
 */
export function isProbablePrime(n: bigint, bases: readonly bigint[] = [2n, 3n, 5n, 7n]): boolean {
  if (n < 2n) return false;
  if (bases.includes(n)) return true;
  if ((n & 1n) === 0n) return false;
  const twos = trailingZeros(n - 1n);
  const odd = (n - 1n) >> BigInt(twos);
  return bases.every((base) => {
    let x = power(base, odd, n);
    if (x === 1n || x === n - 1n) return true;
    for (let i = 1; i < twos; i++) {
      x = (x * x) % n;
      if (x === n - 1n) return true;
    }
    return false;
  });
}

/** The exponent in base 2^WINDOW, most significant digit first; none for 0. */
function windows(exponent: bigint): number[] {
  const count = Math.ceil(bitLength(exponent) / WINDOW);
  const bits = exponent.toString(2).padStart(count * WINDOW, '0');
  return Array.from({ length: count }, (_, i) =>
    Number.parseInt(bits.slice(i * WINDOW, (i + 1) * WINDOW), 2),
  );
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
