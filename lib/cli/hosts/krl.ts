/** Key revocation lists as OpenSSH reads them (PROTOCOL.krl in its sources), with whole keys alone. */
import { concat, utf8 } from '../../base/bytes.ts';
import { strings, uint32 } from '../../crypto/ssh/encoding.ts';

const MAGIC = utf8('SSHKRL\n\0');
const FORMAT = 1;
const EXPLICIT_KEYS = 2;

/**
 * @param blobs public keys in SSH's wire format; certificates for them are revoked as well
 * @param at seconds since the epoch: the list's date, and its version
 */
export function keyRevocationList(blobs: readonly Uint8Array[], at: number): Uint8Array {
  const sorted = blobs.map((blob) => Buffer.from(blob)).sort((one, other) => one.compare(other));
  const head = concat(
    MAGIC,
    uint32(FORMAT),
    uint64(at),
    uint64(at),
    uint64(0),
    strings(utf8(''), utf8('roaming-key')),
  );
  if (sorted.length === 0) return head;
  return concat(head, Uint8Array.of(EXPLICIT_KEYS), strings(strings(...sorted)));
}

function uint64(value: number): Uint8Array {
  return concat(uint32(Math.floor(value / 2 ** 32)), uint32(value));
}
