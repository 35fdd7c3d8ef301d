/** A change of password (docs/protocol.md section 6): by a new record around the same key, or by moving both shares. */
import { randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { parseSealed, readAssistantJwk } from '../crypto/jwe/jwe.ts';
import { importForUse } from '../crypto/keys/private-key.ts';
import type { DisablingKit } from '../protocol/disabling.ts';
import { type KdfParameters, verifier } from '../protocol/password.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import { REISSUE, RETIRE } from '../protocol/schemes/index.ts';
import { mask } from '../protocol/schemes/retrieve.ts';
import type { AssistedRecord, AssistedRecordOptions, Stretched } from './assisted-record.ts';
import { cryptoKeySigner, type LoginAlg, type LoginTarget, registerAt } from './login-proof.ts';
import { type Enrolment, kdfParameters, makeRecord, sealingTarget } from './make-record.ts';
import type { PasswordChange } from './shared-key.ts';

export interface ChangePasswordOptions {
  readonly password: string;
  readonly newPassword: string;
  /**
   * Keeps the new kit of a key that is recovered, off this device; must have done so when it resolves. The old one still
   * disables the key at apps that know its name, and nothing at the assistant, where its ticket is retired. The kit of a
   * shared key stays good, so that none is made.
   */
  readonly saveKit?: (kit: DisablingKit) => Promise<void>;
  /** Apps where a key that is recovered is registered: they get the new name under which it can be disabled. */
  readonly relyingParties?: readonly LoginTarget[];
  /** Cost of a guess. Default: as before. */
  readonly kdf?: Partial<Omit<KdfParameters, 'name'>>;
  /** When the new ticket of a key that is recovered ends, in seconds since the epoch. Default never: the device cannot read the old one. */
  readonly expiresAt?: number;
  /**
   * Called with the new record once it is kept, here and at the record service, and before the old ticket is retired: for
   * whatever else must have the new record first. What it returns is awaited. Where it throws, the password is changed and
   * the old ticket still good (`isOldRetired: false`, with the error as `cause`); `retire` then calls it again.
   */
  readonly beforeRetire?: (record: DeviceRecord) => unknown;
}

/** What a change of password leaves. */
export interface ChangedPassword {
  /**
   * Whether the old ticket was retired, those of this `Device`'s changes before as well, and the record service has the new
   * record where it had the old one. If not, old password and old record still lead to the key: `retire(password)` with the old
   * one finishes it, on this `Device` or on one of `old`.
   */
  readonly isOldRetired: boolean;
  /** The old record, where its ticket could not be retired; else the latest of which that is so. */
  readonly old?: DeviceRecord;
  /** What kept its ticket from being retired, where this change tried to: an error, also one of `beforeRetire`. */
  readonly cause?: unknown;
  /** The new kit, for a key that is recovered. */
  readonly kit?: DisablingKit;
}

/** Errors after which it is not known whether the assistant has done what it was asked. */
const UNDECIDED = ['unavailable', 'network', 'bad_response'] as const;

/** How often a reissue is asked for that was `unavailable`. */
const TRIES = 3;

/**
 * Makes a new record of a shared key: the assistant moves its share by the difference of the old and the new password's,
 * and the new record is used once before it is believed.
 *
 * @param old the old password stretched
 * @returns the new password stretched for the new record; the caller ends it
 * @throws RoamingKeyError `unsupported` where the assistant cannot do it yet; `bad_response` where the new ticket does
 *   not fit; whatever asking throws. The old record is in force then.
 */
export async function reissue(
  record: AssistedRecord,
  old: Stretched,
  change: PasswordChange,
  { newPassword, kdf }: Pick<ChangePasswordOptions, 'newPassword' | 'kdf'>,
): Promise<Stretched> {
  for (let attempt = 1; ; attempt++) {
    // Fresh each time: one that was answered `unavailable` may have been done all the same.
    const salt = toBase64url(randomBytes(32));
    const a = randomBytes(32);
    const { name: _name, ...cost } = old.record.kdf;
    const draft = { ...old.record, salt, a: toBase64url(a), kdf: kdfParameters({ ...cost, ...kdf }) };
    const next = await record.stretchFor(draft, newPassword);
    try {
      const made = await ask(record, old, next, change, a);
      await change.check(made);
      return made;
    } catch (error) {
      next.end();
      if (attempt >= TRIES || !(error instanceof ReissueUnavailable)) throw unwrapped(error);
    }
  }
}

/** A reissue that was answered `unavailable`, told apart from other requests that may be. */
class ReissueUnavailable extends Error {}

function unwrapped(error: unknown): unknown {
  return error instanceof ReissueUnavailable ? error.cause : error;
}

async function ask(
  record: AssistedRecord,
  old: Stretched,
  next: Stretched,
  change: PasswordChange,
  a: Uint8Array,
): Promise<Stretched> {
  const length = change.shareLength(old.record);
  const [f, nextF, b] = [old.share(length), next.share(length), verifier(next.k)];
  const delta = change.delta(old.record, f, nextF);
  try {
    const { ticket, key } = await old
      .ask(REISSUE, () => ({ a, b, delta }))
      .catch((cause: unknown) => {
        // It may be done although no answer came; what was refused is not, and must not cover a thief's reissue.
        if (!isRoamingKeyError(cause) || isRoamingKeyError(cause, ...UNDECIDED))
          record.countReissue(old.record);
        if (isRoamingKeyError(cause, 'unavailable')) throw new ReissueUnavailable('', { cause });
        throw isRoamingKeyError(cause, 'invalid_request') ? tooOld(cause) : cause;
      });
    record.countReissue(old.record);
    const jwk = await readAssistantJwk(key);
    if (!jwk || parseSealed(ticket, 'rk-ticket+jwe')?.kid !== jwk.kid)
      throw new RoamingKeyError('bad_response', 'the assistant answered with a ticket under another key');
    await record.requireListed(jwk.kid);
    const { use: _use, alg: _alg, ...bare } = jwk;
    const { url } = old.record.assistant;
    return next.for(parseRecord({ ...next.record, ticket, assistant: { url, jwk: bare } }));
  } finally {
    wipe(f, nextF, b, delta);
  }
}

function tooOld(cause: unknown): RoamingKeyError {
  return new RoamingKeyError(
    'unsupported',
    'this assistant cannot change the password of a shared key yet: its operator must update it',
    { cause },
  );
}

/**
 * Makes a new record, ticket and kit around a key that was recovered, has the kit kept, and tells the apps.
 *
 * @param pkcs8 the key, which stays the caller's to wipe
 * @throws RoamingKeyError `bad_password`, and what registering throws; then the old record is in force
 */
export async function remake(
  old: DeviceRecord,
  pkcs8: Uint8Array,
  alg: LoginAlg,
  { newPassword, saveKit, relyingParties = [], kdf, expiresAt }: ChangePasswordOptions,
  options: AssistedRecordOptions,
): Promise<Enrolment> {
  const target = await sealingTarget(old.assistant.url, options);
  const made = await makeRecord(target, old.jwk, (k) => ({ scheme: 'retrieve', c: mask(pkcs8, k) }), {
    ...options,
    password: newPassword,
    kdf: { t: old.kdf.t, m: old.kdf.m, p: old.kdf.p, ...kdf },
    ...(expiresAt !== undefined && { expiresAt }),
  });
  await saveKit?.(made.kit);
  const signer = cryptoKeySigner(await importForUse(pkcs8, old.jwk, alg), alg, old.jwk);
  await registerAt(relyingParties, signer, made.record.u, options);
  return made;
}

/**
 * Retires the ticket that a password was stretched for.
 *
 * @throws RoamingKeyError whatever asking throws, but for `retired`: then it is done
 */
export async function retireTicket(stretched: Stretched): Promise<void> {
  await stretched
    .ask(RETIRE, () => ({}))
    .catch((error: unknown) => {
      if (!isRoamingKeyError(error, 'retired')) throw error;
    });
}
