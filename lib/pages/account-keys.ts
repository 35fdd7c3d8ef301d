import { areDisabled, joined } from '../strategy/registered-key.ts';
import type { RelyingParty } from '../strategy/relying-party.ts';
import { keysOf, stands } from '../strategy/standing.ts';

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

/** The keys of an account, and which of them are off or suspended. */
export async function keysOfAccount(
  rp: RelyingParty,
  account: string,
  otherKeys: ((account: string) => readonly AppKey[] | Promise<readonly AppKey[]>) | undefined,
): Promise<readonly (AppKey & { readonly isDisabled: boolean; readonly isSuspended?: boolean })[]> {
  const registered = await keysOf(rp, account);
  const own = registered.filter((key) => !key.isRemoved).flatMap((stored) => joined([stored]) ?? []);
  const logins = own.map(async (key) => ({
    jkt: key.jkt,
    kind: kindOf(key.jwk),
    purpose: 'login' as const,
    u: key.disablingNames,
    ...(key.at !== undefined && { at: key.at }),
    isDisabled: await areDisabled(key.disablingNames, rp.disabled),
    ...(!(await stands(rp, registered, key)) && { isSuspended: true }),
  }));
  const others = ((await otherKeys?.(account)) ?? []).map(async (key) => ({
    ...key,
    isDisabled: await areDisabled(key.u, rp.disabled),
  }));
  return Promise.all([...logins, ...others]);
}

function kindOf(jwk: { readonly kty: string; readonly crv?: string; readonly n?: string }): string {
  return jwk.kty === 'RSA'
    ? `RSA-${Math.round(((jwk.n ?? '').length * 6) / 256) * 256}`
    : (jwk.crv ?? jwk.kty);
}
