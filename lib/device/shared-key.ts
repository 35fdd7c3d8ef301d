/** What a device does with the keys that it shares with the assistant: one object for each scheme. */
import type { DeviceRecord } from '../protocol/record.ts';
import type { Stretched } from './assisted-record.ts';
import type { SignatureAlg } from './login-proof.ts';

/** What is signed: data, or with an RSA key its hash. */
export type Signable = Uint8Array | { readonly digest: Uint8Array };

/** A kind of key that signs. */
export interface SharedSigner {
  /** Whether the assistant sees what is signed, so that the claims of a login are hidden from it. */
  readonly isSeen: boolean;
  /** How the password is changed, by moving the assistant's share; absent where neither side can. */
  readonly change?: PasswordChange;
  /** Signs. The signature is verified before it is released. */
  sign(stretched: Stretched, data: Signable, alg: SignatureAlg): Promise<Uint8Array>;
}

/** A kind of key that decrypts. */
export interface SharedDecrypter {
  readonly change: PasswordChange;
  /** Decrypts a compact JWE. */
  decrypt(stretched: Stretched, jwe: string): Promise<Uint8Array>;
}

/** The arithmetic of a change of password (docs/protocol.md section 6). */
export interface PasswordChange {
  /** The length of f. */
  shareLength(record: DeviceRecord): number;
  /** delta, the old share less the new one, from both f. */
  delta(record: DeviceRecord, f: Uint8Array, nextF: Uint8Array): Uint8Array;
  /**
   * Uses a new record once.
   *
   * @throws RoamingKeyError `bad_response` where the assistant's new share does not fit, or what asking throws
   */
  check(stretched: Stretched): Promise<void>;
}
