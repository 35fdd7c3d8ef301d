/** Signing with a key that is shared with the assistant (docs/protocol.md section 5, scheme `rsa`). */
import { fromBase64url, randomBytes, wipe } from '../base/bytes.ts';
import { rsaPublicJwk } from '../crypto/keys/rsa-key.ts';
import {
  encodeRsaDigest,
  isRsaAlgorithm,
  type RsaAlgorithm,
  type RsaDigest,
  rsaDigestLengths,
} from '../crypto/rsa-encoding.ts';
import { byteLength, i2osp, os2ip } from '../math/integer.ts';
import { power } from '../math/modular.ts';
import { SHARE_MARGIN } from '../math/shares.ts';
import { rsa } from '../protocol/schemes/rsa.ts';
import { completeSigning, type RsaPrivateNumbers } from '../protocol/schemes/rsa-signing.ts';
import type { LoginAlg, Signer } from './login-proof.ts';
import type { SharedSigner, Signable } from './shared-key.ts';

/** Keys of scheme `rsa`. Their password cannot change: the order of the group is a secret that neither side knows. */
export const sharedRsaKey: SharedSigner = {
  isSeen: false,
  /**
   * Signs with the assistant's help.
   *
   * @returns an ordinary RSA signature, verified before it is released
   * @throws RoamingKeyError whatever asking throws; `bad_response` where the assistant's half is wrong
   * @throws TypeError where a digest has not the length of the algorithm's hash
   */
  async sign(stretched, data, alg) {
    const { jwk } = stretched.record;
    if (jwk.kty !== 'RSA' || !isRsaAlgorithm(alg)) throw new TypeError(`alg ${alg} is no use of an RSA key`);
    const n = os2ip(fromBase64url(jwk.n) as Uint8Array);
    const e = os2ip(fromBase64url(jwk.e) as Uint8Array);
    const request = await digestOf(data, alg);
    const { nu } = await stretched.ask(rsa.exchange, () => request);
    const f = stretched.share(byteLength(n) + SHARE_MARGIN);
    try {
      return completeSigning({ n, e, f, request, nu });
    } finally {
      wipe(f);
    }
  },
};

/** A signer on the whole key, which only enrolment has. */
export function wholeKeySigner({ n, e, d }: RsaPrivateNumbers, alg: LoginAlg & RsaAlgorithm): Signer {
  const length = byteLength(n);
  return {
    alg,
    jwk: rsaPublicJwk({ n, e }),
    sign: async (data) => {
      const em = encodeRsaDigest(await digestOf(data, alg), 8 * length);
      return i2osp(power(os2ip(em), d, n), length);
    },
  };
}

/** The hash of what is to be signed, and a fresh salt where the algorithm has one. */
async function digestOf(data: Signable, alg: RsaAlgorithm): Promise<RsaDigest> {
  const lengths = rsaDigestLengths(alg);
  const digest =
    data instanceof Uint8Array
      ? new Uint8Array(await crypto.subtle.digest(`SHA-${alg.slice(2)}`, new Uint8Array(data)))
      : data.digest;
  if (digest.length !== lengths.digest)
    throw new TypeError(`digest must have the ${lengths.digest} bytes of ${alg}`);
  return lengths.salt === 0 ? { alg, digest } : { alg, digest, salt: randomBytes(lengths.salt) };
}
