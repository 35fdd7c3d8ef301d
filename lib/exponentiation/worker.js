/**
 * The worker thread behind `ExponentiationPool`: exponentiations whose time does not tell the exponent.
 *
 * Plain JavaScript, and free of imports of our own, since Node 20 cannot load TypeScript into a worker and the package
 * runs from source in development.
 *
 * Where the time goes: OpenSSL exponentiates with a secret in constant time in its Diffie-Hellman code. Node reaches
 * it in two ways. (1) Importing a private DH key with p = N, g = base and x = exponent computes the public value
 * g^x mod p: no test of N, right for any odd N and any base, 8 to 40 % above the bare exponentiation. (2) A
 * `DiffieHellman` object for N is the bare exponentiation, but making one tests N for primality: cheap for a
 * composite, 50 exponentiations and more for a prime that an attacker put into a ticket. So (1) serves
 * every modulus, and (2) one that came up often and has proven composite. Where OpenSSL cannot do it, BigInt does,
 * with the exponent split afresh at random for every call.
 */
import { createDiffieHellman, createECDH, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { setPriority } from 'node:os';
import process from 'node:process';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { pow } from '@noble/curves/abstract/modular.js';
import { p256 } from '@noble/curves/nist.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';

/**
 * @typedef {ReturnType<typeof createDiffieHellman>} ModulusObject
 * @typedef {typeof p256.Point.BASE} CurvePoint
 * @typedef {{ base: Uint8Array, generator: Uint8Array }} GroupPowers
 * @typedef {{ kind: 'power', modulus: Uint8Array, base: Uint8Array, exponent: Uint8Array }} PowerJob
 * @typedef {{
 *   kind: 'groupPowers',
 *   modulus?: Uint8Array,
 *   generator: Uint8Array,
 *   base: Uint8Array,
 *   exponents: Uint8Array[],
 * }} GroupPowersJob `modulus` is absent for P-256
 * @typedef {{ id: number, job: PowerJob | GroupPowersJob }} Request
 */

/** Uses of a modulus after which its own object pays: making it costs some two and a half exponentiations. */
const USES_BEFORE_CACHING = 8;
const CACHED_MODULI = 32;
/**
 * Enough for requests to go first, and little enough that other programs on a busy machine do not starve these threads: 19 gives
 * a seventieth of what a program beside them gets, 5 a third.
 */
const NICENESS = 5;
const WATCHED_MODULI = 256;

const { Point } = p256;
const DH_ALGORITHM = Buffer.from('06092a864886f70d010301', 'hex');
const ONE = Uint8Array.of(1);

/**
 * base^exponent mod modulus in constant time, by importing a DH private key; all three big-endian.
 *
 * @param {Uint8Array} modulus odd, 512 bits at least
 * @param {Uint8Array} base below the modulus
 * @param {Uint8Array} exponent not 0
 * @returns {Uint8Array} as many bytes as the modulus has
 */
export function importPower(modulus, base, exponent) {
  const params = derSequence(DH_ALGORITHM, derSequence(derInteger(modulus), derInteger(base)));
  const number = derInteger(exponent);
  const secret = der(4, number);
  const key = derSequence(derInteger(Uint8Array.of(0)), params, secret);
  try {
    const imported = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    return publicValue(createPublicKey(imported).export({ format: 'der', type: 'spki' }), modulus.length);
  } finally {
    for (const buffer of [number, secret, key]) buffer.fill(0);
  }
}

/**
 * base^exponent mod modulus in constant time, by an object made once for the modulus.
 *
 * @param {ModulusObject} object of `createDiffieHellman(modulus)`
 * @param {Uint8Array} base
 * @param {Uint8Array} exponent
 * @returns {Uint8Array | undefined} nothing where OpenSSL refuses the base or the result as a key: 0, 1, N - 1
 */
export function objectPower(object, base, exponent) {
  try {
    object.setPrivateKey(exponent);
    const power = new Uint8Array(object.computeSecret(base));
    // Some releases of Node give an empty secret where others throw.
    return power.length === base.length ? power : undefined;
  } catch {
    return undefined;
  } finally {
    // OpenSSL clears the number that another one replaces.
    object.setPrivateKey(ONE);
  }
}

/**
 * base^exponent mod modulus as the product of two powers whose exponents are random and add up. Their times differ
 * from call to call and tell nothing of the sum but its length.
 *
 * @param {Uint8Array} modulus
 * @param {Uint8Array} base
 * @param {Uint8Array} exponent not 0
 * @returns {Uint8Array}
 */
export function splitPower(modulus, base, exponent) {
  const n = bytesToNumberBE(modulus);
  const b = bytesToNumberBE(base) % n;
  const [left, right] = splitExponent(exponent);
  return numberToBytesBE((pow(b, left, n) * pow(b, right, n)) % n, modulus.length);
}

/**
 * k·W and k·G on P-256 as full points, with k in OpenSSL's hands alone. What is done in BigInt afterwards takes a time
 * that depends on the two results, which the peer receives, or can compute.
 *
 * OpenSSL gives the x coordinate of k·W alone. Which of the two points it belongs to shows in the x coordinate of
 * k·(W + G) = k·W + k·G.
 *
 * @param {Uint8Array} base W, uncompressed, on the curve
 * @param {Uint8Array} exponent k, 32 bytes, between 1 and q - 1
 * @returns {GroupPowers}
 */
export function curvePowers(base, exponent) {
  const w = Point.fromBytes(base);
  if (w.equals(Point.BASE) || w.equals(Point.BASE.negate())) {
    const { generator } = curveProducts(exponent);
    const kG = Point.fromBytes(generator);
    return { base: (w.equals(Point.BASE) ? kG : kG.negate()).toBytes(false), generator };
  }
  const { generator, products } = curveProducts(exponent, base, w.add(Point.BASE).toBytes(false));
  const [x, shiftedX] = /** @type {[Uint8Array, Uint8Array]} */ (products);
  const even = Point.fromBytes(Uint8Array.of(2, ...x));
  const isEven = even.add(Point.fromBytes(generator)).x === bytesToNumberBE(shiftedX);
  return { base: (isEven ? even : even.negate()).toBytes(false), generator };
}

/**
 * k·G, and the x coordinates of k's products with the points, in constant time.
 *
 * @param {Uint8Array} exponent k
 * @param {Uint8Array[]} points uncompressed
 */
export function curveProducts(exponent, ...points) {
  const ecdh = createECDH('prime256v1');
  try {
    ecdh.setPrivateKey(exponent);
    const generator = new Uint8Array(ecdh.getPublicKey());
    return { generator, products: points.map((point) => new Uint8Array(ecdh.computeSecret(point))) };
  } finally {
    // OpenSSL clears the number that another one replaces.
    ecdh.setPrivateKey(ONE);
  }
}

/**
 * The same without OpenSSL, the exponent split afresh at random.
 *
 * @param {Uint8Array} base
 * @param {Uint8Array} exponent
 * @returns {GroupPowers}
 */
export function splitCurvePowers(base, exponent) {
  const [left, right] = splitExponent(exponent);
  /** @param {CurvePoint} point @param {bigint} k */
  const times = (point, k) => (k === 0n ? Point.ZERO : point.multiply(k));
  /** @param {CurvePoint} point */
  const product = (point) => times(point, left).add(times(point, right)).toBytes(false);
  return { base: product(Point.fromBytes(base)), generator: product(Point.BASE) };
}

/** Remembers, within bounds, how often each modulus came up, and keeps objects for those that came up often. */
export class ModulusCache {
  /** @type {Map<string, { uses: number, prime: boolean }>} */
  #watched = new Map();
  /** @type {Map<string, ModulusObject>} */
  #objects = new Map();

  /**
   * The object for a modulus, from the `USES_BEFORE_CACHING`th use on.
   *
   * @param {Uint8Array} modulus
   * @returns {ModulusObject | undefined}
   */
  get(modulus) {
    const name = Buffer.from(modulus).toString('base64');
    const object = this.#objects.get(name);
    if (object !== undefined) {
      touch(this.#objects, name, object, CACHED_MODULI);
      return object;
    }
    const seen = this.#watched.get(name) ?? { uses: 0, prime: false };
    seen.uses += 1;
    touch(this.#watched, name, seen, WATCHED_MODULI);
    if (seen.prime || seen.uses < USES_BEFORE_CACHING) return undefined;
    if (isFermatPrime(modulus)) {
      seen.prime = true;
      return undefined;
    }
    const made = createDiffieHellman(modulus, 2);
    this.#watched.delete(name);
    touch(this.#objects, name, made, CACHED_MODULI);
    return made;
  }

  /** How many moduli have an object. */
  get size() {
    return this.#objects.size;
  }
}

/**
 * Compares every way of computing with BigInt, so that a runtime that lacks one, or gets it wrong, is found out before
 * the first request.
 *
 * @returns {boolean} whether OpenSSL's ways can be used
 */
export function selfTest() {
  try {
    const modulus = randomBytes(128);
    modulus[0] = /** @type {number} */ (modulus[0]) | 0x80;
    modulus[127] = /** @type {number} */ (modulus[127]) | 1;
    const n = bytesToNumberBE(modulus);
    const exponent = randomBytes(128);
    exponent[0] = 1;
    const object = createDiffieHellman(modulus, 2);
    for (const base of [0n, 1n, 2n, n - 1n, bytesToNumberBE(randomBytes(127))]) {
      const bytes = numberToBytesBE(base, 128);
      const expected = pow(base, bytesToNumberBE(exponent), n);
      if (bytesToNumberBE(importPower(modulus, bytes, exponent)) !== expected) return false;
      const direct = objectPower(object, bytes, exponent);
      if (direct !== undefined && bytesToNumberBE(direct) !== expected) return false;
    }
    const scalar = numberToBytesBE(1n + (bytesToNumberBE(randomBytes(32)) % (Point.Fn.ORDER - 1n)), 32);
    const point = Point.BASE.multiply(1n + bytesToNumberBE(randomBytes(31))).toBytes(false);
    const [fast, slow] = [curvePowers(point, scalar), splitCurvePowers(point, scalar)];
    return Buffer.compare(fast.base, slow.base) === 0 && Buffer.compare(fast.generator, slow.generator) === 0;
  } catch {
    return false;
  }
}

/**
 * Does one job.
 *
 * @param {PowerJob | GroupPowersJob} job
 * @param {{ openssl: boolean, cache: ModulusCache }} engine
 * @returns {Uint8Array[]} the power, or generator's and base's for each exponent in turn
 */
export function work(job, { openssl, cache }) {
  if (job.kind === 'power') {
    const { modulus, base, exponent } = job;
    if (!openssl) return [splitPower(modulus, base, exponent)];
    const object = cache.get(modulus);
    const direct = object === undefined ? undefined : objectPower(object, base, exponent);
    return [direct ?? importPower(modulus, base, exponent)];
  }
  const { modulus, generator, base, exponents } = job;
  const power = openssl ? importPower : splitPower;
  return exponents.flatMap((exponent) => {
    if (modulus !== undefined) return [power(modulus, generator, exponent), power(modulus, base, exponent)];
    const powers = openssl ? curvePowers(base, exponent) : splitCurvePowers(base, exponent);
    return [powers.generator, powers.base];
  });
}

/**
 * Random numbers from 0 that add up to the exponent.
 *
 * @param {Uint8Array} exponent not 0
 * @returns {[bigint, bigint]}
 */
function splitExponent(exponent) {
  const e = bytesToNumberBE(exponent);
  const left = bytesToNumberBE(randomBytes(exponent.length + 16)) % e;
  return [left, e - left];
}

/**
 * Whether 2^(n-1) = 1 mod n: true for every prime, and for few composites, which then go without an object.
 *
 * @param {Uint8Array} modulus odd
 */
function isFermatPrime(modulus) {
  const exponent = Uint8Array.from(modulus);
  exponent[exponent.length - 1] = /** @type {number} */ (exponent[exponent.length - 1]) - 1;
  return bytesToNumberBE(importPower(modulus, Uint8Array.of(2), exponent)) === 1n;
}

/**
 * Makes an entry the youngest, and drops the oldest beyond the limit.
 *
 * @template V
 * @param {Map<string, V>} map
 * @param {string} name
 * @param {V} value
 * @param {number} limit
 */
function touch(map, name, value, limit) {
  map.delete(name);
  map.set(name, value);
  const oldest = map.size > limit ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}

/**
 * @param {number} tag
 * @param {Uint8Array[]} contents
 */
function der(tag, ...contents) {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Uint8Array.from([tag, ...size]), ...contents]);
}

/** @param {Uint8Array[]} contents */
function derSequence(...contents) {
  return der(0x30, ...contents);
}

/** @param {Uint8Array} bytes an unsigned number */
function derInteger(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const number = bytes.subarray(start);
  return /** @type {number} */ (number[0]) >= 0x80 ? der(2, Uint8Array.of(0), number) : der(2, number);
}

/**
 * The public value of SubjectPublicKeyInfo: SEQUENCE { algorithm, BIT STRING { 0, INTEGER } }.
 *
 * @param {Uint8Array} spki
 * @param {number} length
 * @returns {Uint8Array}
 */
function publicValue(spki, length) {
  const [, bitString] = derContents(derContents(spki)[0]);
  const [number] = derContents(/** @type {Uint8Array} */ (bitString).subarray(1));
  const digits = /** @type {Uint8Array} */ (number);
  const value = new Uint8Array(length);
  const significant = digits.length > length ? digits.subarray(digits.length - length) : digits;
  value.set(significant, length - significant.length);
  return value;
}

/**
 * The contents of the DER values that follow one another in `bytes`, which OpenSSL wrote.
 *
 * @param {Uint8Array | undefined} bytes
 * @returns {Uint8Array[]}
 */
function derContents(bytes = new Uint8Array()) {
  const contents = [];
  for (let at = 0; at < bytes.length; ) {
    const first = /** @type {number} */ (bytes[at + 1]);
    const sizeBytes = first < 128 ? 0 : first - 128;
    const size = sizeBytes === 0 ? first : Number(bytesToNumberBE(bytes.slice(at + 2, at + 2 + sizeBytes)));
    const start = at + 2 + sizeBytes;
    contents.push(bytes.subarray(start, start + size));
    at = start + size;
  }
  return contents;
}

/** @param {PowerJob | GroupPowersJob} job */
function secretsOf(job) {
  return job.kind === 'power' ? [job.exponent] : job.exponents;
}

/**
 * Lets the thread that answers requests go first where both want one processor. On Linux a thread has a priority of its
 * own; elsewhere this would be the whole process's.
 */
function stepBack() {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, NICENESS);
  } catch {
    // Where it is forbidden, all go on as equals.
  }
}

if (!isMainThread && parentPort !== null && workerData === 'roaming-key exponentiation') {
  const port = parentPort;
  stepBack();
  const engine = { openssl: selfTest(), cache: new ModulusCache() };
  port.on('message', (/** @type {Request} */ { id, job }) => {
    /** @type {Uint8Array[] | undefined} */
    let results;
    try {
      results = work(job, engine);
    } catch {
      results = undefined;
    } finally {
      for (const secret of secretsOf(job)) secret.fill(0);
    }
    port.postMessage({ id, results });
  });
  port.postMessage({ ready: true, openssl: engine.openssl });
}
