import { concat, utf8 } from '../../base/bytes.ts';

const HASH_LENGTH = 32;

/** What the key is bound to besides the secret (RFC 7518 section 4.6.2). */
export interface ConcatKdfContext {
  /** AlgorithmID: the header's `enc` for direct agreement, its `alg` for key wrapping. */
  readonly algorithm: string;
  /** Bits of the key. */
  readonly bits: number;
  /** PartyUInfo, the header's `apu` decoded. Default empty. */
  readonly apu?: Uint8Array | undefined;
  /** PartyVInfo, the header's `apv` decoded. Default empty. */
  readonly apv?: Uint8Array | undefined;
}

/**
 * Derives a key from a Diffie-Hellman secret Z by the Concat KDF with SHA-256 (NIST SP 800-56A, RFC 7518 section 4.6).
 *
 * @returns bits / 8 bytes, which the caller wipes
 */
export async function concatKdf(
  z: Uint8Array,
  { algorithm, bits, apu, apv }: ConcatKdfContext,
): Promise<Uint8Array<ArrayBuffer>> {
  const otherInfo = concat(
    prefixed(utf8(algorithm)),
    prefixed(apu ?? new Uint8Array()),
    prefixed(apv ?? new Uint8Array()),
    uint32(bits),
  );
  const length = bits / 8;
  const rounds = Math.ceil(length / HASH_LENGTH);
  const out = new Uint8Array(rounds * HASH_LENGTH);
  try {
    for (let i = 0; i < rounds; i++) {
      const input = concat(uint32(i + 1), z, otherInfo);
      try {
        out.set(new Uint8Array(await crypto.subtle.digest('SHA-256', input)), i * HASH_LENGTH);
      } finally {
        input.fill(0);
      }
    }
    return out.slice(0, length);
  } finally {
    out.fill(0);
  }
}

function prefixed(bytes: Uint8Array): Uint8Array {
  return concat(uint32(bytes.length), bytes);
}

function uint32(n: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, n);
  return out;
}
