/**
 * Signatures of files that `ssh-keygen -Y verify` (and `git verify-commit`) accepts. All that is asked of the key is a
 * signature over some bytes, so it may be recovered or shared with an assistant. The format is PROTOCOL.sshsig of OpenSSH.
 */
import { concat, utf8 } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import type { PublicJwk } from '../keys/public-jwk.ts';
import {
  type SshAlg,
  sshAlgs,
  sshPublicKeyBlob,
  sshSignatureBlob,
  strings,
  toBase64,
  uint32,
} from './encoding.ts';

/** Signs bytes: `Device.sign` does. */
export type SignBytes = (data: Uint8Array<ArrayBuffer>, alg: SshAlg) => Promise<Uint8Array> | Uint8Array;

const MAGIC = utf8('SSHSIG');
const VERSION = 1;

/**
 * Signs a message for one purpose.
 *
 * @param message what the signature is for, whole
 * @param namespace the purpose, as given to `ssh-keygen -n`: `file`, `git`, or a name with a domain of yours
 * @param jwk the public key that goes into the signature
 * @param sign makes the signature: `Ed25519`, `ES256`, or `RS512` for RSA
 * @returns the armored signature, the contents of a `.sig` file
 * @throws TypeError for a namespace that is not printable ASCII of 1 to 255 characters
 * @throws RoamingKeyError `unsupported` for a key that does not sign
 *
 * @example
 * await sshSignature(bytes, 'file', device.jwk, (data, alg) => device.sign(data, { password, alg }))
 */
export async function sshSignature(
  message: Uint8Array,
  namespace: string,
  jwk: PublicJwk,
  sign: SignBytes,
): Promise<string> {
  if (!/^[\x21-\x7e]{1,255}$/.test(namespace)) {
    throw new TypeError('namespace must be printable ASCII without blanks');
  }
  const [alg] = sshAlgs(jwk);
  if (alg === undefined) throw new RoamingKeyError('unsupported', 'this key does not sign');
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-512', new Uint8Array(message)));
  const purpose = strings(utf8(namespace), new Uint8Array(0), utf8('sha512'));
  const signature = await sign(concat(MAGIC, purpose, strings(digest)), alg);
  const blob = concat(
    MAGIC,
    uint32(VERSION),
    strings(sshPublicKeyBlob(jwk)),
    purpose,
    strings(sshSignatureBlob(alg, signature)),
  );
  const lines = toBase64(blob).match(/.{1,70}/g) ?? [];
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
}
