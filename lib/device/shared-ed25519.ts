/** Signing with an Ed25519 key that is shared with the assistant (docs/protocol.md section 5, scheme `ed25519`). */
import { concat, fromBase64url, randomBytes, utf8, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { ed25519, MAX_MESSAGE } from '../protocol/schemes/ed25519.ts';
import {
  commitEd25519,
  completeEd25519,
  ED25519_SHARE_BYTES,
  type Ed25519Commitment,
  ed25519Delta,
  wipeEd25519Commitment,
} from '../protocol/schemes/ed25519-signing.ts';
import type { Stretched } from './assisted-record.ts';
import type { SharedSigner } from './shared-key.ts';

const CHECK = utf8('roaming-key/1 check');

async function sign(stretched: Stretched, message: Uint8Array): Promise<Uint8Array> {
  const { jwk } = stretched.record;
  if (jwk.kty !== 'OKP') throw new TypeError(`a shared Ed25519 key has no kty ${jwk.kty}`);
  const f = stretched.share(ED25519_SHARE_BYTES);
  let commitment: Ed25519Commitment | undefined;
  const forget = () => commitment && wipeEd25519Commitment(commitment);
  try {
    const answer = await stretched.ask(ed25519.exchange, () => {
      // Nonces of a request that was refused must not serve the next one.
      forget();
      commitment = commitEd25519(f, message);
      return commitment.request;
    });
    return completeEd25519(fromBase64url(jwk.x) as Uint8Array, f, commitment as Ed25519Commitment, answer);
  } finally {
    forget();
    wipe(f);
  }
}

/** Keys of scheme `ed25519`. The assistant sees the messages, since Ed25519 signs these and not their hashes. */
export const sharedEd25519Key: SharedSigner = {
  isSeen: true,
  /**
   * Signs with the assistant's help.
   *
   * @returns an ordinary signature of RFC 8032, verified before it is released
   * @throws RoamingKeyError `unsupported` for more than 8192 bytes; whatever asking throws; `bad_response` where the
   *   assistant's half is wrong
   */
  async sign(stretched, data, alg) {
    if (alg !== 'Ed25519' || !(data instanceof Uint8Array))
      throw new TypeError(`alg ${alg} is no use of an Ed25519 key`);
    if (data.length > MAX_MESSAGE)
      throw new RoamingKeyError(
        'unsupported',
        `a shared Ed25519 key signs at most ${MAX_MESSAGE} bytes, not ${data.length}: sign their hash`,
      );
    return sign(stretched, data);
  },
  change: {
    shareLength: () => ED25519_SHARE_BYTES,
    delta: (_record, f, nextF) => ed25519Delta(f, nextF),
    async check(stretched) {
      await sign(stretched, concat(CHECK, randomBytes(32)));
    },
  },
};
