/**
 * Decoys (docs/protocol.md section 9): what a wrong account, or a wrong code, is answered with.
 *
 * Goal: who has one cannot tell it from a record, whatever he compares, and whatever password he tries at the assistant,
 * which takes its ticket for genuine and counts the guess. Sent: a record that is fixed for an account name as long as
 * its assistant's key is. Secret: which names have an account. Limits: nobody knows a password to it, as nobody knows what
 * its verifier is the verifier of.
 *
 * The ticket's content, and the record's members that repeat it, come from the account's name alone; ephemeral key and
 * initialisation vector from the name and the kid: so a decoy passes from key to key as a record does whose ticket is
 * renewed, and the assistant goes on counting where it was.
 */
import { toBase64url } from '../../base/bytes.ts';
import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import type { PublicJwk } from '../../crypto/keys/public-jwk.ts';
import { type AnyGroup, findGroup, type GroupName, safePrimeOf } from '../../math/groups.ts';
import { i2osp, os2ip } from '../../math/integer.ts';
import { type TicketShare, ticketPayload } from '../../protocol/ticket.ts';
import { type RecordProfile, spellRecord } from '../profile.ts';
import type { ServiceSecret, Stream } from '../service-secret.ts';
import { okpKey, p256Key, sealDecoy } from './seal-decoy.ts';

/** Length of the PKCS#8 form of a key, which is what a ticket holds masked. */
const PRIVATE_KEY_BYTES = { Ed25519: 48, 'P-256': 138 } as const;
/** Nobody but the assistant sees when a ticket was made; some second of 2025. */
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
  const payload = ticketPayload({ a, b, u, iat }, shareOf(profile, stream));
  const ticket = await sealDecoy(payload, jwk, secret.stream('decoy ticket', account, jwk.kid));
  const members = { salt: toBase64url(salt), a: toBase64url(a), u: toBase64url(u) };
  const { scheme } = profile;
  return spellRecord(profile, { scheme, ...members, ticket, jwk: publicKeyOf(profile, stream) }, jwk);
}

/** A public key that is drawn as all are: from a private one, or from the group itself. */
function publicKeyOf({ key }: RecordProfile, stream: Stream): PublicJwk {
  if (key === 'Ed25519') return { kty: 'OKP', crv: 'Ed25519', x: okpKey('Ed25519', stream('key', 32)).x };
  if (key === 'P-256') {
    const { x, y } = p256Key(stream('key', 48));
    return { kty: 'EC', crv: 'P-256', x, y };
  }
  const group = findGroup(key) as AnyGroup;
  const p = safePrimeOf(group) as bigint;
  // The group is that of the squares, so any square is as likely as any power of the generator, and much cheaper.
  const root = (os2ip(stream('key', group.elementLength + 16)) % (p - 3n)) + 2n;
  return { kty: 'DH', group: key, y: toBase64url(i2osp((root * root) % p, group.elementLength)) };
}

function shareOf({ scheme, key }: RecordProfile, stream: Stream): TicketShare {
  if (scheme === 'retrieve') {
    return { scheme, c: stream('c', PRIVATE_KEY_BYTES[key as keyof typeof PRIVATE_KEY_BYTES]) };
  }
  const { q, scalarLength } = findGroup(key) as AnyGroup;
  const x2 = (os2ip(stream('x2', scalarLength + 16)) % (q - 1n)) + 1n;
  return { scheme, group: key as GroupName, x2: i2osp(x2, scalarLength) };
}
