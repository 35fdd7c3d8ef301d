import { type DeviceRecord, isRoamingKeyError, type Records } from '../../device/index.ts';
import { type Context, type KeyPurpose, recordName } from './context.ts';

/** Members of a public key in one order, to compare it. */
function spell(jwk: object): string {
  return JSON.stringify(Object.entries(jwk).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Whether two records are of one key. */
export function isSameKey(one: Pick<DeviceRecord, 'jwk'>, other: Pick<DeviceRecord, 'jwk'>): boolean {
  return spell(one.jwk) === spell(other.jwk);
}

/** RFC 7638 thumbprint of a public key, base64url. */
export async function thumbprintOf(jwk: object): Promise<string> {
  const wanted = { OKP: ['crv', 'kty', 'x'], EC: ['crv', 'kty', 'x', 'y'], RSA: ['e', 'kty', 'n'] } as const;
  const { kty } = jwk as { kty: string };
  const names: readonly string[] = wanted[kty as 'OKP'] ?? Object.keys(jwk).sort();
  const members = names.map((name) => [name, (jwk as Record<string, unknown>)[name]]);
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(members)));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', text));
  return btoa(String.fromCharCode(...hash))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

/**
 * Keeps a record under an account's name; another key's record is replaced only if `mayReplace`.
 *
 * @returns `kept`; `other` where another key is there; `unsaved` where the browser keeps nothing
 */
export async function keepRecord(
  { records }: Pick<Context, 'records'> & { records: Records },
  { account, purpose, record }: { account: string; purpose: KeyPurpose; record: DeviceRecord },
  mayReplace = false,
): Promise<'kept' | 'other' | 'unsaved'> {
  const name = recordName(purpose, account);
  try {
    const here = await records.load(name).catch(() => undefined);
    if (here && !mayReplace && !isSameKey(here, record)) return 'other';
    if (here && mayReplace && records.replace) await records.replace(name, here, record);
    else await records.save(name, record);
    // So that the browser does not clear it by itself when it needs room.
    await globalThis.navigator?.storage?.persist?.();
    return 'kept';
  } catch (error) {
    if (isRoamingKeyError(error, 'unsupported', 'unavailable')) return 'unsaved';
    throw error;
  }
}
