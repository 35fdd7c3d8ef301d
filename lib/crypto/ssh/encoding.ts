/** Public keys and signatures as SSH writes them (RFC 4251, 4253, 5656, 8332, 8709). */
import { concat, fromBase64url, toBase64url, utf8 } from '../../base/bytes.ts';
import { RoamingKeyError } from '../../base/errors.ts';
import type { PublicJwk } from '../keys/public-jwk.ts';

/** Signature algorithms that SSH knows, by their JOSE names. */
export type SshAlg = 'Ed25519' | 'ES256' | 'RS256' | 'RS512';

const SIGNATURE_NAME: Record<SshAlg, string> = {
  Ed25519: 'ssh-ed25519',
  ES256: 'ecdsa-sha2-nistp256',
  RS256: 'rsa-sha2-256',
  RS512: 'rsa-sha2-512',
};

/** The algorithms in which SSH lets this key sign, the preferred one first; none for keys that do not sign. */
export function sshAlgs(jwk: PublicJwk): readonly SshAlg[] {
  switch (jwk.kty) {
    case 'OKP':
      return ['Ed25519'];
    case 'EC':
      return ['ES256'];
    case 'RSA':
      return ['RS512', 'RS256'];
    case 'DH':
      return [];
  }
}

/**
 * A public key in SSH's wire format.
 *
 * @throws RoamingKeyError `unsupported` for a key in a group of RFC 7919, which SSH has no name for
 */
export function sshPublicKeyBlob(jwk: PublicJwk): Uint8Array<ArrayBuffer> {
  switch (jwk.kty) {
    case 'OKP':
      return strings(utf8('ssh-ed25519'), decode(jwk.x));
    case 'EC':
      return strings(
        utf8('ecdsa-sha2-nistp256'),
        utf8('nistp256'),
        concat(Uint8Array.of(4), decode(jwk.x), decode(jwk.y)),
      );
    case 'RSA':
      return strings(utf8('ssh-rsa'), mpint(decode(jwk.e)), mpint(decode(jwk.n)));
    case 'DH':
      throw new RoamingKeyError('unsupported', 'SSH has no keys of this kind');
  }
}

/** The public key as a line of `authorized_keys` or, after the signer's name, of `allowed_signers`. */
export function sshPublicKey(jwk: PublicJwk, comment = ''): string {
  const blob = sshPublicKeyBlob(jwk);
  const length = new DataView(blob.buffer, blob.byteOffset).getUint32(0);
  const type = String.fromCharCode(...blob.subarray(4, 4 + length));
  return `${type} ${toBase64(blob)} ${comment}`.trimEnd();
}

/**
 * A signature in SSH's wire format.
 *
 * @param signature as JOSE has it: Ed25519 64 bytes, ECDSA r ‖ s, RSA as long as the modulus
 */
export function sshSignatureBlob(alg: SshAlg, signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes =
    alg === 'ES256' ? strings(mpint(signature.subarray(0, 32)), mpint(signature.subarray(32))) : signature;
  return strings(utf8(SIGNATURE_NAME[alg]), bytes);
}

/** Byte strings, each after its length in four bytes. */
export function strings(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(...parts.flatMap((part) => [uint32(part.length), part]));
}

/** A number in four bytes. */
export function uint32(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64url(bytes).replace(/-/g, '+').replace(/_/g, '/');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** A positive integer as SSH writes it: signed and as short as can be, so a set top bit needs a zero octet. */
export function mpint(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const short = start < 0 ? new Uint8Array(0) : bytes.subarray(start);
  return (short[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), short) : short;
}

function decode(text: string): Uint8Array {
  return fromBase64url(text) as Uint8Array;
}
