/** The scheme `rsa`: a signing key that is never whole again. The arithmetic is in `rsa-signing.ts`. */
import * as v from 'valibot';
import { bytes } from '../../base/json.ts';
import { RSA_SIZES, type RsaSize } from './rsa-sizes.ts';
import { scheme } from './scheme.ts';

/** Algorithms of the signatures (RFC 7518). */
export const RSA_ALGS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;

const MAX_NUMBER = 512;

const ticket = { n: bytes(1, MAX_NUMBER), d2: bytes(1, MAX_NUMBER) };
const request = { alg: v.picklist(RSA_ALGS), digest: bytes(32, 64), salt: v.optional(bytes(32, 64)) };
const result = { nu: bytes(256, MAX_NUMBER) };

export const rsa = scheme({
  name: 'rsa',
  keyTypes: ['RSA'],
  ticket,
  secret: 'd2',
  exchange: { op: 'sign', request, result, isRenewable: true },
  serve: { byDefault: [2048, 3072] as readonly RsaSize[], kinds: RSA_SIZES, needsExponentiator: true },
  assistantHalf: async () => (await import('./rsa-signing.ts')).assistantHalf,
});
