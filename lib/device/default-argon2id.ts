import { type Argon2id, argon2idInline } from '../protocol/password.ts';
import { argon2idInWorker } from './browser/argon2id-in-worker.ts';

let inWorker: Argon2id | undefined;

/** Off the thread of a page, so that it stays alive; elsewhere on the thread that asks. */
export const defaultArgon2id: Argon2id = (...parameters) => {
  if (typeof document === 'undefined') return argon2idInline(...parameters);
  inWorker ??= argon2idInWorker();
  return inWorker(...parameters);
};
