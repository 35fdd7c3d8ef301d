/** Decrypting with a key that is shared with the assistant (docs/protocol.md section 5, scheme `elgamal`). */
import { equalBytes, randomBytes, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import type { AnyGroup } from '../math/groups.ts';
import { i2osp } from '../math/integer.ts';
import { mod } from '../math/modular.ts';
import { elgamalDeviceShare, SHARE_MARGIN } from '../math/shares.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { elgamal } from '../protocol/schemes/elgamal.ts';
import { completeDecryption } from '../protocol/schemes/elgamal-decryption.ts';
import { openElgamalJwe, readElgamalJwe } from '../protocol/schemes/elgamal-jwe.ts';
import {
  type ElgamalPublicKey,
  randomExponent,
  readElgamalPublicJwk,
} from '../protocol/schemes/elgamal-keys.ts';
import type { Stretched } from './assisted-record.ts';
import type { SharedDecrypter } from './shared-key.ts';

/** Z = the Diffie-Hellman secret of w and the record's key, with the assistant's help; the caller wipes it. */
async function sharedSecret(
  stretched: Stretched,
  publicKey: ElgamalPublicKey,
  w: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await stretched.ask(elgamal.exchange, () => ({ w }));
  const f = stretched.share(shareLength(publicKey.group));
  try {
    return await completeDecryption({ publicKey, f, w, answer });
  } finally {
    wipe(f);
  }
}

const shareLength = ({ scalarLength }: AnyGroup) => scalarLength + SHARE_MARGIN;

function publicKeyOf({ jwk }: DeviceRecord): ElgamalPublicKey {
  const publicKey = readElgamalPublicJwk(jwk);
  if (publicKey) return publicKey;
  throw new RoamingKeyError('bad_record', "this device record's public key is in none of the groups");
}

/** Keys of scheme `elgamal`. */
export const sharedElgamalKey: SharedDecrypter = {
  /**
   * Decrypts with the assistant's help. The assistant learns the JWE's ephemeral key and nothing of its content.
   *
   * @throws RoamingKeyError `invalid_request`, `unsupported` for a JWE that this key cannot decrypt, before anything is
   *   sent, and `invalid_request` where it turns out damaged; `bad_response` where the assistant's half is wrong
   */
  async decrypt(stretched, jwe) {
    const publicKey = publicKeyOf(stretched.record);
    const ciphertext = await readElgamalJwe(jwe, publicKey);
    const z = await sharedSecret(stretched, publicKey, ciphertext.w);
    try {
      return await openElgamalJwe(ciphertext, z);
    } finally {
      wipe(z);
    }
  },
  change: {
    shareLength: (record) => shareLength(publicKeyOf(record).group),
    delta(record, f, nextF) {
      const { group } = publicKeyOf(record);
      const difference = elgamalDeviceShare(f, group) - elgamalDeviceShare(nextF, group);
      return i2osp(mod(difference, group.q), group.scalarLength);
    },
    /** Decrypts a w of this device's own, whose secret it knows. */
    async check(stretched) {
      const publicKey = publicKeyOf(stretched.record);
      const { group, y } = publicKey;
      const exponent = randomExponent(group, randomBytes);
      const w = group.encode(group.exp(group.generator, exponent));
      const z = await sharedSecret(stretched, publicKey, w);
      const expected = group.secret(group.exp(y, exponent));
      try {
        if (!equalBytes(z, expected))
          throw new RoamingKeyError('bad_response', 'the assistant reissued a ticket of another key');
      } finally {
        wipe(z, expected);
      }
    },
  },
};
