import { loaded } from '../base/load.ts';
import type { SchemeName } from '../protocol/schemes/index.ts';
import type { SharedKey } from './shared-key.ts';

/** The code for a scheme, loaded now; `undefined` for keys that are recovered. */
export async function sharedKey(scheme: SchemeName): Promise<SharedKey | undefined> {
  switch (scheme) {
    case 'ed25519':
      return (await loaded(import('./shared-ed25519.ts'))).sharedEd25519Key;
    case 'rsa':
      return (await loaded(import('./shared-signing.ts'))).sharedRsaKey;
    case 'elgamal':
      return (await loaded(import('./shared-decryption.ts'))).sharedElgamalKey;
    default:
      return undefined;
  }
}
