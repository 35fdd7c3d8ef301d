import { loaded } from '../base/load.ts';
import type { EncryptToOptions } from '../protocol/schemes/elgamal-jwe.ts';

export type { EncryptToOptions } from '../protocol/schemes/elgamal-jwe.ts';

/**
 * Encrypts to the public key of a device; needs neither password nor assistant. For P-256 keys any JOSE library does
 * as well.
 *
 * @param publicJwk an EC key on P-256, or one of kty `DH`
 * @returns a compact JWE of alg `ECDH-ES` or `RK-FFDH-ES`
 * @throws RoamingKeyError `bad_key` where `publicJwk` is no public key in one of the groups
 * @source docs/protocol.md section 5
 */
export async function encryptTo(
  publicJwk: unknown,
  plaintext: Uint8Array,
  options: EncryptToOptions = {},
): Promise<string> {
  return (await loaded(import('../protocol/schemes/elgamal-jwe.ts'))).encryptTo(
    publicJwk,
    plaintext,
    options,
  );
}
