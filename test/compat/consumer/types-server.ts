/** A server alone, whose TypeScript does not know of browsers. */
import { assistant, KeySet, MemoryStore } from 'passport-roaming-key';

export const router = async () => assistant({ keys: await KeySet.generate(), store: new MemoryStore() });
