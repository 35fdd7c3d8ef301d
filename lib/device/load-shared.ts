import { loaded } from '../base/load.ts';
import type { SharedDecrypter, SharedSigner } from './shared-key.ts';

/** Loads the code for keys that are shared, by their scheme. */
export const loadShared = {
  ed25519: async (): Promise<SharedSigner> => (await loaded(import('./shared-ed25519.ts'))).sharedEd25519Key,
  rsa: async (): Promise<SharedSigner> => (await loaded(import('./shared-signing.ts'))).sharedRsaKey,
  elgamal: async (): Promise<SharedDecrypter> =>
    (await loaded(import('./shared-decryption.ts'))).sharedElgamalKey,
};
