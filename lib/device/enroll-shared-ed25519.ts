/** Enrolment of an Ed25519 key that is never whole again (docs/protocol.md section 3, scheme `ed25519`). */
import { ed25519 } from '@noble/curves/ed25519.js';
import { randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readPrivateKey } from '../crypto/keys/private-key.ts';
import type { Ed25519Jwk } from '../crypto/keys/public-jwk.ts';
import type { PrivateKeySource } from '../crypto/keys/read-private-jwk.ts';
import { deviceShare } from '../protocol/password.ts';
import { ED25519_SHARE_BYTES, splitEd25519Key } from '../protocol/schemes/ed25519-signing.ts';
import { registerAt } from './login-proof.ts';
import {
  type Enrolment,
  type EnrolmentOptions,
  type ExistingKey,
  makeRecord,
  sealingTarget,
  type WithRegistration,
} from './make-record.ts';

/** An Ed25519 key that is never whole again: device and assistant sign together. */
export interface SharedEd25519Options extends EnrolmentOptions, WithRegistration {
  /** Default. */
  readonly scheme?: 'ed25519';
  /** A key that exists. Default a new one. */
  readonly key?: 'Ed25519' | ExistingKey;
}

/** `enroll` for scheme `ed25519`. */
export async function enrollSharedEd25519({
  key = 'Ed25519',
  ...options
}: SharedEd25519Options): Promise<Enrolment> {
  if (typeof key === 'string' && key !== 'Ed25519')
    throw new TypeError(`key ${String(key)} needs the scheme 'retrieve', or 'rsa' or 'elgamal' to share it`);
  const target = await sealingTarget(options.assistant, options);
  options.onProgress?.({ phase: 'generating' });
  const seed = typeof key === 'string' ? randomBytes(32) : await readSeed(key.existing);
  try {
    const jwk: Ed25519Jwk = { kty: 'OKP', crv: 'Ed25519', x: toBase64url(ed25519.getPublicKey(seed)) };
    const made = await makeRecord(
      target,
      jwk,
      (k) => {
        const f = deviceShare(k, 'ed25519', ED25519_SHARE_BYTES);
        try {
          return { scheme: 'ed25519', ...splitEd25519Key(seed, f) };
        } finally {
          wipe(f);
        }
      },
      options,
    );
    if (options.register) {
      const sign = async (data: Uint8Array) => ed25519.sign(data, seed);
      await registerAt(options.register, { alg: 'Ed25519', jwk, sign }, made.record.u, options);
    }
    return made;
  } finally {
    wipe(seed);
  }
}

async function readSeed(source: PrivateKeySource): Promise<Uint8Array> {
  const { pkcs8, publicJwk } = await readPrivateKey(source);
  try {
    if (publicJwk.kty === 'OKP') return pkcs8.slice(-32);
    throw new RoamingKeyError(
      'bad_key',
      `an Ed25519 key is needed: this one of kty ${publicJwk.kty} needs the scheme 'retrieve'`,
    );
  } finally {
    wipe(pkcs8);
  }
}
