import * as v from 'valibot';
import { fromBase64url, randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import type { AssistantJwk } from '../crypto/jwe/jwe.ts';
import type { PrivateKeySource } from '../crypto/keys/private-key.ts';
import type { PublicJwk } from '../crypto/keys/public-jwk.ts';
import { type DisablingKit, disablingName, parseKit } from '../protocol/disabling.ts';
import {
  type Argon2id,
  DEFAULT_KDF,
  KDF_PARAMETERS,
  type KdfParameters,
  stretchPassword,
  verifier,
} from '../protocol/password.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import { type TicketShare, ticketPayload } from '../protocol/ticket.ts';
import { AssistantClient, type AssistantClientOptions, sealToPublished } from './assistant-client.ts';
import { defaultArgon2id } from './default-argon2id.ts';
import type { LoginTarget } from './login-proof.ts';
import type { RoamOptions } from './roam.ts';

/** What every enrolment needs, whatever the scheme. */
export interface EnrolmentOptions extends AssistantClientOptions {
  /** The assistant's URL: https, or http on the loopback. It need not know of anything beforehand. */
  readonly assistant: string;
  /** What the user will type. Leaves this function in no form that it could be guessed from. */
  readonly password: string;
  /** Cost of a guess. Default: Argon2id with 64 MiB, three passes, four lanes. */
  readonly kdf?: Partial<Omit<KdfParameters, 'name'>>;
  /** A kit that exists: it then disables this key too. Default: a new one. */
  readonly kit?: DisablingKit;
  /** When the ticket expires, in seconds since the epoch. Default never. */
  readonly expiresAt?: number;
  /** Where Argon2id is computed. Default: by WebAssembly, on a page in a worker and else on this thread. */
  readonly argon2id?: Argon2id;
  /** A record service that also holds the record, for the account that it has authenticated by other means. */
  readonly roam?: RoamOptions;
}

/** Where the key is registered at once, while it exists. */
export interface WithRegistration {
  /** Apps that have authenticated the account by other means, such as by an invitation. */
  readonly register?: readonly LoginTarget[];
}

/** A key that exists already: PEM (PKCS#8, PKCS#1, SEC 1, OpenSSH; not encrypted), PKCS#8 bytes, JWK, extractable CryptoKey. */
export interface ExistingKey {
  readonly existing: PrivateKeySource;
}

/** What enrolment leaves: nothing else remains, anywhere. */
export interface Enrolment {
  /** To keep on the device. */
  readonly record: DeviceRecord;
  /** To keep anywhere but on the device: the only way to disable the key when the device is gone. */
  readonly kit: DisablingKit;
  /**
   * With `roam`: the pickup code, to be shown once; `null` where the one stays in force that the account has (see
   * `storeRecord` for a new one), or none is needed.
   */
  readonly code?: string | null;
}

/** The assistant and the key to which a ticket is sealed. */
export interface SealingTarget {
  readonly url: string;
  readonly jwk: AssistantJwk;
}

/**
 * The cost of a guess.
 *
 * @throws TypeError for parameters below the floor or above the ceiling
 */
export function kdfParameters(kdf: EnrolmentOptions['kdf']): KdfParameters {
  const cost = v.safeParse(KDF_PARAMETERS, { ...DEFAULT_KDF, ...kdf });
  if (cost.success) return cost.output;
  throw new TypeError(`kdf is weaker than the floor or costlier than the ceiling: ${JSON.stringify(kdf)}`);
}

/** The active key of an assistant, asked for over HTTP. */
export async function sealingTarget(url: string, options: AssistantClientOptions): Promise<SealingTarget> {
  const client = new AssistantClient(url, options);
  const [jwk] = await client.keys();
  return { url: client.url, jwk: jwk as AssistantJwk };
}

/**
 * Makes record, ticket and kit with fresh salt, a and t (docs/protocol.md section 3). The assistant is not asked: it
 * learns of the ticket when the ticket is used.
 *
 * @param share makes the scheme's part of the ticket from the password's K
 * @throws RoamingKeyError `bad_password`
 * @throws TypeError for KDF parameters below the floor or above the ceiling, or an `expiresAt` that is past
 */
export async function makeRecord(
  target: SealingTarget,
  jwk: PublicJwk,
  share: (k: Uint8Array) => TicketShare,
  {
    password,
    kdf,
    expiresAt,
    kit,
    argon2id = defaultArgon2id,
    onProgress,
    now = epochSeconds,
  }: Omit<EnrolmentOptions, 'assistant'>,
): Promise<Enrolment> {
  const cost = kdfParameters(kdf);
  const iat = now();
  if (expiresAt !== undefined && !(Number.isSafeInteger(expiresAt) && expiresAt > iat)) {
    throw new TypeError('expiresAt must be a whole number of seconds in the future');
  }
  const salt = randomBytes(32);
  const a = randomBytes(32);
  const t = kit ? kitSecret(kit, target.url) : randomBytes(16);
  const u = disablingName(t);
  let k: Uint8Array | undefined;
  let b: Uint8Array | undefined;
  let part: TicketShare | undefined;
  try {
    onProgress?.({ phase: 'stretching' });
    k = await stretchPassword(password, salt, cost, argon2id, (done) =>
      onProgress?.({ phase: 'stretching', done }),
    );
    b = verifier(k);
    part = share(k);
    const frame = { a, b, u, iat, ...(expiresAt !== undefined && { exp: expiresAt }) };
    const ticket = await sealToPublished(ticketPayload(frame, part), 'rk-ticket+jwe', target.jwk);
    const record = parseRecord({
      version: 1,
      scheme: part.scheme,
      salt: toBase64url(salt),
      a: toBase64url(a),
      u: toBase64url(u),
      kdf: cost,
      ticket,
      jwk,
      assistant: target,
    });
    return { record, kit: { version: 1, assistant: { url: target.url }, t: toBase64url(t) } };
  } finally {
    wipe(k, b, a, t);
    if (part) wipe(...Object.values(part).filter((value) => value instanceof Uint8Array));
  }
}

/** The secret of a kit, which must be of the same assistant: its code names it. */
function kitSecret(kit: DisablingKit, url: string): Uint8Array<ArrayBuffer> {
  const parsed = parseKit(kit);
  if (readSecureUrl(parsed.assistant.url) !== url)
    throw new RoamingKeyError('wrong_assistant', 'the kit belongs to another assistant');
  return fromBase64url(parsed.t) as Uint8Array<ArrayBuffer>;
}
