/** The scheme `elgamal`: a decryption key that is never whole again. The arithmetic is in `elgamal-decryption.ts`. */
import * as v from 'valibot';
import { bytes } from '../../base/json.ts';
import { GROUP_NAMES, type GroupName } from '../../math/group.ts';
import { scheme } from './scheme.ts';

const MAX_NUMBER = 512;

const ticket = { group: v.picklist(GROUP_NAMES), x2: bytes(1, MAX_NUMBER) };
const request = { w: bytes(1, MAX_NUMBER) };
const result = { nu: bytes(1, MAX_NUMBER), proof: v.strictObject({ c: bytes(32), s: bytes(1, MAX_NUMBER) }) };

export const elgamal = scheme({
  name: 'elgamal',
  keyTypes: ['EC', 'DH'],
  ticket,
  secret: 'x2',
  exchange: { op: 'decrypt', request, result, isRenewable: true },
  serve: {
    byDefault: ['P-256', 'ffdhe2048', 'ffdhe3072'] as readonly GroupName[],
    kinds: GROUP_NAMES,
    needsExponentiator: true,
  },
  assistantHalf: async () => (await import('./elgamal-decryption.ts')).assistantHalf,
});
