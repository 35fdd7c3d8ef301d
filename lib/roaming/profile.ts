/**
 * The one kind of record that a service takes and gives out (docs/protocol.md section 9): what every record has in common, so
 * that a decoy can have it too.
 */
import * as v from 'valibot';
import { fromBase64url } from '../base/bytes.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import { type AssistantJwk, matchesKey, parseSealed } from '../crypto/jwe/jwe.ts';
import { type PublicJwk, readPublicJwk } from '../crypto/keys/public-jwk.ts';
import { DEFAULT_KDF, KDF_PARAMETERS, type KdfParameters } from '../protocol/password.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import { readElgamalPublicJwk } from '../protocol/schemes/elgamal-keys.ts';
import { ROAMING_KEYS, type RoamingKeyKind, type RoamingScheme } from './decoys/kinds.ts';

/** What all records of a service have in common. */
export interface RecordProfileOptions {
  /** Default `ed25519`. */
  readonly scheme?: RoamingScheme;
  /**
   * With `ed25519`: Ed25519. With `retrieve`: Ed25519 or P-256. With `elgamal`: P-256 or a group of RFC 7919. Default: the
   * first.
   */
  readonly key?: RoamingKeyKind;
  /** Default: what enrolment takes by default. */
  readonly kdf?: Partial<Omit<KdfParameters, 'name'>>;
}

/** The same, checked and complete. */
export interface RecordProfile {
  readonly scheme: RoamingScheme;
  readonly key: RoamingKeyKind;
  readonly kdf: KdfParameters;
  /** The assistant's URL, as every record spells it. */
  readonly assistant: string;
}

/** @throws TypeError naming the option that is wrong */
export function recordProfile(assistant: string, options: RecordProfileOptions = {}): RecordProfile {
  const url = typeof assistant === 'string' ? readSecureUrl(assistant) : undefined;
  if (url === undefined)
    throw new TypeError(
      `assistant must be an https URL, or http on the loopback, without query, got ${String(assistant)}`,
    );
  const { scheme = 'ed25519' } = options;
  if (!Object.hasOwn(ROAMING_KEYS, scheme))
    throw new TypeError(
      `profile.scheme must be one of ${Object.keys(ROAMING_KEYS).join(', ')}, got ${scheme}`,
    );
  const kinds = Object.keys(ROAMING_KEYS[scheme]) as RoamingKeyKind[];
  const { key = kinds[0] as RoamingKeyKind } = options;
  if (!kinds.includes(key)) throw new TypeError(`profile.key must be one of ${kinds.join(', ')}, got ${key}`);
  const kdf = v.safeParse(KDF_PARAMETERS, { ...DEFAULT_KDF, ...options.kdf });
  if (!kdf.success) throw new TypeError('profile.kdf is weaker than the floor or costlier than the ceiling');
  return { scheme, key, kdf: kdf.output, assistant: url };
}

/** A record that fits, in the one spelling in which this service gives records out. */
export interface FittingRecord {
  readonly text: string;
  /** The text up to and including `u`, with `salt` and `a`: all that stays the same when the ticket is renewed. */
  readonly start: string;
  readonly u: string;
  readonly kid: string;
}

/** What a record is compared with: a decoy under the same key of the assistant. */
export interface FitOptions {
  readonly profile: RecordProfile;
  /** The listed key of that kid; `undefined` for none. */
  readonly findKey: (kid: string) => Promise<AssistantJwk | undefined>;
  readonly sample: (jwk: AssistantJwk) => Promise<string>;
  /** Whether the ticket's header must be spelled as this package spells it, too. */
  readonly sameSpelling: boolean;
}

/**
 * Checks that a record is of the profile, as far as a service can know that cannot open tickets: by all that the record
 * says, and by its ticket's header and length.
 *
 * @throws RoamingKeyError `invalid_request` where it is no record; `unsupported` where it is one of another kind, has
 *   a ticket of another length (one that expires, say), or another assistant; `unknown_key` where the assistant does
 *   not list the key that it names
 */
export async function fitRecord(value: unknown, options: FitOptions): Promise<FittingRecord> {
  const { profile, findKey, sample, sameSpelling } = options;
  const record = await readRecord(value);
  const { scheme, kdf, jwk, assistant } = record;
  const fits =
    scheme === profile.scheme &&
    kindOf(jwk) === profile.key &&
    (['t', 'm', 'p'] as const).every((cost) => kdf[cost] === profile.kdf[cost]) &&
    readSecureUrl(assistant.url) === profile.assistant;
  if (!fits) throw unsupported();
  const key = await findKey(assistant.jwk.kid);
  if (!key) throw new RoamingKeyError('unknown_key', 'the assistant does not list the key of this record');
  const text = spellRecord(profile, record, key);
  const ticket = parseSealed(record.ticket, 'rk-ticket+jwe');
  // A record that names a listed kid but another key under it would be refused by every client.
  if (!ticket || !matchesKey(ticket, key) || !sameKey(assistant.jwk, key))
    throw new RoamingKeyError('invalid_request', 'ticket and key of this record do not belong together');
  const model = await sample(key);
  if (text.length !== model.length || shapeOf(record.ticket) !== shapeOf(ticketOf(model)))
    throw unsupported();
  if (sameSpelling && spellingOf(record.ticket) !== spellingOf(ticketOf(model))) throw unsupported();
  const start = text.slice(0, text.indexOf('"kdf"'));
  return { text, start, u: record.u, kid: key.kid };
}

/** The record's one spelling: members in the order of docs/protocol.md section 3, the assistant as the service names it. */
export function spellRecord(
  { assistant, kdf: { t, m, p } }: RecordProfile,
  { scheme, salt, a, u, ticket, jwk }: Pick<DeviceRecord, 'scheme' | 'salt' | 'a' | 'u' | 'ticket' | 'jwk'>,
  key: AssistantJwk,
): string {
  const kdf = { name: 'argon2id', t, m, p };
  const { use: _use, alg: _alg, ...bare } = key;
  return JSON.stringify({
    version: 1,
    scheme,
    salt,
    a,
    u,
    kdf,
    ticket,
    jwk: spellJwk(jwk),
    assistant: { url: assistant, jwk: spellJwk(bare) },
  });
}

function spellJwk(jwk: object): object {
  const { kty, crv, group, x, y, n, e, kid } = jwk as Record<string, unknown>;
  return { kty, crv, group, x, y, n, e, kid };
}

async function readRecord(value: unknown): Promise<DeviceRecord> {
  try {
    const record = parseRecord(value);
    if (record.jwk.kty === 'DH' ? !readElgamalPublicJwk(record.jwk) : !(await readPublicJwk(record.jwk)))
      throw new RoamingKeyError('bad_key', 'not in its group');
    return record;
  } catch (error) {
    if (!isRoamingKeyError(error)) throw error;
    throw new RoamingKeyError('invalid_request', 'this is no device record', { cause: error });
  }
}

function kindOf(jwk: PublicJwk): string {
  return jwk.kty === 'OKP' || jwk.kty === 'EC' ? jwk.crv : jwk.kty === 'DH' ? jwk.group : jwk.kty;
}

function sameKey(a: AssistantJwk, b: AssistantJwk): boolean {
  return JSON.stringify(spellJwk(a)) === JSON.stringify(spellJwk(b));
}

function ticketOf(record: string): string {
  return (JSON.parse(record) as DeviceRecord).ticket;
}

/** The lengths of a ticket's five parts. */
function shapeOf(ticket: string): string {
  return ticket
    .split('.')
    .map((part) => part.length)
    .join();
}

/** A ticket's header without the coordinates that are another's in every ticket. */
function spellingOf(ticket: string): string {
  const header = Buffer.from(fromBase64url(ticket.split('.')[0] as string) as Uint8Array).toString();
  return header.replace(/"([xy])":"[^"]*"/g, '"$1":""');
}

function unsupported(): RoamingKeyError {
  return new RoamingKeyError('unsupported', 'this record is of another kind than this service keeps');
}
