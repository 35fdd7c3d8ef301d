/** Exponentiations with an assistant's share, and its nonces: whether a sparse one is told from random ones. */
import { createDiffieHellman, createECDH, randomBytes } from 'node:crypto';
import { pow } from '@noble/curves/abstract/modular.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sodiumEd25519 } from '../../lib/exponentiation/sodium.ts';
import { curveProducts, importPower, objectPower, splitPower } from '../../lib/exponentiation/worker.js';
import { nonceGenerate } from '../../lib/math/frost.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { ffdhe2048 } from '../../lib/math/modp.ts';
import { answerEd25519 } from '../../lib/protocol/schemes/ed25519-signing.ts';
import { generateKeyPairSync } from '../../test/support/key-pair.ts';
import type { TimingCase, TimingGroup } from './measure.ts';

const BYTES = 256;

export async function exponentiations(): Promise<readonly TimingGroup[]> {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES }).privateKey.export({ format: 'jwk' });
  const modulus = new Uint8Array(Buffer.from(jwk.n as string, 'base64url'));
  const base = i2osp(os2ip(randomBytes(BYTES)) % os2ip(modulus), BYTES);
  const object = createDiffieHellman(modulus, 2);
  const prime = i2osp(ffdhe2048.p, BYTES);
  const point = new Uint8Array(createECDH('prime256v1').generateKeys());
  const group = await sodiumEd25519();
  const element = () => group.multiplyBase(group.reduce(new Uint8Array(randomBytes(64))));
  const y = element();
  const leaky = ed25519.Point.fromBytes(y);
  const challenge = group.reduce(new Uint8Array(randomBytes(64)));
  const seed = new Uint8Array(randomBytes(32));
  const asked = { message: seed, hiding: element(), binding: element() };
  return [
    {
      name: 'exponentiations, sparse exponent or random',
      control: way('control: BigInt, whole exponent', 400, BYTES, (x) =>
        pow(os2ip(base), os2ip(x), os2ip(modulus)),
      ),
      cases: [
        way('RSA-2048, imported key', 4000, BYTES, (x) => importPower(modulus, base, x)),
        way('RSA-2048, object for the modulus', 4000, BYTES, (x) => objectPower(object, base, x)),
        way('ffdhe2048', 4000, BYTES, (x) => importPower(prime, base, x)),
        way('P-256', 16_000, 32, (x) => curveProducts(x, point, point)),
        way('fallback: BigInt, exponent split at random', 400, BYTES, (x) => splitPower(modulus, base, x)),
      ],
    },
    {
      name: 'Ed25519 share and nonces, sparse scalar or random',
      control: scalar('control: noble, variable time', 2000, 2, (x) => leaky.multiplyUnsafe(littleEndian(x))),
      cases: [
        scalar('commitment to a nonce', 4000, 10, (nonce) => group.multiplyBase(nonce)),
        scalar('challenge times x2', 4000, 200, (x2) => group.multiplyScalars(x2, challenge)),
        scalar('nonce hashed with x2', 4000, 100, (x2) => nonceGenerate(group, seed, x2)),
        scalar('whole answer, by x2', 4000, 3, (x2) =>
          answerEd25519(group, { x2: x2.slice().reverse(), y }, asked, [seed, seed]),
        ),
      ],
    },
  ];
}

/** A case of scalars of Ed25519, of one length in bits. */
function scalar(
  name: string,
  measurements: number,
  calls: number,
  run: (scalar: Uint8Array) => unknown,
): TimingCase {
  return {
    name,
    measurements,
    calls,
    clock: 'cpu',
    prepare(isA) {
      const made = isA ? new Uint8Array(32) : new Uint8Array(randomBytes(32));
      made[0] = (made[0] as number) | 1;
      made[31] = ((made[31] as number) & 0x07) | 0x08;
      return () => run(made);
    },
  };
}

function littleEndian(bytes: Uint8Array): bigint {
  return os2ip(bytes.slice().reverse());
}

function way(
  name: string,
  measurements: number,
  length: number,
  run: (exponent: Uint8Array) => unknown,
): TimingCase {
  return {
    name,
    measurements,
    // It takes milliseconds, in which other load on the machine would hide a leak in any other time.
    clock: 'cpu',
    prepare(isA) {
      const random = new Uint8Array(randomBytes(length));
      random[0] = ((random[0] as number) & 0x3f) | 0x40;
      const sparse = new Uint8Array(length);
      sparse[0] = 0x40;
      sparse[length - 1] = 1;
      const exponent = isA ? sparse : random;
      return () => run(exponent);
    },
  };
}
