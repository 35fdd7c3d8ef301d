/** Client side of passport-roaming-key, for browsers and Node. */

export { type ErrorCode, isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
export type {
  KeyUse,
  PrivateKeyFormat,
  PrivateKeyKind,
  PrivateKeySource,
} from '../crypto/keys/private-key.ts';
export type { PublicJwk } from '../crypto/keys/public-jwk.ts';
export { type DisablingKit, disablingCode, kitFromCode, parseKit } from '../protocol/disabling.ts';
export { type Argon2id, argon2idInline, DEFAULT_KDF, type KdfParameters } from '../protocol/password.ts';
export { type DeviceRecord, parseRecord } from '../protocol/record.ts';
export type { OtherPurpose } from '../protocol/roaming.ts';
export type { DeviceWarning, KeyHistory } from './assisted-record.ts';
export { type Argon2idInWorkerOptions, argon2idInWorker } from './browser/argon2id-in-worker.ts';
export {
  type BrowserRecords,
  type IndexedDbRecordsOptions,
  indexedDbRecords,
} from './browser/indexed-db-records.ts';
export type { ChangedPassword, ChangePasswordOptions } from './change-password.ts';
export {
  Device,
  type DeviceOptions,
  type LoginAnswer,
  type ProofOptions,
  type Purpose,
  type RoamingDeviceOptions,
  type SignJwsOptions,
  type SignOptions,
  type Unlocked,
  type UnlockOptions,
  type WithPassword,
} from './device.ts';
export { type Disabled, type DisableOptions, disable } from './disable.ts';
export { type EncryptToOptions, encryptTo } from './encrypt-to.ts';
export {
  type EnrollOptions,
  type ExistingKey,
  enroll,
  type RetrieveOptions,
  type SharedEd25519Options,
  type SharedElgamalOptions,
  type SharedRsaOptions,
} from './enroll.ts';
export type { HoldOptions } from './held.ts';
export type { LoginTarget, RelyingPartyAnswer, SignatureAlg } from './login-proof.ts';
export type { Enrolment } from './make-record.ts';
export type { Progress } from './progress.ts';
export { memoryRecords, type Records } from './records.ts';
export { type KeptRecord, type PickupOptions, RecordServiceClient, type RoamOptions } from './roam.ts';
