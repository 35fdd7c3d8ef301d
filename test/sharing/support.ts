/** What the tests of shared keys have in common: keys of which every number is known, and tickets made by hand. */
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import { fromBase64url } from '../../lib/base/bytes.ts';
import { type AssistantJwk, seal } from '../../lib/crypto/jwe/jwe.ts';
import { Device, type DeviceOptions } from '../../lib/device/device.ts';
import { enroll, type SharedElgamalOptions, type SharedRsaOptions } from '../../lib/device/enroll.ts';
import { ExponentiationPool } from '../../lib/exponentiation/pool.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { type Argon2id, deviceShare, stretchPassword } from '../../lib/protocol/password.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { b64, random, unixNow } from '../attacks/support.ts';
import { until } from '../support/eventually.ts';
import { type AssistantWorld, argon2idOnce, PASSWORD, quickArgon2id } from '../support/world.ts';

const file = JSON.parse(readFileSync(new URL('../vectors/rsa-keys.json', import.meta.url), 'utf8'));

/** Numbers that no shared RSA key can have: moduli of odd sizes, and a prime. */
export const badModuli: { readonly bits2047: bigint; readonly bits2049: bigint; readonly prime: bigint } = {
  bits2047: number(file.odd.bits2047),
  bits2049: number(file.odd.bits2049),
  prime: BigInt(file.prime),
};

/** A whole RSA key, as its owner has it before enrolment. */
export interface WholeRsaKey {
  readonly jwk: JsonWebKey;
  readonly pkcs1: string;
  readonly pkcs8: string;
  readonly length: number;
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
  readonly phi: bigint;
}

/** A key of test/vectors/rsa-keys.json. */
export function rsaKey(name: 'rsa2048' | 'rsa3072' | 'rsa4096' | 'other2048'): WholeRsaKey {
  const jwk: JsonWebKey = file[name];
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const [n, e, d, p, q] = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q].map(number) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return {
    jwk,
    pkcs1: key.export({ format: 'pem', type: 'pkcs1' }).toString(),
    pkcs8: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    length: bytes(jwk.n).length,
    n,
    e,
    d,
    p,
    q,
    phi: (p - 1n) * (q - 1n),
  };
}

let current: Argon2id = quickArgon2id;

/** What stretches passwords in tests of shared keys. */
export const argon2id: Argon2id = (...args) => current(...args);

/** For the tests of a file, which calls this at its top, `argon2id` is Argon2id: files share this module. */
export function useRealArgon2id(): void {
  beforeAll(() => {
    current = argon2idOnce;
  });
  afterAll(() => {
    current = quickArgon2id;
  });
}

/** The bytes of a base64url member. */
export function bytes(member: unknown): Uint8Array<ArrayBuffer> {
  return fromBase64url(member as string) as Uint8Array<ArrayBuffer>;
}

/** The number that a base64url member spells. */
export function number(member: unknown): bigint {
  return os2ip(bytes(member));
}

/** Enrols a known RSA key for sharing. */
export function enrolRsa(
  world: Pick<AssistantWorld, 'enrolment'>,
  key: WholeRsaKey = rsaKey('rsa2048'),
  options: Partial<SharedRsaOptions> = {},
) {
  const existing = { existing: key.pkcs8 };
  return enroll({ ...world.enrolment, argon2id, key: existing, ...options, scheme: 'rsa' });
}

/** Enrols a key for shared decryption. */
export function enrolElgamal(
  world: Pick<AssistantWorld, 'enrolment'>,
  key: NonNullable<SharedElgamalOptions['key']> = 'P-256',
) {
  return enroll({ ...world.enrolment, argon2id, key, scheme: 'elgamal' });
}

/** A device that signs and talks to this assistant alone. */
export function deviceOf(
  world: Pick<AssistantWorld, 'url' | 'fetch'>,
  record: DeviceRecord,
  options: Partial<DeviceOptions> = {},
): Device {
  return new Device(record, {
    assistant: world.url,
    fetch: world.fetch,
    argon2id,
    purposes: ['sign'],
    ...options,
  });
}

/** K, which a test may compute that knows the password. */
export function stretch({ salt, kdf }: DeviceRecord, password: string = PASSWORD): Promise<Uint8Array> {
  return stretchPassword(password, bytes(salt), kdf, argon2id);
}

/** f, from which the device's share is made. */
export async function shareBytes(
  record: DeviceRecord,
  length: number,
  password?: string,
): Promise<Uint8Array> {
  return deviceShare(await stretch(record, password), record.scheme, length + 16);
}

/** A ticket for a shared key, of which its maker knows everything. */
export interface ShareTicket {
  readonly jwk: AssistantJwk;
  readonly a: Uint8Array<ArrayBuffer>;
  readonly b: Uint8Array<ArrayBuffer>;
  readonly t: Uint8Array<ArrayBuffer>;
  readonly u: Uint8Array<ArrayBuffer>;
  readonly ticket: string;
}

/** Seals any members of a scheme into an otherwise honest ticket, as any stranger can. */
export async function makeShareTicket(jwk: AssistantJwk, share: object): Promise<ShareTicket> {
  const [a, b, t] = [random(32), random(32), random(16)];
  const u = disablingName(t);
  const payload = { v: 1, a: b64(a), b: b64(b), u: b64(u), iat: unixNow(), ...share };
  return { jwk, a, b, t, u, ticket: await seal(payload, 'rk-ticket+jwe', jwk) };
}

/** The members of an honest ticket of scheme `rsa`, with a share of the maker's choice. */
export function rsaShare(key: WholeRsaKey = rsaKey('rsa2048'), d2: bigint = key.d): object {
  return { scheme: 'rsa', n: b64(i2osp(key.n, key.length)), d2: b64(i2osp(d2, key.length)) };
}

/** What a good request for a signature says. */
export function signMembers(alg: string = 'RS256', digest: number = Number(alg.slice(2)) / 8) {
  const salt = alg.startsWith('PS') ? { salt: b64(random(digest)) } : {};
  return { op: 'sign', payload: { alg, digest: b64(random(digest)), ...salt } };
}

/** What the pools of this process were asked for. */
export interface JobCount {
  readonly jobs: readonly { readonly kind: 'power' | 'groupPowers'; readonly exponentiations: number }[];
}

/** Counts from now on; every job is done as ever. Undone by `vi.restoreAllMocks()`. */
export function countJobs(): JobCount {
  const power = vi.spyOn(ExponentiationPool.prototype, 'power').mock;
  const groupPowers = vi.spyOn(ExponentiationPool.prototype, 'groupPowers').mock;
  const inOrder = <J>(mock: { invocationCallOrder: number[] }, jobs: J[]) =>
    jobs.map((job, i) => ({ job, at: mock.invocationCallOrder[i] as number }));
  return {
    get jobs() {
      const ofRsa = power.calls.map(() => ({ kind: 'power' as const, exponentiations: 1 }));
      // Of the generator and of the base, for each exponent.
      const ofElgamal = groupPowers.calls.map(([{ exponents }]) => ({
        kind: 'groupPowers' as const,
        exponentiations: 2 * exponents.length,
      }));
      return [...inOrder(power, ofRsa), ...inOrder(groupPowers, ofElgamal)]
        .sort((one, other) => one.at - other.at)
        .map(({ job }) => job);
    },
  };
}

/** Jobs on their way from a pool to its threads, which a test lets go when it likes. */
export interface HeldJobs {
  /** Waits until so many do. */
  arrived(count?: number): Promise<void>;
  /** Lets them and all later ones go. */
  release(): void;
  /** Ends the threads they were on their way to, as the kernel might. */
  kill(): Promise<void>;
}

/** From now on every job is held on its way to its thread, which the pool takes for running. */
export function holdJobs(): HeldJobs {
  const held: { readonly worker: Worker; readonly send: () => void }[] = [];
  let isHolding = true;
  const postMessage = Reflect.get(Worker.prototype, 'postMessage') as (...args: unknown[]) => void;
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...args) {
    const send = () => Reflect.apply(postMessage, this, args);
    if (isHolding && Object.hasOwn(args[0] as object, 'job')) held.push({ worker: this, send });
    else send();
  });
  const release = () => {
    isHolding = false;
    for (const { send } of held.splice(0)) send();
  };
  onTestFinished(release);
  return {
    arrived: async (count = 1) => {
      await until(() => held.length >= count);
    },
    release,
    async kill() {
      await Promise.all(held.splice(0).map(({ worker }) => worker.terminate()));
    },
  };
}
