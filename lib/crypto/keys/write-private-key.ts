import { wipe } from '../../base/bytes.ts';
import { writeOpensshKey } from '../ssh/openssh-key.ts';
import { writePem } from './pem.ts';
import type { PrivateJwk } from './private-jwk.ts';
import { writePkcs1 } from './rsa-forms.ts';

/** Forms in which a key can leave; `pkcs1-pem` is for RSA alone. */
export type PrivateKeyFormat = 'pkcs8-pem' | 'pkcs8-der' | 'pkcs1-pem' | 'openssh' | 'jwk';

/**
 * Writes a private key in the form its owner wants it in.
 *
 * @param pkcs8 of the same key as `jwk`
 * @param random draws the check number of `openssh`
 * @returns bytes for `pkcs8-der`, a private JWK for `jwk`, else PEM text
 * @throws TypeError for an unknown format
 */
export async function writePrivateKey(
  pkcs8: Uint8Array,
  jwk: PrivateJwk,
  format: PrivateKeyFormat,
  random: (length: number) => Uint8Array,
): Promise<string | Uint8Array<ArrayBuffer> | PrivateJwk> {
  switch (format) {
    case 'jwk':
      return jwk;
    case 'pkcs8-der':
      return new Uint8Array(pkcs8);
    case 'pkcs8-pem':
      return writePem('PRIVATE KEY', pkcs8);
    case 'pkcs1-pem':
      return armor('RSA PRIVATE KEY', await writePkcs1(pkcs8));
    case 'openssh':
      return armor('OPENSSH PRIVATE KEY', writeOpensshKey(jwk, random(4)), 70);
    default:
      throw new TypeError('format must be pkcs8-pem, pkcs8-der, pkcs1-pem, openssh or jwk');
  }
}

function armor(label: string, der: Uint8Array, width?: number): string {
  try {
    return writePem(label, der, width);
  } finally {
    wipe(der);
  }
}
