/** Signing with a key that is shared with the assistant (docs/protocol.md section 5, scheme `rsa`). */
import { fromBase64url, randomBytes, wipe } from '../base/bytes.ts';
import { rsaPublicJwk } from '../crypto/keys/rsa-key.ts';
import {
  encodeRsaDigest,
  type RsaAlgorithm,
  type RsaDigest,
  rsaDigestLengths,
} from '../crypto/rsa-encoding.ts';
import { byteLength, i2osp, os2ip } from '../math/integer.ts';
import { power } from '../math/modular.ts';
import type { Answer } from '../protocol/messages.ts';
import { deviceShare } from '../protocol/password.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { rsa } from '../protocol/schemes/rsa.ts';
import { completeSigning, type RsaPrivateNumbers } from '../protocol/schemes/rsa-signing.ts';
import type { Exchange } from '../protocol/schemes/scheme.ts';
import type { Question } from './assistant-client.ts';
import type { LoginAlg, Signer } from './login-proof.ts';

/** How a device asks its assistant, with K at hand. */
export type Ask = <X extends Exchange>(exchange: X, question: Question<X>) => Promise<Answer<X>>;

/** What is signed: data, which is hashed here, or its hash. */
export type Signable = Uint8Array | { readonly digest: Uint8Array };

/**
 * Signs with the assistant's help.
 *
 * @param k the password's K
 * @returns an ordinary RSA signature, verified before it is released
 * @throws RoamingKeyError whatever asking throws; `bad_response` where the assistant's half is wrong
 * @throws TypeError where a digest has not the length of the algorithm's hash
 */
export async function signShared(
  record: DeviceRecord,
  k: Uint8Array,
  ask: Ask,
  data: Signable,
  alg: RsaAlgorithm,
): Promise<Uint8Array<ArrayBuffer>> {
  if (record.jwk.kty !== 'RSA') throw new TypeError('this key does not sign');
  const n = os2ip(fromBase64url(record.jwk.n) as Uint8Array);
  const e = os2ip(fromBase64url(record.jwk.e) as Uint8Array);
  const request = await digestOf(data, alg);
  const response = await ask(rsa.exchange, () => request);
  const f = deviceShare(k, 'rsa', byteLength(n) + 16);
  try {
    return completeSigning({ n, e, f, request, nu: response.nu });
  } finally {
    wipe(f);
  }
}

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
