import { knownKey } from '../strategy/registered-key.ts';
import type { RelyingParty } from '../strategy/relying-party.ts';

/** A key as pages show it to its owner. */
export interface AppKey {
  /** RFC 7638 thumbprint. */
  readonly jkt: string;
  /** What kind of key it is, such as `Ed25519`. */
  readonly kind: string;
  readonly purpose: 'login' | 'sign' | 'notes';
  /** Names under which it can be disabled. */
  readonly u: readonly string[];
  /** When it was added, in seconds since the epoch. */
  readonly at?: number;
}

/** The keys of an account, and which of them are off. */
export async function keysOfAccount(
  rp: RelyingParty,
  account: string,
  otherKeys: ((account: string) => readonly AppKey[] | Promise<readonly AppKey[]>) | undefined,
): Promise<readonly (AppKey & { readonly isDisabled: boolean })[]> {
  const registered = (await rp.keysOf(account)) ?? [];
  const own = registered.flatMap((key): AppKey[] => {
    const known = knownKey(key);
    return known ? [{ jkt: known.jkt, kind: kindOf(known.jwk), purpose: 'login', u: known.u }] : [];
  });
  const all = [...own, ...((await otherKeys?.(account)) ?? [])];
  return Promise.all(all.map(async (key) => ({ ...key, isDisabled: await rp.disabled.isDisabled(key.u) })));
}

function kindOf(jwk: { readonly kty: string; readonly crv?: string; readonly n?: string }): string {
  return jwk.kty === 'RSA'
    ? `RSA-${Math.round(((jwk.n ?? '').length * 6) / 256) * 256}`
    : (jwk.crv ?? jwk.kty);
}
