import { bytesToHex } from '@noble/curves/utils.js';
import { type DerValue, readDer, readDerInside, TAG } from './der.ts';
import { badKey, ed25519Key, MAX_KEY_BYTES, type PrivateJwk, p256Key } from './private-jwk.ts';
import { readPkcs1 } from './rsa-forms.ts';

const OID = {
  ed25519: '2b6570',
  ec: '2a8648ce3d0201',
  p256: '2a8648ce3d030107',
  rsa: '2a864886f70d010101',
  rsaPss: '2a864886f70d01010a',
} as const;

/**
 * Reads a private key in PKCS#8, with or without a public half, and with attributes, as exports from Windows key
 * stores have them: they say nothing about the key itself.
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
  if (!isFrame || key?.tag !== TAG.octetString) throw badKey('damaged');
  const publicKey = readOptions(options, TAG.implicit1);
  // Version 2, spelled 1, is for keys with a public half, and for them alone.
  if (version.body[0] !== (publicKey ? 1 : 0)) throw badKey('damaged');

  const name = bytesToHex(oid.body);
  if (name === OID.ed25519 && parameters === undefined) {
    const [seed, ...more] = readDer(key.body) ?? [];
    if (seed?.tag !== TAG.octetString || seed.body.length !== 32 || more.length > 0) throw badKey('damaged');
    return ed25519Key(seed.body, publicKey && bitString(publicKey.body));
  }
  if (name === OID.ec && parameters?.tag === TAG.oid && bytesToHex(parameters.body) === OID.p256) {
    return readSec1(key.body);
  }
  if (name === OID.rsa && parameters?.tag === TAG.null) return readPkcs1(key.body);
  if (name === OID.rsaPss) throw badKey('an RSA key for PSS only: use a plain one');
  throw badKey('of a kind that cannot be protected; Ed25519, P-256 and RSA can');
}

/** The ECPrivateKey inside PKCS#8 (RFC 5915). */
async function readSec1(der: Uint8Array): Promise<PrivateJwk> {
  const [version, d, ...options] = readDerInside(der, TAG.sequence) ?? [];
  const isFrame = version?.tag === TAG.integer && version.body.length === 1 && version.body[0] === 1;
  if (!isFrame || d?.tag !== TAG.octetString || d.body.length !== 32) throw badKey('damaged');
  const publicKey = readOptions(options, TAG.context1);
  if (!publicKey) return p256Key(d.body);
  const [bits, ...more] = readDer(publicKey.body) ?? [];
  if (bits?.tag !== TAG.bitString || more.length > 0) throw badKey('damaged');
  return p256Key(d.body, bitString(bits.body));
}

/** What may follow a key: attributes or parameters under [0], which are skipped, and a public half under `tag`. */
function readOptions(options: readonly DerValue[], tag: number): DerValue | undefined {
  const [publicKey, ...surplus] = options[0]?.tag === TAG.context0 ? options.slice(1) : options;
  if (surplus.length > 0 || (publicKey && publicKey.tag !== tag)) throw badKey('damaged');
  return publicKey;
}

function bitString(body: Uint8Array): Uint8Array {
  if (body[0] !== 0) throw badKey('damaged');
  return body.subarray(1);
}

const EMPTY = new Uint8Array(0);
