import { bytesToHex } from '@noble/curves/utils.js';
import type { RoamingKeyError } from '../../base/errors.ts';
import { type DerValue, readDer, readDerInside, TAG } from './der.ts';
import { badKey, ed25519Key, MAX_KEY_BYTES, type PrivateJwk, p256Key } from './private-jwk.ts';
import { RSA_OID, readPkcs1 } from './rsa-forms.ts';

const OID = {
  ed25519: '2b6570',
  ec: '2a8648ce3d0201',
  p256: '2a8648ce3d030107',
  rsa: RSA_OID,
  rsaPss: '2a864886f70d01010a',
} as const;

/**
 * Reads a private key in PKCS#8. Beside the key there may be attributes, which Windows key stores export and which say
 * nothing about the key, and a public half, tagged implicitly (RFC 5958) or explicitly (older releases of ring), under
 * either version.
 *
 * @param der unencrypted DER
 * @throws RoamingKeyError `bad_key` if it is damaged, of another kind than Ed25519, P-256 and RSA, or if its public
 *   half belongs to another key
 * @see RFC 5208, RFC 5958, RFC 8410
 */
export async function readPkcs8(der: Uint8Array): Promise<PrivateJwk> {
  if (der.length > MAX_KEY_BYTES) throw badKey('too long');
  const [version, algorithm, key, ...options] = readDerInside(der, TAG.sequence) ?? [];
  const [oid, parameters, ...surplus] = readDer(algorithm?.body ?? EMPTY) ?? [];
  const isFrame =
    version?.tag === TAG.integer &&
    version.body.length === 1 &&
    algorithm?.tag === TAG.sequence &&
    oid?.tag === TAG.oid &&
    surplus.length === 0;
  if (!isFrame || key?.tag !== TAG.octetString || (version.body[0] as number) > 1) throw badKey('damaged');
  const publicKey = readOptions(options).publicKey;
  const name = bytesToHex(oid.body);
  if (name === OID.ed25519 && parameters === undefined) {
    const [seed, ...more] = readDer(key.body) ?? [];
    if (seed?.tag !== TAG.octetString || seed.body.length !== 32 || more.length > 0) throw badKey('damaged');
    return ed25519Key(seed.body, publicKey);
  }
  if (name === OID.ec && isP256(parameters)) return readSec1(key.body);
  if (name === OID.ec && parameters?.tag === TAG.sequence) throw explicitParameters();
  // RFC 8017 demands NULL, and some programs leave it out.
  if (name === OID.rsa && (parameters?.tag ?? TAG.null) === TAG.null) return readPkcs1(key.body);
  if (name === OID.rsaPss) throw badKey('an RSA key for PSS only: use a plain one');
  throw badKey('of a kind that cannot be protected; Ed25519, P-256 and RSA can');
}

/**
 * Reads an ECPrivateKey, which stands by itself in `EC PRIVATE KEY` and inside PKCS#8.
 *
 * @param isAlone whether nothing around it names the curve
 * @throws RoamingKeyError `bad_key`
 * @see RFC 5915
 */
export async function readSec1(der: Uint8Array, isAlone = false): Promise<PrivateJwk> {
  const [version, d, ...options] = readDerInside(der, TAG.sequence) ?? [];
  const isFrame = version?.tag === TAG.integer && version.body.length === 1 && version.body[0] === 1;
  if (!isFrame || d?.tag !== TAG.octetString) throw badKey('damaged');
  const { parameters, publicKey } = readOptions(options);
  if (isAlone) {
    const [curve] = readDer(parameters ?? EMPTY) ?? [];
    if (curve?.tag === TAG.sequence) throw explicitParameters();
    if (!isP256(curve)) throw badKey('an EC key on another curve than P-256');
  }
  return p256Key(d.body, publicKey);
}

function isP256(parameters: DerValue | undefined): boolean {
  return parameters?.tag === TAG.oid && bytesToHex(parameters.body) === OID.p256;
}

function explicitParameters(): RoamingKeyError {
  return badKey(
    'an EC key with explicit parameters: name its curve with `openssl ec -in key.pem -param_enc named_curve`',
  );
}

/** What may follow a key: attributes or parameters under [0], and a public half under [1]. */
function readOptions(options: readonly DerValue[]): {
  readonly parameters?: Uint8Array | undefined;
  readonly publicKey?: Uint8Array | undefined;
} {
  const [parameters, rest] =
    options[0]?.tag === TAG.context0 ? [options[0].body, options.slice(1)] : [undefined, options];
  const [tagged, ...surplus] = rest;
  if (!tagged) return { parameters };
  const [inner, ...more] = tagged.tag === TAG.context1 ? (readDer(tagged.body) ?? []) : [];
  const bits = tagged.tag === TAG.implicit1 ? tagged.body : inner?.tag === TAG.bitString ? inner.body : EMPTY;
  if (surplus.length > 0 || more.length > 0 || bits[0] !== 0) throw badKey('damaged');
  return { parameters, publicKey: bits.subarray(1) };
}

const EMPTY = new Uint8Array(0);
