/** The scheme `ed25519`: a signing key that is never whole again. The arithmetic is in `ed25519-signing.ts`. */
import { bytes } from '../../base/json.ts';
import { scheme } from './scheme.ts';

/** The longest message, in bytes: what is signed travels whole, since Ed25519 signs messages and not digests. */
export const MAX_MESSAGE = 8192;

export const ed25519 = scheme({
  name: 'ed25519',
  keyTypes: ['OKP'],
  ticket: { x2: bytes(32), y: bytes(32) },
  secret: 'x2',
  exchange: {
    op: 'sign',
    request: { message: bytes(0, MAX_MESSAGE), hiding: bytes(32), binding: bytes(32) },
    result: { hiding: bytes(32), binding: bytes(32), share: bytes(32) },
    isRenewable: true,
  },
  serve: { byDefault: true as boolean, needsExponentiator: false },
  assistantHalf: async () => (await import('./ed25519-signing.ts')).assistantHalf,
});
