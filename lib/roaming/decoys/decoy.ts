/**
 * Decoys (docs/protocol.md section 9): the answer to a wrong account or a wrong code.
 *
 * Goal: a decoy cannot be distinguished from a record, by comparing or by trying passwords at the assistant, which opens its
 * ticket and counts the guess. That holds with pickup codes; without them, docs/roaming.md names four differences. Sent: a
 * record that is fixed for an account name and a key of the assistant. Secret: which names have an account. Limits: no password
 * opens a decoy, as its verifier is random.
 *
 * The ticket's content, and the record's members that repeat it, depend on the account's name alone; ephemeral key and
 * initialisation vector also on the kid. So a decoy moves to a new key as a renewed record does, and the assistant goes on
 * counting where it was.
 */
import { toBase64url } from '../../base/bytes.ts';
import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import { os2ip } from '../../math/integer.ts';
import { ticketPayload } from '../../protocol/ticket.ts';
import { type RecordProfile, spellRecord } from '../profile.ts';
import type { ServiceSecret } from '../service-secret.ts';
import { drawKey } from './kinds.ts';
import { sealDecoy } from './seal-decoy.ts';

/** Only the assistant sees when a ticket was made; a second of 2025. */
const FIRST_IAT = 1_735_689_600;
const YEAR = 365 * 86_400;

/** The decoy of an account name, in the spelling of records. */
export async function makeDecoy(
  secret: ServiceSecret,
  profile: RecordProfile,
  account: string,
  jwk: AssistantJwk,
): Promise<string> {
  const stream = secret.stream('decoy', account);
  const [salt, a, b, u] = ['salt', 'a', 'b', 'u'].map((name) => stream(name, 32)) as Uint8Array[] as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const iat = FIRST_IAT + (Number(os2ip(stream('iat', 6))) % YEAR);
  const { jwk: publicKey, share } = drawKey(profile.scheme, profile.key, stream);
  const payload = ticketPayload({ a, b, u, iat }, share);
  const ticket = await sealDecoy(payload, jwk, secret.stream('decoy ticket', account, jwk.kid));
  const members = { salt: toBase64url(salt), a: toBase64url(a), u: toBase64url(u) };
  const { scheme } = profile;
  return spellRecord(profile, { scheme, ...members, ticket, jwk: publicKey }, jwk);
}
