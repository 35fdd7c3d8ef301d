/**
 * What a relying party checks before it believes that a request comes from the holder of a key
 * (docs/protocol.md section 8).
 *
 * Goal: whoever cannot use one of the account's keys, in this minute and for this origin, is refused and learns nothing
 * about the account. The order matters: all that can be judged without the account comes first; then the
 * challenge is used up, so that one challenge gives one try; only then is the app asked for keys and the signature
 * verified; that a key is disabled is told to its holder alone.
 */
import * as v from 'valibot';
import { RoamingKeyError } from '../base/errors.ts';
import { claimChallenge, MAX_SKEW, verifyChallenge } from './challenge.ts';
import {
  MAX_PROOF,
  type ParsedLogin,
  type ParsedRegistration,
  parseLogin,
  parseRegistration,
} from './compact-jws.ts';
import { decoy, verifySignature } from './public-key.ts';
import {
  assertNotDisabled,
  findKey,
  type KnownKey,
  MAX_KEYS,
  mergeNames,
  type RegisteredKey,
  type Registration,
  unavailable,
} from './registered-key.ts';
import type { RelyingParty } from './relying-party.ts';

const NO_NAME = 'A'.repeat(43);
const BODY = v.strictObject({ proof: v.pipe(v.string(), v.maxLength(MAX_PROOF)) });

/** Who has proven what. */
export interface ProvenLogin {
  readonly account: string;
  /** The key that was used: its thumbprint and the names under which it can be disabled. */
  readonly key: { readonly jkt: string; readonly u: readonly string[] };
}

/** Told which key it is, as soon as the proof has shown that it was used and before anything else is asked of it. */
export type OnProven = (key: ProvenLogin['key']) => void;

/**
 * Checks a login proof.
 *
 * @param body the parsed body, `{ proof }`
 * @throws RoamingKeyError `invalid_request` or `unsupported` (the proof's form), `stale_request` (its times or its
 *   challenge), `replayed` (the challenge was used), `refused` (meant for another origin; or not by a key of
 *   that account, for whatever reason), `disabled` (by such a key), `unavailable` (the app cannot answer)
 */
export async function verifyLogin(
  rp: RelyingParty,
  body: unknown,
  onProven?: OnProven,
): Promise<ProvenLogin> {
  const parsed = parseLogin(readBody(body));
  const { account, keys } = await useUp(rp, parsed);
  const key = keyFor(parsed, keys);
  if (!verifySignature(parsed.alg, key?.jwk, parsed.signed, parsed.signature) || !key) throw refused();
  const proven = { jkt: key.jkt, u: key.u };
  onProven?.(proven);
  await assertNotDisabled(key.u, rp.disabled);
  return { account, key: proven };
}

/**
 * Checks a registration proof.
 *
 * @param account whom the app knows, by other means than this proof, to be asking
 * @returns the key with its new disabling name and all that it had before; store it with `mergeKey`
 * @throws RoamingKeyError as {@link verifyLogin}; `refused` also for another account's name, for a key that
 *   is registered with another algorithm, and for too many keys or names; `disabled` for a key that is disabled
 *   under a name it had before or has now
 */
export async function verifyRegistration(
  rp: RelyingParty,
  parsed: ParsedRegistration,
  account: string,
  onProven?: OnProven,
): Promise<Registration> {
  const { header, claims, alg } = parsed;
  const sent = header.jwk;
  if (!sent.algs.includes(alg) || sent.jkt !== header.kid)
    throw new RoamingKeyError('invalid_request', 'the proof bears a key that does not fit it');
  if (claims.sub !== account) throw refused();
  const { keys } = await useUp(rp, parsed);
  if (!verifySignature(alg, sent.jwk, parsed.signed, parsed.signature)) throw refused();
  const known = findKey(keys, sent.jkt);
  onProven?.({ jkt: sent.jkt, u: [claims.u] });
  if (known ? known.alg !== alg : keys.length >= MAX_KEYS) throw refused();
  const u = mergeNames(known?.u ?? [], [claims.u]);
  await assertNotDisabled(u, rp.disabled);
  return { account, jkt: sent.jkt, jwk: sent.jwk, alg, u };
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

/** All checks that need neither key nor account; then the claim; then the account's keys. */
async function useUp(
  rp: RelyingParty,
  { claims }: ParsedLogin | ParsedRegistration,
): Promise<{ account: string; keys: readonly RegisteredKey[] }> {
  if (claims.aud !== rp.audience) throw refused();
  const now = rp.now();
  if (claims.iat > now + MAX_SKEW || claims.exp <= now - MAX_SKEW)
    throw new RoamingKeyError('stale_request', 'the proof is too old, or of the future');
  await claimChallenge(rp, verifyChallenge(rp, claims.nonce));
  try {
    return { account: claims.sub, keys: (await rp.keysOf(claims.sub)) ?? [] };
  } catch (error) {
    throw unavailable('the keys of the account cannot be read', error);
  }
}

/** The account's key that the proof names. An account without keys costs as much as one that has one. */
function keyFor(
  { header, alg, signature }: ParsedLogin,
  keys: readonly RegisteredKey[],
): KnownKey | undefined {
  const isNobody = keys.length === 0;
  const nobodys = [{ jwk: decoy(alg, signature), alg, u: [NO_NAME] }];
  const found = findKey(isNobody ? nobodys : keys, header.kid);
  return !isNobody && found?.alg === alg ? found : undefined;
}

function readBody(body: unknown): string {
  const result = v.safeParse(BODY, body, { abortEarly: true });
  if (!result.success) throw new RoamingKeyError('invalid_request', 'the body must be { proof }');
  return result.output.proof;
}

/** One answer for all that a stranger must not tell apart. */
function refused(): RoamingKeyError {
  return new RoamingKeyError('refused', 'the proof is not accepted');
}
