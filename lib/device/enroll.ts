import { wipe } from '../base/bytes.ts';
import { loaded } from '../base/load.ts';
import {
  generatePrivateKey,
  importForUse,
  type PrivateKeyKind,
  readPrivateKey,
} from '../crypto/keys/private-key.ts';
import { DEFAULT_KDF } from '../protocol/password.ts';
import { mask } from '../protocol/schemes/retrieve.ts';
import type { SharedEd25519Options } from './enroll-shared-ed25519.ts';
import type { SharedElgamalOptions } from './enroll-shared-elgamal.ts';
import type { SharedRsaOptions } from './enroll-shared-rsa.ts';
import { cryptoKeySigner, type LoginAlg, registerAt } from './login-proof.ts';
import {
  type Enrolment,
  type EnrolmentOptions,
  type ExistingKey,
  makeRecord,
  sealingTarget,
  type WithRegistration,
} from './make-record.ts';
import { RecordServiceClient } from './roam.ts';

export type { SharedEd25519Options } from './enroll-shared-ed25519.ts';
export type { SharedElgamalOptions } from './enroll-shared-elgamal.ts';
export type { SharedRsaOptions } from './enroll-shared-rsa.ts';
export type { ExistingKey } from './make-record.ts';

/** A key that is recovered with the password: Ed25519, P-256 or RSA. */
export interface RetrieveOptions extends EnrolmentOptions, WithRegistration {
  readonly scheme: 'retrieve';
  /** A kind to generate, or a key that exists. Default a new Ed25519 key. */
  readonly key?: PrivateKeyKind | ExistingKey;
}

export type EnrollOptions = SharedEd25519Options | RetrieveOptions | SharedRsaOptions | SharedElgamalOptions;

/**
 * Protects a private key with a password and an assistant, which need not know of the device and learns nothing now
 * but that a client asked for its public keys.
 *
 * By default that is a new Ed25519 key which is never whole again: it signs with the assistant's help alone, so that a
 * disabled key is worth nothing even to a thief who has device and password. The scheme `retrieve` is for who needs the
 * key itself.
 *
 * @returns the record for this device, and the disabling kit to keep elsewhere; nothing else remains
 * @throws RoamingKeyError `bad_password`, `bad_key`, `network`, `unavailable`, `bad_response`; with `register` also
 *   what registering throws; with `roam` also `unsupported` for a kind of record that the service does not keep
 * @throws TypeError for an assistant that is neither https nor on the loopback, or KDF parameters out of bounds
 * @source docs/protocol.md section 3
 *
 * @example
 * const { record, kit } = await enroll({ assistant: 'https://assistant.example', password });
 */
export async function enroll(options: EnrollOptions): Promise<Enrolment> {
  if (!options.roam) return protect(options);
  const service = new RecordServiceClient(options.roam, options);
  const { scheme = 'ed25519', key = scheme === 'elgamal' ? 'P-256' : 'Ed25519' } = options;
  await service.requireKind(scheme, typeof key === 'string' ? key : undefined, {
    ...DEFAULT_KDF,
    ...options.kdf,
  });
  const made = await protect(options);
  // Last, so that an earlier record, which works, is not replaced by one whose key no app knows; and under the code that
  // the user has, since a new one would be lost with this process if that ended here.
  return { ...made, code: await service.store(made.record, 'code') };
}

async function protect(options: EnrollOptions): Promise<Enrolment> {
  switch (options.scheme) {
    case 'rsa':
      return (await loaded(import('./enroll-shared-rsa.ts'))).enrollSharedRsa(options);
    case 'elgamal':
      return (await loaded(import('./enroll-shared-elgamal.ts'))).enrollSharedElgamal(options);
    case 'retrieve':
      return enrollRetrieve(options);
    case 'ed25519':
    case undefined:
      return (await loaded(import('./enroll-shared-ed25519.ts'))).enrollSharedEd25519(options);
    default:
      throw new TypeError(
        `scheme must be ed25519, retrieve, rsa or elgamal, and is ${String((options as { scheme: unknown }).scheme)}`,
      );
  }
}

async function enrollRetrieve({ key = 'Ed25519', ...options }: RetrieveOptions): Promise<Enrolment> {
  const target = await sealingTarget(options.assistant, options);
  options.onProgress?.({ phase: 'generating' });
  const { pkcs8, publicJwk } =
    typeof key === 'string' ? await generatePrivateKey(key) : await readPrivateKey(key.existing);
  try {
    const made = await makeRecord(
      target,
      publicJwk,
      (k) => ({ scheme: 'retrieve', c: mask(pkcs8, k) }),
      options,
    );
    if (options.register) {
      const alg = LOGIN_ALG[publicJwk.kty];
      const signer = cryptoKeySigner(await importForUse(pkcs8, publicJwk, alg), alg, publicJwk);
      await registerAt(options.register, signer, made.record.u, options);
    }
    return made;
  } finally {
    wipe(pkcs8);
  }
}

const LOGIN_ALG = { OKP: 'Ed25519', EC: 'ES256', RSA: 'PS256' } as const satisfies Record<string, LoginAlg>;
