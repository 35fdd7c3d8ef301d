import { constants, createHash, randomBytes, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  encodeRsaDigest,
  isRsaAlgorithm,
  type RsaAlgorithm,
  rsaDigestLengths,
} from '../../lib/crypto/rsa-encoding.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { power } from '../../lib/math/modular.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { hex, toHex, vectors } from '../support/vectors.ts';

const { derivations, rsa } = vectors;
const ALGORITHMS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;

function digestOf(alg: RsaAlgorithm, message: Uint8Array) {
  const digest = new Uint8Array(
    createHash(`sha${alg.slice(2)}`)
      .update(message)
      .digest(),
  );
  const { salt } = rsaDigestLengths(alg);
  return salt === 0 ? { alg, digest } : { alg, digest, salt: new Uint8Array(randomBytes(salt)) };
}

describe('encoded messages', () => {
  it('equal the independent implementation', () => {
    const { em } = derivations;
    const digest = hex(em.digest);
    expect(toHex(encodeRsaDigest({ alg: 'PS256', digest, salt: hex(em.salt) }, 2048))).toBe(em['PS256-2048']);
    expect(toHex(encodeRsaDigest({ alg: 'RS256', digest }, 2048))).toBe(em['RS256-2048']);
    const salt = hex(rsa.PS256.randomness.device.find(([name]: [string]) => name === 'salt')[1]);
    const message = new Uint8Array(createHash('sha256').update(hex(rsa.message)).digest());
    expect(toHex(encodeRsaDigest({ alg: 'PS256', digest: message, salt }, 2048))).toBe(rsa.PS256.em);
    expect(toHex(encodeRsaDigest({ alg: 'RS256', digest: message }, 2048))).toBe(rsa.RS256.em);
  });

  it.each([2048, 3072])('are what OpenSSL verifies, for every algorithm with %i bits', (modulusLength) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
    const jwk = privateKey.export({ format: 'jwk' });
    const number = (member: string | undefined) => os2ip(Buffer.from(member as string, 'base64url'));
    const message = randomBytes(50);
    for (const alg of ALGORITHMS) {
      const em = encodeRsaDigest(digestOf(alg, message), modulusLength);
      expect(em).toHaveLength(modulusLength / 8);
      const signature = i2osp(power(os2ip(em), number(jwk.d), number(jwk.n)), modulusLength / 8);
      const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
      const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
      expect(verify(`sha${alg.slice(2)}`, message, { key: publicKey, padding, saltLength }, signature)).toBe(
        true,
      );
    }
  });

  it('take digests and salts of the right lengths alone', () => {
    for (const alg of ALGORITHMS) {
      const { digest, salt } = rsaDigestLengths(alg);
      const of = (d: number, s: number) => () =>
        encodeRsaDigest(
          { alg, digest: new Uint8Array(d), salt: s === 0 ? undefined : new Uint8Array(s) },
          2048,
        );
      expect(of(digest, salt)).not.toThrow();
      for (const wrong of [0, digest - 1, digest + 1]) expect(of(wrong, salt)).toThrow(RangeError);
      for (const wrong of [salt + 1, salt === 0 ? 32 : 0]) expect(of(digest, wrong)).toThrow(RangeError);
    }
    expect(() => encodeRsaDigest({ alg: 'RS256', digest: new Uint8Array(32) }, 2047)).toThrow(RangeError);
    expect(() => encodeRsaDigest({ alg: 'RS256', digest: new Uint8Array(32) }, 512)).toThrow(RangeError);
  });

  it('know their names', () => {
    expect(ALGORITHMS.every(isRsaAlgorithm)).toBe(true);
    for (const name of ['PS255', 'ES256', 'none', 'toString', '', undefined, 256]) {
      expect(isRsaAlgorithm(name)).toBe(false);
    }
  });
});
