import { readFileSync } from 'node:fs';

/** The vectors of an independent implementation; see test/vectors/README.md. */
export const vectors = JSON.parse(
  readFileSync(new URL('../vectors/roaming-key-1.json', import.meta.url), 'utf8'),
);

/** The vectors of `ed25519`, `reissue`, hidden claims and printed codes. */
export const vectors2 = JSON.parse(
  readFileSync(new URL('../vectors/roaming-key-2.json', import.meta.url), 'utf8'),
);

/** Bytes from hex. */
export const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'hex'));

/** Hex from bytes. */
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
