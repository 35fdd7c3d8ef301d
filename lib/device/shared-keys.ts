import { loaded } from '../base/load.ts';
import type { SharedDecrypter, SharedSigner } from './shared-key.ts';

const LOAD = {
  ed25519: async (): Promise<SharedSigner> => (await import('./shared-ed25519.ts')).sharedEd25519Key,
  rsa: async (): Promise<SharedSigner> => (await import('./shared-signing.ts')).sharedRsaKey,
  elgamal: async (): Promise<SharedDecrypter> => (await import('./shared-decryption.ts')).sharedElgamalKey,
};
type Shared = keyof typeof LOAD;

/** The code for a scheme of keys that are shared, which is loaded now. */
export function sharedKey<S extends Shared>(scheme: S): ReturnType<(typeof LOAD)[S]>;
export function sharedKey(scheme: Shared): Promise<SharedSigner | SharedDecrypter> {
  return loaded<SharedSigner | SharedDecrypter>(LOAD[scheme]());
}
