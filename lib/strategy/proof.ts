/**
 * What a relying party checks before it believes that a request comes from the holder of a key
 * (docs/protocol.md section 8).
 *
 * Goal: who cannot use one of the account's keys, in this minute and for this origin, is refused and learns nothing
 * about the account. The order matters: all that can be judged without the account comes first; then the app is asked
 * for keys and the signature verified; only then is the challenge used up, so that failing proofs store nothing; whether
 * the key is disabled or suspended is said to its holder alone.
 */
import * as v from 'valibot';
import { RoamingKeyError } from '../base/errors.ts';
import { MAX_PROOF } from '../protocol/claims.ts';
import { claimChallenge, type FreshChallenge, MAX_SKEW, verifyChallenge } from './challenge.ts';
import { type ParsedLogin, type ParsedRegistration, parseLogin, parseRegistration } from './compact-jws.ts';
import { decoy, readStoredJwk, verifySignature } from './public-key.ts';
import {
  algOf,
  areDisabled,
  assertRoom,
  entriesOf,
  joined,
  mergeNames,
  type RegisteredKey,
  type Registration,
  updated,
} from './registered-key.ts';
import type { RelyingParty } from './relying-party.ts';
import { assertCounts, keysOf, stands } from './standing.ts';

const BODY = v.strictObject({ proof: v.pipe(v.string(), v.maxLength(MAX_PROOF)) });

/** A key that was used: its thumbprint, the names under which it can be disabled, and its voucher, if it has one. */
export interface ProvenKey {
  readonly jkt: string;
  readonly disablingNames: readonly string[];
  /** @deprecated The same as `disablingNames`. */
  readonly u: readonly string[];
  /** The key that vouches for this one, and since when. */
  readonly by?: string;
  readonly at?: number;
}

/** Who has proven what. */
export interface ProvenLogin {
  readonly account: string;
  readonly key: ProvenKey;
}

/** Hears which key it is, as soon as the proof has shown that it was used and before anything else is asked of it. */
export type OnProven = (key: ProvenKey) => void;

/**
 * Checks a login proof.
 *
 * @param body the parsed body, `{ proof }`
 * @throws RoamingKeyError `invalid_request` or `unsupported` (the proof's form), `stale_request` (its times or its
 *   challenge), `refused` (meant for another origin; or not by a key of that account, for whatever reason), `replayed`
 *   (the challenge was used), `disabled` or `suspended` (by such a key), `unavailable` (the app cannot answer)
 */
export async function verifyLogin(
  rp: RelyingParty,
  body: unknown,
  onProven?: OnProven,
): Promise<ProvenLogin> {
  const parsed = parseLogin(readBody(body));
  const { header, claims, alg, signed, signature } = parsed;
  const fresh = checkClaims(rp, parsed);
  const keys = await keysOf(rp, claims.sub);
  const entries = entriesOf(keys, header.kid);
  // Read whether there is such a key or not, so that both cost the same.
  const read = readStoredJwk(entries[0]?.jwk ?? decoy(alg, signature));
  const isThere = entries.length > 0 && !entries.at(-1)?.isRemoved && read?.jkt === header.kid;
  const fits = isThere && entries.map((entry) => algOf(entry, read)).find(Boolean) === alg;
  const isGood = verifySignature(alg, fits ? read.jwk : undefined, signed, signature);
  const key = isGood ? joined(entries) : undefined;
  if (!key)
    throw refused(keys.length === 0 ? 'account' : isThere ? (fits ? 'signature' : 'algorithm') : 'key');
  await claimChallenge(rp, fresh);
  const { jkt, disablingNames, by, at } = key;
  const proven = {
    jkt,
    disablingNames,
    u: disablingNames,
    ...(by !== undefined && at !== undefined && { by, at }),
  };
  onProven?.(proven);
  await assertCounts(rp, keys, key);
  return { account: claims.sub, key: proven };
}

/**
 * Checks a registration proof.
 *
 * @param account whom the app knows, by other means than this proof, to be asking
 * @param opener the key that opened the session of the request, if one did
 * @returns the key with its new disabling name and all that it had before; store it with `mergeKey`
 * @throws RoamingKeyError as {@link verifyLogin}; `refused` also for another account's name, for a key that
 *   is registered with another algorithm, for too many keys, and in a session of another account's key; `busy` for too
 *   many new names in a day; `disabled` for a key that is disabled under a name it had before or has now
 */
export async function verifyRegistration(
  rp: RelyingParty,
  parsed: ParsedRegistration,
  account: string,
  opener?: { readonly jkt: string },
  onProven?: OnProven,
): Promise<Registration> {
  const { header, claims, alg } = parsed;
  const { jwk, jkt, algs } = header.jwk;
  if (!algs.includes(alg) || jkt !== header.kid)
    throw new RoamingKeyError('invalid_request', 'the proof bears a key that does not fit it');
  if (claims.sub !== account) throw refused('account');
  const fresh = checkClaims(rp, parsed);
  const keys = await keysOf(rp, account);
  if (!verifySignature(alg, jwk, parsed.signed, parsed.signature)) throw refused('signature');
  await claimChallenge(rp, fresh);
  onProven?.({ jkt, disablingNames: [claims.u], u: [claims.u] });
  const entries = entriesOf(keys, jkt);
  const before = entries.at(-1);
  const known = joined(entries);
  const disablingNames = mergeNames(known?.disablingNames ?? [], [claims.u]);
  if (await areDisabled(disablingNames, rp.disabled))
    throw new RoamingKeyError('disabled', 'the key is disabled');
  const by = voucherIn(rp, keys, opener);
  assertRoom(keys, before, by !== undefined);
  const isKept = by !== undefined && (!known || (await stands(rp, keys, known)));
  const shown = {
    account,
    jkt,
    jwk,
    alg,
    disablingNames,
    u: disablingNames,
    provenAt: rp.now(),
    voucher: isKept ? 'kept' : by === undefined ? 'removed' : { replaces: known?.by },
    ...(by !== undefined && { by }),
  } as const;
  // For apps that store this as it is.
  const { at, by: voucher, named } = updated(before, shown);
  const { by: _by, ...rest } = shown;
  return {
    ...rest,
    ...(at !== undefined && { at }),
    ...(voucher !== undefined && { by: voucher }),
    ...(named && { named }),
  };
}

/** The key that vouches for what is registered in a session: the account's own that opened it. */
function voucherIn(
  rp: RelyingParty,
  keys: readonly RegisteredKey[],
  opener: { readonly jkt: string } | undefined,
): string | undefined {
  if (!opener) return undefined;
  const isOwn = entriesOf(keys, opener.jkt).length > 0;
  if (!isOwn && rp.withoutKey === 'refuse')
    throw new RoamingKeyError('refused', 'a key of another account opened the session', {
      reason: 'session',
    });
  return isOwn && rp.vouchFor > 0 ? opener.jkt : undefined;
}

/**
 * Reads a registration proof. Nothing about it is checked but its form.
 *
 * @param body the parsed body, `{ proof }`
 * @throws RoamingKeyError `invalid_request`, `unsupported`
 */
export function readRegistration(body: unknown): ParsedRegistration {
  return parseRegistration(readBody(body));
}

/** All checks that need neither key nor account. */
function checkClaims(rp: RelyingParty, { claims }: ParsedLogin | ParsedRegistration): FreshChallenge {
  if (claims.aud !== rp.audience) {
    rp.noteAudience(claims.aud);
    throw refused('audience');
  }
  const now = rp.now();
  if (claims.iat > now + MAX_SKEW || claims.exp <= now - MAX_SKEW)
    throw new RoamingKeyError('stale_request', 'the proof is too old, or of the future', { reason: 'times' });
  return verifyChallenge(rp, claims.nonce);
}

function readBody(body: unknown): string {
  const result = v.safeParse(BODY, body, { abortEarly: true });
  if (!result.success) throw new RoamingKeyError('invalid_request', 'the body must be { proof }');
  return result.output.proof;
}

/** One answer for all that a stranger must not tell apart; the reason is for the server's log. */
function refused(reason: string): RoamingKeyError {
  return new RoamingKeyError('refused', `the proof is not accepted: ${reason}`, { reason });
}
