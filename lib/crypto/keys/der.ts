import { concat } from '../../base/bytes.ts';

/** One value of a DER encoding: its tag octet and its contents. */
export interface DerValue {
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Tags that private keys are made of (X.690 section 8, RFC 5915, RFC 5958). */
export const TAG = {
  integer: 0x02,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  bitString: 0x03,
  sequence: 0x30,
  context0: 0xa0,
  context1: 0xa1,
  implicit1: 0x81,
} as const;

/**
 * Takes the values apart that fill `bytes` to the last octet. Lengths may be longer than they need to be, as OpenSSL
 * accepts them: no signature depends on these bytes.
 *
 * @returns the values in order, or `undefined` where a length is indefinite or does not fit
 * @see X.690 sections 8.1 and 10.1
 */
export function readDer(bytes: Uint8Array): readonly DerValue[] | undefined {
  const values: DerValue[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] as number;
    let length = bytes[at + 1];
    at += 2;
    if (length === undefined || (tag & 0x1f) === 0x1f) return undefined;
    if (length >= 0x80) {
      const octets = length - 0x80;
      if (octets < 1 || octets > 4 || at + octets > bytes.length) return undefined;
      length = 0;
      for (const end = at + octets; at < end; at++) length = length * 256 + (bytes[at] as number);
    }
    if (at + length > bytes.length) return undefined;
    values.push({ tag, body: bytes.subarray(at, at + length) });
    at += length;
  }
  return values;
}

/** Writes one value, with the shortest length (X.690 section 10.1). */
export function writeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(...parts);
  const { length } = body;
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length];
  return concat(Uint8Array.of(tag, ...octets), body);
}

/** The values inside the one value of tag `tag` that fills `bytes`; `undefined` where there is anything else. */
export function readDerInside(bytes: Uint8Array, tag: number): readonly DerValue[] | undefined {
  const outer = readDer(bytes);
  return outer?.length === 1 && outer[0]?.tag === tag ? readDer(outer[0].body) : undefined;
}
