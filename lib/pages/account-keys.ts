import { areDisabled } from '../strategy/registered-key.ts';
import type { RelyingPartyOptions } from '../strategy/relying-party.ts';
import { listKeys } from '../strategy/standing.ts';

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

/** A key, and whether it counts. */
export interface AppKeyState extends AppKey {
  readonly isDisabled: boolean;
  /** Whether it was added with a key that is off now. */
  readonly isSuspended?: boolean;
  /** Thumbprint of the key that vouches for it. */
  readonly by?: string;
}

/** The keys of an account, and which of them are off or suspended. */
export async function keysOfAccount(
  options: RelyingPartyOptions,
  account: string,
  otherKeys: ((account: string) => readonly AppKey[] | Promise<readonly AppKey[]>) | undefined,
): Promise<readonly AppKeyState[]> {
  const disabled = options.disabled ?? (options.store as NonNullable<RelyingPartyOptions['disabled']>);
  const logins = (await listKeys(options, account))
    .filter(({ state }) => state !== 'removed')
    .map(
      ({ jkt, jwk, disablingNames, at, by, state }): AppKeyState => ({
        jkt,
        kind: kindOf(jwk),
        purpose: 'login',
        u: disablingNames,
        isDisabled: state === 'disabled',
        ...(at !== undefined && { at }),
        ...(by !== undefined && { by }),
        ...(state === 'suspended' && { isSuspended: true }),
      }),
    );
  const others = ((await otherKeys?.(account)) ?? []).map(async (key) => ({
    ...key,
    isDisabled: await areDisabled(key.u, disabled),
  }));
  return [...logins, ...(await Promise.all(others))];
}

function kindOf(jwk: { readonly kty: string; readonly crv?: string; readonly n?: string }): string {
  return jwk.kty === 'RSA'
    ? `RSA-${Math.round(((jwk.n ?? '').length * 6) / 256) * 256}`
    : (jwk.crv ?? jwk.kty);
}
