import { execFile } from 'node:child_process';
import { createECDH, createPublicKey, generatePrimeSync, randomBytes, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ExponentiationPool } from '../../lib/exponentiation/pool.ts';
import {
  curvePowers,
  importPower,
  ModulusCache,
  objectPower,
  selfTest,
  splitCurvePowers,
  splitPower,
  work,
} from '../../lib/exponentiation/worker.js';
import { type AnyGroup, findGroup, GROUP_NAMES, type GroupElement } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { power } from '../../lib/math/modular.ts';
import {
  answerDecryption,
  completeDecryption,
  splitElgamalKey,
} from '../../lib/protocol/schemes/elgamal-decryption.ts';
import { generateElgamalKey } from '../../lib/protocol/schemes/elgamal-keys.ts';
import {
  answerSigning,
  completeSigning,
  readRsaShare,
  splitRsaKey,
} from '../../lib/protocol/schemes/rsa-signing.ts';
import { compiledModules } from '../support/builds.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';

const unavailable = expect.objectContaining({ code: 'unavailable' });
const random = (length: number) => new Uint8Array(randomBytes(length));
const number = (member: string | undefined) => os2ip(Buffer.from(member as string, 'base64url'));

function rsaKey(modulusLength = 2048) {
  const jwk = generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ format: 'jwk' });
  const [n, e, d, p, q] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(number) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return { n, e, d, p, q, jwk: { kty: 'RSA', n: jwk.n as string, e: jwk.e as string } };
}

const key = rsaKey();
const modulus = i2osp(key.n, 256);
const exponent = i2osp(key.d, 256);
const below = (n: bigint) => i2osp(os2ip(random(256)) % n, 256);

describe('ways to exponentiate', () => {
  it('agree with BigInt, for every base a hostile ticket could bring about', () => {
    expect(selfTest()).toBe(true);
    const hostile = [0n, 1n, 2n, key.n - 1n, key.n - 2n, key.p, key.p * 2n, os2ip(below(key.n))];
    for (const base of hostile) {
      for (const x of [1n, 2n, key.d, (key.p - 1n) * (key.q - 1n), key.n - 1n]) {
        const expected = i2osp(power(base, x, key.n), 256);
        const [b, e] = [i2osp(base, 256), i2osp(x, 256)];
        expect(importPower(modulus, b, e)).toEqual(expected);
        expect(splitPower(modulus, b, e)).toEqual(expected);
        expect(work({ kind: 'power', modulus, base: b, exponent: e }, engine(modulus))).toEqual([expected]);
      }
    }
  });

  it('take any odd modulus: prime, a power, or full of small factors', () => {
    const smooth = 3n ** 1292n;
    const moduli = [
      os2ip(new Uint8Array(generatePrimeSync(2048))),
      smooth,
      key.p * key.p,
      (1n << 2048n) - 1n,
    ];
    for (const n of moduli) {
      const [m, b, e] = [i2osp(n, 256), below(n), below(n)];
      const expected = i2osp(power(os2ip(b), os2ip(e), n), 256);
      expect(importPower(m, b, e)).toEqual(expected);
      expect(work({ kind: 'power', modulus: m, base: b, exponent: e }, engine(m))).toEqual([expected]);
    }
  });

  it('give whole points of P-256, for every scalar and at the points where the trick has no room', () => {
    const { q, generator } = findGroup('P-256') as AnyGroup;
    const group = findGroup('P-256') as AnyGroup;
    const points = [1n, q - 1n, 2n, q - 2n, os2ip(random(31))].map((k) => group.exp(generator, k));
    for (const point of points) {
      for (const k of [1n, 2n, q - 1n, q - 2n, os2ip(random(31)), q - os2ip(random(31))]) {
        const expected = {
          base: group.encode(group.exp(point, k)),
          generator: group.encode(group.exp(generator, k)),
        };
        const [bytes, scalar] = [group.encode(point), i2osp(k, 32)];
        expect(curvePowers(bytes, scalar)).toEqual(expected);
        expect(splitCurvePowers(bytes, scalar)).toEqual(expected);
      }
    }
  });

  it('keep nothing of one job for the next', () => {
    const cache = new ModulusCache();
    const made = Array.from({ length: 8 }, () => cache.get(modulus)).at(-1);
    expect(made).toBeDefined();
    if (made === undefined) return;
    objectPower(made, below(key.n), exponent);
    expect(BigInt(`0x${made.getPrivateKey('hex')}`)).toBe(1n);
    // A base that OpenSSL refuses leaves nothing either.
    expect(objectPower(made, i2osp(1n, 256), exponent)).toBeUndefined();
    expect(BigInt(`0x${made.getPrivateKey('hex')}`)).toBe(1n);
  });
});

describe('objects for moduli', () => {
  it('are made for moduli that come up often', () => {
    const cache = new ModulusCache();
    const gets = Array.from({ length: 10 }, () => cache.get(modulus) !== undefined);
    expect(gets.indexOf(true)).toBe(7);
    expect(gets.slice(7)).toEqual([true, true, true]);
    expect(cache.size).toBe(1);
  });

  it('are never made for a prime, whose test would cost a hundred exponentiations', () => {
    const cache = new ModulusCache();
    const prime = new Uint8Array(generatePrimeSync(1024));
    for (let i = 0; i < 30; i++) expect(cache.get(prime)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('are bounded, whoever floods the cache', () => {
    const cache = new ModulusCache();
    for (let i = 0; i < 40; i++) {
      const flood = random(64);
      flood[0] = 0x80;
      // A multiple of 3 is no prime; low bits set, so that it is odd.
      const odd = i2osp((os2ip(flood) / 6n) * 6n + 3n, 64);
      for (let use = 0; use < 8; use++) cache.get(odd);
    }
    expect(cache.size).toBe(32);
  });
});

describe('the pool', () => {
  const pool = new ExponentiationPool({ size: 2 });
  afterAll(() => pool.close());

  it('signs with a shared key', async () => {
    const f = random(272);
    const share = readRsaShare(splitRsaKey(key, f));
    const message = Buffer.from('message');
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', message));
    const request = { alg: 'RS256', digest } as const;
    const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' });
    const before = Buffer.from(share.d2);
    // Often enough for the object of the modulus to be made and used.
    for (let i = 0; i < 24; i++) {
      const nu = await answerSigning(share, request, pool);
      if (i % 8 !== 0) continue;
      const signature = completeSigning({ n: key.n, e: key.e, f, request, nu });
      expect(verify('sha256', message, publicKey, signature)).toBe(true);
    }
    // The caller's own copy is the caller's to wipe.
    expect(before.equals(share.d2)).toBe(true);
    // The second worker may still be starting: nothing waited for it.
    const all = { workers: 2, running: 0, waiting: 0, constantTime: true };
    await expect.poll(() => pool.status).toEqual(all);
  });

  it.each(GROUP_NAMES)('decrypts with a shared key in %s', async (name) => {
    const { x, publicKey } = generateElgamalKey(name);
    const { group, y } = publicKey;
    const f = random(group.scalarLength + 16);
    const { x2 } = splitElgamalKey(publicKey, x, f);
    const k = os2ip(random(16));
    const w = group.encode(group.exp(group.generator, k));
    const answer = await answerDecryption({ group, x2 }, w, pool);
    const z = await completeDecryption({ publicKey, f, w, answer });
    expect(z).toEqual(group.secret(group.exp(y, k)));
  });

  it('makes a fresh proof for every answer', async () => {
    const group = findGroup('P-256') as AnyGroup;
    const x2 = i2osp(12_345n, 32);
    const w = new Uint8Array(createECDH('prime256v1').generateKeys());
    const [one, two] = [
      await answerDecryption({ group, x2 }, w, pool),
      await answerDecryption({ group, x2 }, w, pool),
    ];
    expect(one.nu).toEqual(two.nu);
    expect(one.proof.c).not.toEqual(two.proof.c);
    expect(one.proof.s).not.toEqual(two.proof.s);
  });

  it('takes buffers that are part of larger ones', async () => {
    const large = new Uint8Array(1000);
    large.set(modulus, 7);
    large.set(exponent, 300);
    const base = below(key.n);
    const job = { modulus: large.subarray(7, 263), base, exponent: large.subarray(300, 556) };
    expect(await pool.power(job)).toEqual(i2osp(power(os2ip(base), key.d, key.n), 256));
  });

  it('leaves the calling thread free', async () => {
    const group = findGroup('ffdhe3072') as AnyGroup;
    const base = group.encode(4n as GroupElement);
    const exponents = [random(384).fill(1), random(384).fill(2)];
    let turns = 0;
    let next = setImmediate(function turn() {
      turns++;
      next = setImmediate(turn);
    });
    await Promise.all(
      Array.from({ length: 8 }, () => pool.groupPowers({ group: group.name, base, exponents })),
    );
    clearImmediate(next);
    // Thousands; a thread that did the work itself would turn about once for each.
    expect(turns).toBeGreaterThan(100);
  });

  it('refuses what a validated ticket cannot hold', async () => {
    const base = below(key.n);
    const good = { modulus, base, exponent };
    const jobs = [
      { ...good, modulus: modulus.map((byte, i) => (i === 255 ? byte & 0xfe : byte)) },
      { ...good, modulus: modulus.map((byte, i) => (i === 0 ? 0 : byte)) },
      { modulus: modulus.slice(0, 64), base: base.slice(0, 64), exponent: exponent.slice(0, 64) },
      { ...good, modulus: random(1024) },
      { ...good, modulus: new Uint8Array() },
      { ...good, base: modulus },
      { ...good, base: new Uint8Array(256).fill(255) },
      { ...good, base: base.slice(1) },
      { ...good, exponent: new Uint8Array(256) },
      { ...good, exponent: exponent.slice(1) },
    ];
    for (const job of jobs) await expect(pool.power(job)).rejects.toThrow(RangeError);
    const point = new Uint8Array(createECDH('prime256v1').generateKeys());
    const one = i2osp(1n, 32);
    const groupJobs = [
      { group: 'P-384', base: point, exponents: [one] },
      { group: 'P-256', base: point.subarray(1), exponents: [one] },
      { group: 'P-256', base: point, exponents: [] },
      { group: 'P-256', base: point, exponents: [one, one, one] },
      { group: 'P-256', base: point, exponents: [new Uint8Array(32)] },
      { group: 'P-256', base: point, exponents: [i2osp(1n, 33)] },
    ];
    for (const job of groupJobs) await expect(pool.groupPowers(job)).rejects.toThrow(RangeError);
  });

  it('outlives a job that a worker cannot do', async () => {
    const offCurve = new Uint8Array(65).fill(4);
    const job = { group: 'P-256', exponents: [i2osp(1n, 32)] };
    await expect(pool.groupPowers({ ...job, base: offCurve })).rejects.toEqual(unavailable);
    const base = new Uint8Array(createECDH('prime256v1').generateKeys());
    await expect(pool.groupPowers({ ...job, base })).resolves.toHaveLength(1);
    expect(pool.status.workers).toBe(2);
  });
});

describe('the bounds of a pool', () => {
  const job = () => ({ modulus, base: below(key.n), exponent });

  it('are refused where they make no sense', () => {
    const options = [
      { size: 0 },
      { size: 1.5 },
      { size: 1000 },
      { queue: -1 },
      { timeLimit: 0 },
      { timeLimit: 1e9 },
    ];
    for (const each of options) {
      expect(() => new ExponentiationPool(each)).toThrow(new RegExp(Object.keys(each)[0] as string));
    }
  });

  it('give an address as many places as it leaves free, and say when to come back', () => {
    const pool = new ExponentiationPool({ size: 1, queue: 15, now: () => 1000 });
    const enter = (address: string) => {
      const visit = pool.visit(address);
      visit.enter();
      return visit;
    };
    const flood = Array.from({ length: 8 }, () => enter('a'));
    const busy = expect.objectContaining({ code: 'busy', retryAt: 1001 });
    expect(() => enter('a')).toThrow(busy);
    for (let i = 0; i < 4; i++) enter('b');
    expect(() => enter('b')).toThrow(busy);
    for (const address of ['c', 'd', 'e']) enter(address);
    for (const visit of flood.slice(0, 5)) {
      visit.leave();
      // A second time changes nothing.
      visit.leave();
    }
    for (let i = 0; i < 2; i++) enter('f');
    expect(() => enter('a')).not.toThrow();
  });

  it('serve addresses in turn', async () => {
    const pool = new ExponentiationPool({ size: 1 });
    try {
      const order: string[] = [];
      const ask = (address: string) => pool.power(job(), address).then(() => void order.push(address));
      await Promise.all(['a', 'a', 'a', 'a', 'a', 'a', 'b', 'c', 'c'].map(ask));
      expect(order.join('')).toBe('abcacaaaa');
    } finally {
      await pool.close();
    }
  });

  /** The next job never arrives at its thread, which the pool takes for running. */
  const loseJob = () => {
    const postMessage = Reflect.get(Worker.prototype, 'postMessage') as (...args: unknown[]) => void;
    let isLost = false;
    const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
      this: Worker,
      ...args
    ) {
      if (isLost || !Object.hasOwn(args[0] as object, 'job')) Reflect.apply(postMessage, this, args);
      isLost = true;
    });
    onTestFinished(() => spy.mockRestore());
  };

  it('end a job that takes too long, and the worker with it, and put another in its place', async () => {
    const pool = new ExponentiationPool({ size: 1, timeLimit: 1000 });
    try {
      await pool.start();
      loseJob();
      await expect(pool.power(job())).rejects.toEqual(unavailable);
      expect(pool.status.workers).toBe(0);
      await expect.poll(() => pool.power(job()).catch(() => [])).toHaveLength(256);
      expect(pool.status.workers).toBe(1);
    } finally {
      await pool.close();
    }
  });

  it('give up jobs that wait too long', async () => {
    const pool = new ExponentiationPool({ size: 1, timeLimit: 300 });
    try {
      await pool.start();
      loseJob();
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => pool.power(job())));
      expect(results.map((result) => (result as PromiseRejectedResult).reason.code)).toEqual([
        'unavailable',
        ...Array.from({ length: 9 }, () => 'busy'),
      ]);
      expect(pool.status).toMatchObject({ running: 0, waiting: 0 });
    } finally {
      await pool.close();
    }
  });

  it('close after the work that is there, and for good', async () => {
    const pool = new ExponentiationPool({ size: 1 });
    const jobs = Array.from({ length: 5 }, () => pool.power(job()));
    const closed = Promise.all([pool.close(), pool.close()]);
    await expect(pool.power(job())).rejects.toEqual(unavailable);
    await expect(Promise.all(jobs)).resolves.toHaveLength(5);
    await closed;
    expect(pool.status).toMatchObject({ workers: 0, running: 0, waiting: 0 });
    await expect(pool.power(job())).rejects.toEqual(unavailable);
    await expect(pool.start()).rejects.toEqual(unavailable);
  });

  it('close a pool that never started', async () => {
    await expect(new ExponentiationPool({ size: 1 }).close()).resolves.toBeUndefined();
  });

  it('let the process end when the pool is idle', async () => {
    const script = `
      import { ExponentiationPool } from '${await compiledModules()}exponentiation/pool.js';
      const pool = new ExponentiationPool({ size: 2 });
      const nu = await pool.power({
        modulus: new Uint8Array(256).fill(255), base: new Uint8Array(256).fill(1), exponent: new Uint8Array(256).fill(2),
      });
      console.log(nu.length);
    `;
    const args = ['--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
    expect(stdout.trim()).toBe('256');
  });
});

function engine(modulus: Uint8Array) {
  const cache = new ModulusCache();
  for (let i = 0; i < 8; i++) cache.get(modulus);
  return { openssl: true, cache };
}
