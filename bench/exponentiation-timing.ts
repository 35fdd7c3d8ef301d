/**
 * Looks for time that tells a secret exponent, and measures what an answer costs.
 *
 * Method (after Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?"): two classes of exponents, one
 * fixed and as sparse as can be, the other fresh and random for every measurement, in random order; Welch's t-test on
 * the times below several percentiles, and a test of ranks. What is measured is processor time, since other load on the
 * machine would hide a leak in any other. |t| above 4.5 is a leak that was found. Below, none was found with that many
 * measurements, which is no proof. The positive control, plain BigInt exponentiation, must be found out, else the
 * whole run counts for nothing.
 *
 * Run: tsx bench/exponentiation-timing.ts [measurements for each way, default 4000]
 */
import { createDiffieHellman, createECDH, generateKeyPairSync, randomBytes } from 'node:crypto';
import { pow } from '@noble/curves/abstract/modular.js';
import {
  curveProducts,
  importPower,
  ModulusCache,
  objectPower,
  splitPower,
  work,
} from '../lib/assistant/exponentiation-worker.js';
import { ExponentiationPool } from '../lib/assistant/workers.ts';
import { i2osp, os2ip } from '../lib/math/integer.ts';
import { ffdhe2048 } from '../lib/math/modp.ts';

const THRESHOLD = 4.5;
const PERCENTILES = [0.5, 0.75, 0.9, 1];
const BYTES = 256;

const measurements = Number(process.argv[2] ?? 4000);
const jwk = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES }).privateKey.export({ format: 'jwk' });
const modulus = new Uint8Array(Buffer.from(jwk.n as string, 'base64url'));
const secret = new Uint8Array(Buffer.from(jwk.d as string, 'base64url'));
const base = i2osp(os2ip(randomBytes(BYTES)) % os2ip(modulus), BYTES);
const object = createDiffieHellman(modulus, 2);
const prime = i2osp(ffdhe2048.p, BYTES);
const point = new Uint8Array(createECDH('prime256v1').generateKeys());

interface Way {
  readonly name: string;
  readonly exponentLength: number;
  readonly run: (exponent: Uint8Array) => unknown;
  readonly measurements: number;
}

const ways: readonly Way[] = [
  {
    name: 'positive control: BigInt, whole exponent',
    exponentLength: BYTES,
    run: (x) => pow(os2ip(base), os2ip(x), os2ip(modulus)),
    measurements: Math.min(measurements, 400),
  },
  {
    name: 'RSA-2048, imported key',
    exponentLength: BYTES,
    run: (x) => importPower(modulus, base, x),
    measurements,
  },
  {
    name: 'RSA-2048, object for the modulus',
    exponentLength: BYTES,
    run: (x) => objectPower(object, base, x),
    measurements,
  },
  { name: 'ffdhe2048', exponentLength: BYTES, run: (x) => importPower(prime, base, x), measurements },
  {
    name: 'P-256',
    exponentLength: 32,
    run: (x) => curveProducts(x, point, point),
    measurements: 4 * measurements,
  },
  {
    name: 'fallback: BigInt, exponent split at random',
    exponentLength: BYTES,
    run: (x) => splitPower(modulus, base, x),
    measurements: Math.min(measurements, 400),
  },
];

let controlFound = false;
for (const way of ways) {
  const t = largestT(way);
  const found = t > THRESHOLD;
  if (way === ways[0]) controlFound = found;
  console.log(`${way.name.padEnd(46)} |t| = ${t.toFixed(2).padStart(7)}  ${found ? 'LEAK' : 'none found'}`);
}
console.log(
  controlFound ? 'the control was found out' : 'THE CONTROL WAS NOT FOUND OUT: this run shows nothing',
);

const floor = cpuPerRun(200, () => objectPower(object, base, secret));
const cache = new ModulusCache();
const job = { kind: 'power', modulus, base } as const;
for (let i = 0; i < 10; i++) work({ ...job, exponent: secret }, { openssl: true, cache });
const repeated = cpuPerRun(200, () => work({ ...job, exponent: secret }, { openssl: true, cache }));
const first = cpuPerRun(200, () => importPower(modulus, base, secret));
const making = cpuOfMaking(30);
const pool = new ExponentiationPool({ size: 1 });
await pool.start();
for (let i = 0; i < 20; i++) await pool.power({ modulus, base, exponent: secret });
const before = process.cpuUsage();
for (let i = 0; i < 200; i++) await pool.power({ modulus, base, exponent: secret });
const pooled = milliseconds(process.cpuUsage(before)) / 200;
await pool.close();
for (const [name, cost] of Object.entries({
  'floor, one exponentiation': floor,
  'key used often': repeated,
  'key used first': first,
  'the one time that its object is made': making,
  'key used often, through the pool, both threads': pooled,
})) {
  console.log(`${name.padEnd(46)} ${cost.toFixed(2)} ms CPU, ${(cost / floor).toFixed(2)} x the floor`);
}
process.exitCode = controlFound ? 0 : 1;

function largestT({ exponentLength, run, measurements: count }: Way): number {
  const sparse = new Uint8Array(exponentLength);
  sparse[0] = 0x40;
  sparse[exponentLength - 1] = 1;
  const inputs = Array.from({ length: count }, () => {
    const random = new Uint8Array(randomBytes(exponentLength));
    random[0] = ((random[0] as number) & 0x3f) | 0x40;
    const isFixed = (randomBytes(1)[0] as number) < 128;
    return { isFixed, exponent: isFixed ? sparse.slice() : random };
  });
  for (const { exponent } of inputs.slice(0, 50)) run(exponent);
  const times = inputs.map(({ isFixed, exponent }) => {
    const start = process.cpuUsage();
    run(exponent);
    return { isFixed, time: milliseconds(process.cpuUsage(start)) };
  });
  const sorted = times.map(({ time }) => time).sort((a, b) => a - b);
  return Math.max(
    Math.abs(rankSum(times)),
    ...PERCENTILES.map((percentile) => {
      const cut = sorted[Math.ceil(sorted.length * percentile) - 1] as number;
      const kept = times.filter(({ time }) => time <= cut);
      const of = (wanted: boolean) =>
        kept.filter(({ isFixed }) => isFixed === wanted).map(({ time }) => time);
      const [fixed, random] = [of(true), of(false)];
      // Below a low percentile a gross leak leaves one class alone; the higher ones show it.
      return fixed.length < 10 || random.length < 10 ? 0 : Math.abs(welch(fixed, random));
    }),
  );
}

/** Mann and Whitney's z: whether one class is slower more often, whatever a loaded machine adds to a few of them. */
function rankSum(times: readonly { isFixed: boolean; time: number }[]): number {
  const ranked = [...times].sort((a, b) => a.time - b.time);
  const sum = ranked.reduce((total, { isFixed }, i) => total + (isFixed ? i + 1 : 0), 0);
  const fixed = ranked.filter(({ isFixed }) => isFixed).length;
  const [n, m] = [fixed, ranked.length - fixed];
  return (sum - (n * (n + m + 1)) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
}

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const [left, right] = [moments(a), moments(b)];
  return (left.mean - right.mean) / Math.sqrt(left.variance / a.length + right.variance / b.length);
}

function moments(sample: readonly number[]): { mean: number; variance: number } {
  const mean = sample.reduce((sum, x) => sum + x, 0) / sample.length;
  const variance = sample.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

/** What the job costs at which a modulus has come up often enough. */
function cpuOfMaking(count: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) {
    const fresh = { openssl: true, cache: new ModulusCache() };
    do {
      const start = process.cpuUsage();
      work({ ...job, exponent: secret }, fresh);
      if (fresh.cache.size === 1) total += milliseconds(process.cpuUsage(start));
    } while (fresh.cache.size === 0);
  }
  return total / count;
}

function cpuPerRun(count: number, run: () => unknown): number {
  for (let i = 0; i < 10; i++) run();
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) run();
  return milliseconds(process.cpuUsage(start)) / count;
}

function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}
