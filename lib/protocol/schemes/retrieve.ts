/**
 * Key retrieval (docs/protocol.md sections 3 and 5; the paper's section 4).
 *
 * Goal: the device recovers a private key that it does not store. Sent: the masked key c, inside the ticket to the
 * assistant and back under ρ. Secret: the mask f comes from the password, so neither the assistant, who sees c, nor
 * a thief with the device, who lacks c, has the key. Limit: device and password together have it for good; then
 * disabling bites at relying parties.
 */
import { wipe, xor } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import { bytes } from '../../base/json.ts';
import { deviceShare } from '../password.ts';
import { scheme } from './scheme.ts';

/** The longest private key that can be masked, in bytes: the reach of HKDF-Expand with SHA-256. */
export const MAX_PRIVATE_KEY = 8160;

export const retrieve = scheme({
  name: 'retrieve',
  keyTypes: ['OKP', 'EC', 'RSA'],
  ticket: { c: bytes(1, MAX_PRIVATE_KEY) },
  secret: 'c',
  exchange: { op: 'retrieve', request: {}, result: { c: bytes(1, MAX_PRIVATE_KEY) }, isRenewable: true },
  serve: { byDefault: true as boolean, needsExponentiator: false },
  assistantHalf: async () => ({
    open: ({ c }) => ({
      read: () => async () => ({ c }),
      move() {
        throw new RoamingKeyError('invalid_request', 'a key that is retrieved has no share to move');
      },
    }),
  }),
});

/** c = private key ⊕ f(len). Masking twice gives the key again, so the device unmasks with it too. */
export function mask(privateKey: Uint8Array, k: Uint8Array): Uint8Array<ArrayBuffer> {
  if (privateKey.length < 1 || privateKey.length > MAX_PRIVATE_KEY) {
    throw new RangeError(`a private key of 1 to ${MAX_PRIVATE_KEY} bytes expected`);
  }
  const f = deviceShare(k, 'retrieve', privateKey.length);
  try {
    return xor(privateKey, f);
  } finally {
    wipe(f);
  }
}

/** The private key again, from c and the password's K. Nothing here tells whether it is the right one: compare it. */
export function unmask(c: Uint8Array, k: Uint8Array): Uint8Array<ArrayBuffer> {
  return mask(c, k);
}
