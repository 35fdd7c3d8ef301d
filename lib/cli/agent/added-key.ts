/** Ordinary private keys that `ssh-add` hands to the agent; they are held in memory as any agent holds them. */
import { createPrivateKey, type KeyObject, sign as nodeSign } from 'node:crypto';
import { bytesToNumberBE, numberToVarBytesBE } from '@noble/curves/utils.js';
import { toBase64url, utf8 } from '../../base/bytes.ts';
import { mpint, strings } from '../../crypto/ssh/encoding.ts';
import { Reader } from '../../crypto/ssh/openssh-key.ts';
import type { Identity } from './identity.ts';
import type { AddedKey } from './requests.ts';
import { CURVES, ecJwk, fixedWidth, plainKey, typeOf, unsigned, verifySsh } from './wire-keys.ts';

const PROBE = utf8('roaming-key agent');

/**
 * @returns the identity; `undefined` where the fields are no key, or private and public half differ
 */
export function addedKey({ type, fields, comment }: AddedKey): Identity | undefined {
  try {
    const certificate = type.includes('-cert-') ? (fields[0] as Uint8Array) : undefined;
    const { plain, key } = certificate ? ofCertificate(certificate, fields.slice(1)) : ofKey(type, fields);
    const sign = (data: Uint8Array, flags: number) => signSsh(key, typeOf(plain), data, flags);
    if (!verifySsh(plain, PROBE, sign(PROBE, 0))) return undefined;
    return {
      blob: new Uint8Array(certificate ?? plain),
      comment,
      sign: async (data, flags) => sign(data, flags),
      forget: () => {},
    };
  } catch {
    return undefined;
  }
}

interface ReadKey {
  readonly plain: Uint8Array;
  readonly key: KeyObject;
}

/** With a certificate only those fields are sent that it does not hold. */
function ofCertificate(certificate: Uint8Array, secrets: readonly Uint8Array[]): ReadKey {
  const plain = plainKey(certificate);
  if (!plain) throw new TypeError('this certificate is of an unknown kind');
  const from = new Reader(plain);
  const type = from.text();
  const [first, second] = [from.string(), from.string()];
  if (type === 'ssh-ed25519') return ofKey(type, secrets);
  return ofKey(type, type === 'ssh-rsa' ? [second, first, ...secrets] : [first, second, ...secrets]);
}

function ofKey(type: string, fields: readonly Uint8Array[]): ReadKey {
  const b64 = toBase64url;
  const field = (at: number) => fields[at] as Uint8Array;
  const made = (jwk: { kty: string; [member: string]: string }, ...parts: Uint8Array[]) => ({
    plain: strings(utf8(type), ...parts),
    key: createPrivateKey({ key: jwk, format: 'jwk' }),
  });
  if (type === 'ssh-ed25519') {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: b64(field(0)), d: b64(field(1).subarray(0, 32)) };
    return made(jwk, field(0));
  }
  if (type === 'ssh-rsa') {
    const number = (at: number) => b64(unsigned(field(at)));
    const crt = (prime: number) =>
      b64(numberToVarBytesBE(bytesToNumberBE(field(2)) % (bytesToNumberBE(field(prime)) - 1n)));
    const [dp, dq, qi] = [crt(4), crt(5), number(3)];
    const secrets = { d: number(2), p: number(4), q: number(5), dp, dq, qi };
    return made({ kty: 'RSA', n: number(0), e: number(1), ...secrets }, field(1), field(0));
  }
  const curve = new TextDecoder().decode(field(0));
  const jwk = ecJwk(curve, field(1));
  const { bytes } = CURVES[curve] as (typeof CURVES)[string];
  return made({ ...jwk, d: b64(fixedWidth(field(2), bytes)) }, field(0), field(1));
}

function signSsh(key: KeyObject, type: string, data: Uint8Array, flags: number): Uint8Array {
  if (type === 'ssh-ed25519') return strings(utf8(type), nodeSign(null, data, key));
  if (type === 'ssh-rsa') {
    const size = rsaHash(flags);
    return strings(utf8(`rsa-sha2-${size}`), nodeSign(`sha${size}`, data, key));
  }
  const { hash, bytes } = CURVES[type.slice('ecdsa-sha2-'.length)] as (typeof CURVES)[string];
  const rs = nodeSign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  return strings(utf8(type), strings(mpint(rs.subarray(0, bytes)), mpint(rs.subarray(bytes))));
}

/**
 * Which SHA-2 the flags of a request ask for, as OpenSSH reads them. No flag stands for SHA-1, which servers reject by
 * now: it gets SHA-512.
 */
export function rsaHash(flags: number): 256 | 512 {
  return flags & 2 ? 256 : 512;
}
