/**
 * The kinds of key that roam, and how a decoy draws one. A scheme that roams has a row here.
 *
 * Only keys whose public half can be drawn at random are possible. An RSA modulus cannot: one without known factors takes
 * two new primes at every fetch, and an odd number that merely looks like one has small factors that anyone finds.
 */
import { fromBase64url, toBase64url } from '../../base/bytes.ts';
import type { PublicJwk } from '../../crypto/keys/public-jwk.ts';
import { ED25519_ORDER } from '../../math/ed25519-group.ts';
import { type AnyGroup, findGroup, type GroupName, safePrimeOf } from '../../math/groups.ts';
import { i2osp, os2ip } from '../../math/integer.ts';
import type { TicketShare } from '../../protocol/ticket.ts';
import type { Stream } from '../service-secret.ts';
import { okpKey, p256Key } from './seal-decoy.ts';

/** A public key, and the share of it that a ticket holds. */
interface Drawn {
  readonly jwk: PublicJwk;
  readonly share: TicketShare;
}

type Draw = (stream: Stream) => Drawn;

/** Lengths of PKCS#8 keys, which a ticket of `retrieve` holds masked. */
const PKCS8_BYTES = { Ed25519: 48, 'P-256': 138 };

/** By scheme, then by kind of key; the first kind is the scheme's default. */
export const ROAMING_KEYS = {
  ed25519: { Ed25519: sharedEd25519 },
  retrieve: {
    Ed25519: (stream) => ({ jwk: ed25519(stream), share: masked(PKCS8_BYTES.Ed25519, stream) }),
    'P-256': (stream) => ({ jwk: p256(stream), share: masked(PKCS8_BYTES['P-256'], stream) }),
  },
  elgamal: {
    'P-256': (stream) => ({ jwk: p256(stream), share: shared('P-256', stream) }),
    ffdhe2048: (stream) => modp('ffdhe2048', stream),
    ffdhe3072: (stream) => modp('ffdhe3072', stream),
    ffdhe4096: (stream) => modp('ffdhe4096', stream),
  },
} satisfies Record<string, Record<string, Draw>>;

/** A scheme whose keys can roam. */
export type RoamingScheme = keyof typeof ROAMING_KEYS;
/** A kind of key that can roam. */
export type RoamingKeyKind = { [S in RoamingScheme]: keyof (typeof ROAMING_KEYS)[S] }[RoamingScheme];

/** Draws a key of that kind, and what a ticket would hold of it. */
export function drawKey(scheme: RoamingScheme, kind: RoamingKeyKind, stream: Stream): Drawn {
  return (ROAMING_KEYS[scheme] as Record<string, Draw>)[kind]?.(stream) as Drawn;
}

function ed25519(stream: Stream): PublicJwk & { kty: 'OKP' } {
  return { kty: 'OKP', crv: 'Ed25519', x: okpKey('Ed25519', stream('key', 32)).x };
}

function sharedEd25519(stream: Stream): Drawn {
  const jwk = ed25519(stream);
  const y = fromBase64url(jwk.x) as Uint8Array;
  return { jwk, share: { scheme: 'ed25519', x2: scalar(ED25519_ORDER, 32, stream), y } };
}

function p256(stream: Stream): PublicJwk {
  const { x, y } = p256Key(stream('key', 48));
  return { kty: 'EC', crv: 'P-256', x, y };
}

function masked(length: number, stream: Stream): TicketShare {
  return { scheme: 'retrieve', c: stream('c', length) };
}

function modp(name: Exclude<GroupName, 'P-256'>, stream: Stream): Drawn {
  const group = findGroup(name) as AnyGroup;
  const p = safePrimeOf(group) as bigint;
  // The group is that of the squares, so any square is as likely as any power of the generator, and much cheaper.
  const root = (os2ip(stream('key', group.elementLength + 16)) % (p - 3n)) + 2n;
  const y = toBase64url(i2osp((root * root) % p, group.elementLength));
  return { jwk: { kty: 'DH', group: name, y }, share: shared(name, stream) };
}

function shared(group: GroupName, stream: Stream): TicketShare {
  const { q, scalarLength } = findGroup(group) as AnyGroup;
  return { scheme: 'elgamal', group, x2: scalar(q, scalarLength, stream) };
}

/** A share of a private key: 1 to q − 1, 16 bytes longer before it is reduced so that all are equally likely. */
function scalar(q: bigint, length: number, stream: Stream): Uint8Array {
  return i2osp((os2ip(stream('x2', length + 16)) % (q - 1n)) + 1n, length);
}
