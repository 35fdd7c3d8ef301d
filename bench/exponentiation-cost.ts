/**
 * What an exponentiation of the assistant's costs, in time of the processor, beside the floor: one in OpenSSL alone.
 *
 *     npx tsx bench/exponentiation-cost.ts
 */
import { createDiffieHellman, randomBytes } from 'node:crypto';
import { ExponentiationPool } from '../lib/exponentiation/pool.ts';
import { importPower, ModulusCache, objectPower, work } from '../lib/exponentiation/worker.js';
import { i2osp, os2ip } from '../lib/math/integer.ts';
import { generateKeyPairSync } from '../test/support/key-pair.ts';

const BYTES = 256;

const jwk = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES }).privateKey.export({ format: 'jwk' });
const modulus = new Uint8Array(Buffer.from(jwk.n as string, 'base64url'));
const secret = new Uint8Array(Buffer.from(jwk.d as string, 'base64url'));
const base = i2osp(os2ip(randomBytes(BYTES)) % os2ip(modulus), BYTES);
const object = createDiffieHellman(modulus, 2);

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
