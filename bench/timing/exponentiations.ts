/** Exponentiations with an assistant's share: whether a sparse exponent is told from random ones. */
import { createDiffieHellman, createECDH, generateKeyPairSync, randomBytes } from 'node:crypto';
import { pow } from '@noble/curves/abstract/modular.js';
import { curveProducts, importPower, objectPower, splitPower } from '../../lib/exponentiation/worker.js';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { ffdhe2048 } from '../../lib/math/modp.ts';
import type { TimingCase, TimingGroup } from './measure.ts';

const BYTES = 256;

export function exponentiations(): readonly TimingGroup[] {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 8 * BYTES }).privateKey.export({ format: 'jwk' });
  const modulus = new Uint8Array(Buffer.from(jwk.n as string, 'base64url'));
  const base = i2osp(os2ip(randomBytes(BYTES)) % os2ip(modulus), BYTES);
  const object = createDiffieHellman(modulus, 2);
  const prime = i2osp(ffdhe2048.p, BYTES);
  const point = new Uint8Array(createECDH('prime256v1').generateKeys());
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
  ];
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
