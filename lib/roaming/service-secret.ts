import { createHmac } from 'node:crypto';
import { expand } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { toBase64url, utf8 } from '../base/bytes.ts';

/** A secret of at least 32 bytes; a string counts as its UTF-8 bytes. */
export type Secret = string | Uint8Array;

/**
 * What a record service derives from its secret: names that do not tell a store whose records it holds, and the random bytes
 * of decoys. Several texts are hashed as one JSON array, so that no two lists of texts give the same name.
 */
export class ServiceSecret {
  readonly #secret: Uint8Array;

  /** @throws TypeError where the secret is too short */
  constructor(secret: Secret) {
    const bytes = typeof secret === 'string' ? utf8(secret) : secret;
    if (!(bytes instanceof Uint8Array) || bytes.length < 32)
      throw new TypeError('secret must have at least 32 bytes');
    this.#secret = bytes.slice();
  }

  /** Names an account, exactly as the app spells it. */
  owner(account: string): string {
    return toBase64url(this.hash('record owner', account));
  }

  /** The key of a record. It takes the account's name and its pickup code, if there is one. */
  key(account: string, code: string): string {
    return toBase64url(this.hash('record key', code, account));
  }

  /** Names the record of another key of an account; no pickup code is part of it. */
  other(account: string, purpose: string): string {
    return toBase64url(this.hash('other record', account, purpose));
  }

  /** A number from 0 to 1 that is fixed for these texts. */
  fraction(label: string, ...texts: readonly string[]): number {
    return Buffer.from(this.hash(label, ...texts)).readUIntBE(0, 6) / 2 ** 48;
  }

  /** Which of `count` equal parts these texts belong to, from 0. */
  part(count: number, ...texts: readonly string[]): number {
    return Math.floor(this.fraction('limit', ...texts) * count);
  }

  /** 32 bytes that are fixed for these texts. */
  hash(label: string, ...texts: readonly string[]): Uint8Array {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify(['roaming-key/1', label, ...texts]))
      .digest();
  }

  /** Random bytes that are fixed for a label and texts: HKDF-Expand-SHA-256 of an HMAC, at most 8160 under each name. */
  stream(label: string, ...texts: readonly string[]): Stream {
    const seed = this.hash(label, ...texts);
    return (name, length) => expand(sha256, seed, utf8(name), length) as Uint8Array<ArrayBuffer>;
  }
}

/** `length` bytes under a name. */
export type Stream = (name: string, length: number) => Uint8Array<ArrayBuffer>;
