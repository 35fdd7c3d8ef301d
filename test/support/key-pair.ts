import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync as generate,
  type KeyObject,
} from 'node:crypto';

/** What options a kind of key may have, as `node:crypto` names them. */
interface KeyPairOptions {
  readonly modulusLength?: number;
  readonly namedCurve?: string;
}

const ENCODINGS = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
} as const;

/** One of the overloads, for all kinds of keys. */
const generateDer = generate as (type: string, options: object) => { readonly privateKey: Buffer };

/**
 * A new key pair, as `generateKeyPairSync` of `node:crypto` makes it.
 *
 * That one's keys share a lock with the job that made them. In Node 20 a process hangs for good where the garbage
 * collector ends the job while such a key is exported as a JWK. These keys are read anew, and share nothing.
 */
export function generateKeyPairSync(
  type: 'ed25519' | 'x25519' | 'ec' | 'rsa',
  options: KeyPairOptions = {},
): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const { privateKey: key } = generateDer(type, { ...options, ...ENCODINGS });
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
