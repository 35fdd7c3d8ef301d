/**
 * The private-key file of OpenSSH (PROTOCOL.key in its sources): a frame with one public key, and a section with the
 * private one between two equal check numbers and a padding 1, 2, 3… Only unencrypted files of one key are read. Like
 * OpenSSH, this takes padding of any length (PuTTYgen pads to 16 bytes) and numbers with leading zeros.
 */
import { bytesToNumberBE, numberToBytesBE, numberToVarBytesBE } from '@noble/curves/utils.js';
import { concat, equalBytes, fromBase64url, utf8, wipe } from '../../base/bytes.ts';
import { encrypted } from '../keys/pem.ts';
import type { PrivateJwk } from '../keys/private-jwk.ts';

const MAGIC = utf8('openssh-key-v1\0');
const BLOCK = 8;

/** What the file holds, before anything about the key has been checked; for RSA the caller reads the file again. */
export type OpensshKey =
  | { readonly type: 'ssh-ed25519'; readonly seed: Uint8Array; readonly x: Uint8Array }
  | { readonly type: 'ecdsa-sha2-nistp256'; readonly d: Uint8Array; readonly point: Uint8Array }
  | { readonly type: 'ssh-rsa' };

/**
 * Takes an OpenSSH private-key file apart, strictly.
 *
 * @param file the bytes between the PEM lines
 * @returns the key, or `undefined` where the file is damaged or of another kind
 * @throws RoamingKeyError `bad_key` if it is encrypted
 */
export function readOpensshKey(file: Uint8Array): OpensshKey | undefined {
  if (!equalBytes(file.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const outer = new Reader(file.subarray(MAGIC.length));
  const cipher = outer.text();
  const kdf = outer.text();
  const kdfOptions = outer.string();
  if (outer.failed) return undefined;
  if (cipher !== 'none' || kdf !== 'none') throw encrypted();
  const count = outer.uint32();
  const publicKey = outer.string();
  const section = outer.string();
  if (outer.failed || outer.rest > 0 || kdfOptions.length > 0 || count !== 1) return undefined;
  if (section.length % BLOCK !== 0) return undefined;

  const inner = new Reader(section);
  const check = inner.uint32();
  if (check !== inner.uint32()) return undefined;
  const type = inner.text();
  const read = readBody(type, inner);
  inner.string(); // the comment
  if (inner.failed || !read) return undefined;
  for (let pad = 1; inner.rest > 0; pad++) if (inner.byte() !== (pad & 0xff)) return undefined;
  return equalBytes(publicKey, read.publicKey) ? read.key : undefined;
}

function readBody(type: string, from: Reader): { key: OpensshKey; publicKey: Uint8Array } | undefined {
  if (type === 'ssh-ed25519') {
    const x = from.string();
    const both = from.string();
    if (x.length !== 32 || both.length !== 64 || !equalBytes(both.subarray(32), x)) return undefined;
    return { key: { type, seed: both.subarray(0, 32), x }, publicKey: strings(utf8(type), x) };
  }
  if (type === 'ecdsa-sha2-nistp256') {
    const curve = from.string();
    const point = from.string();
    const d = from.mpint();
    if (d === undefined || d >= 2n ** 256n || !equalBytes(curve, utf8('nistp256'))) return undefined;
    return {
      key: { type, d: numberToBytesBE(d, 32), point },
      publicKey: strings(utf8(type), curve, point),
    };
  }
  if (type === 'ssh-rsa') {
    const numbers = Array.from({ length: 6 }, () => from.mpint());
    const [n, e] = numbers; // then d, iqmp, p, q
    if (n === undefined || e === undefined || numbers.includes(undefined)) return undefined;
    return { key: { type }, publicKey: strings(utf8(type), mpint(e), mpint(n)) };
  }
  return undefined;
}

/**
 * Writes an OpenSSH private-key file.
 *
 * @param jwk a private key that has been checked
 * @param check 4 random bytes
 * @returns the bytes that go between the PEM lines; the caller wipes them
 */
export function writeOpensshKey(jwk: PrivateJwk, check: Uint8Array): Uint8Array<ArrayBuffer> {
  const { publicKey, body } = encodeKey(jwk);
  const bare = concat(check, check, body, string(new Uint8Array(0)));
  const padding = Uint8Array.from({ length: (BLOCK - (bare.length % BLOCK)) % BLOCK }, (_, i) => i + 1);
  const section = concat(bare, padding);
  try {
    const none = utf8('none');
    return concat(MAGIC, strings(none, none, new Uint8Array(0)), uint32(1), strings(publicKey, section));
  } finally {
    wipe(body, bare, section);
  }
}

function encodeKey(jwk: PrivateJwk): { publicKey: Uint8Array; body: Uint8Array } {
  const bytes = (text: string) => fromBase64url(text) as Uint8Array;
  const integer = (text: string) => mpint(bytesToNumberBE(bytes(text)));
  if (jwk.kty === 'OKP') {
    const publicKey = strings(utf8('ssh-ed25519'), bytes(jwk.x));
    return { publicKey, body: concat(publicKey, string(concat(bytes(jwk.d), bytes(jwk.x)))) };
  }
  if (jwk.kty === 'EC') {
    const point = concat(Uint8Array.of(4), bytes(jwk.x), bytes(jwk.y));
    const publicKey = strings(utf8('ecdsa-sha2-nistp256'), utf8('nistp256'), point);
    return { publicKey, body: concat(publicKey, string(integer(jwk.d))) };
  }
  const type = utf8('ssh-rsa');
  const [n, e] = [integer(jwk.n), integer(jwk.e)];
  const secrets = [jwk.d, jwk.qi, jwk.p, jwk.q].map(integer);
  return { publicKey: strings(type, e, n), body: strings(type, n, e, ...secrets) };
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function string(bytes: Uint8Array): Uint8Array {
  return concat(uint32(bytes.length), bytes);
}

function strings(...parts: readonly Uint8Array[]): Uint8Array {
  return concat(...parts.map(string));
}

/** A positive mpint's contents (RFC 4251 section 5): as short as can be, with a zero octet before a set top bit. */
function mpint(value: bigint): Uint8Array {
  const bytes = numberToVarBytesBE(value);
  return (bytes[0] as number) >= 0x80 ? concat(Uint8Array.of(0), bytes) : bytes;
}

/** Reads on until something does not fit; then `failed` is set and all further values are empty. */
export class Reader {
  failed = false;
  private at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get rest(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    return this.bytes[this.at++] as number;
  }

  uint32(): number {
    return this.take(4).reduce((value, byte) => value * 256 + byte, 0);
  }

  string(): Uint8Array {
    return this.take(this.uint32());
  }

  text(): string {
    return String.fromCharCode(...this.string().subarray(0, 64));
  }

  /** A positive integer. */
  mpint(): bigint | undefined {
    const bytes = this.string();
    if (bytes.length === 0 || bytes.length > 1025 || (bytes[0] as number) >= 0x80) return undefined;
    return bytesToNumberBE(bytes) || undefined;
  }

  private take(length: number): Uint8Array {
    if (this.failed || length > this.rest) {
      this.failed = true;
      return new Uint8Array(0);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
