import { fromBase64url, wipe } from '../crypto/bytes.ts';
import {
  generatePrivateKey,
  importForUse,
  type PrivateKeyKind,
  type PrivateKeySource,
  readPrivateKey,
} from '../crypto/private-key.ts';
import type { PublicJwk } from '../crypto/public-jwk.ts';
import { RoamingKeyError } from '../errors.ts';
import type { GroupName } from '../math/groups.ts';
import { deviceShare } from '../protocol/password.ts';
import { mask } from '../protocol/retrieval.ts';
import {
  cryptoKeySigner,
  type LoginAlg,
  prove,
  type RelyingPartyOptions,
  type Signer,
} from './login-proof.ts';
import { type Enrolment, type EnrolmentOptions, makeRecord, sealingTarget } from './make-record.ts';

/** Where the key is registered at once, while it exists. */
export interface WithRegistration {
  /** Apps that have authenticated the account by other means, such as by an invitation. */
  readonly register?: readonly RelyingPartyOptions[];
}

/** A key that exists already: PEM (PKCS#1, PKCS#8, OpenSSH; not encrypted), PKCS#8 bytes, JWK, extractable CryptoKey. */
export interface ExistingKey {
  readonly existing: PrivateKeySource;
}

/** A key that is recovered with the password: Ed25519, P-256 or RSA. */
export interface RetrieveOptions extends EnrolmentOptions, WithRegistration {
  /** Default. */
  readonly scheme?: 'retrieve';
  /** A kind to generate, or a key that exists. Default a new Ed25519 key. */
  readonly key?: PrivateKeyKind | ExistingKey;
}

/** An RSA key that is never whole again: device and assistant sign together. */
export interface SharedRsaOptions extends EnrolmentOptions, WithRegistration {
  readonly scheme: 'rsa';
  /** A size to generate, or a key that exists. Default a new key of 2048 bits. */
  readonly key?: 'RSA-2048' | 'RSA-3072' | 'RSA-4096' | ExistingKey;
}

/** A key for decryption that is never whole again. */
export interface SharedElgamalOptions extends EnrolmentOptions {
  readonly scheme: 'elgamal';
  /** A group in which to generate a key, or a P-256 key that exists. Default P-256. */
  readonly key?: GroupName | ExistingKey;
}

export type EnrollOptions = RetrieveOptions | SharedRsaOptions | SharedElgamalOptions;

/**
 * Protects a private key with a password and an assistant, which need not know of the device and learns nothing now
 * but that somebody asked for its public keys.
 *
 * @returns the record for this device, and the disabling kit to keep elsewhere; nothing else remains
 * @throws RoamingKeyError `bad_password`, `bad_key`, `network`, `unavailable`, `bad_response`; with `register` also
 *   what registering throws
 * @throws TypeError for an assistant that is neither https nor on the loopback, or KDF parameters out of bounds
 * @source PROTOCOL.md section 3
 *
 * @example
 * const { record, kit } = await enroll({ assistant: 'https://assistant.example', password });
 */
export async function enroll(options: EnrollOptions): Promise<Enrolment> {
  switch (options.scheme) {
    case 'rsa':
      return enrollSharedRsa(options);
    case 'elgamal':
      return enrollSharedElgamal(options);
    case 'retrieve':
    case undefined:
      return enrollRetrieve(options);
    default:
      throw new TypeError('scheme must be retrieve, rsa or elgamal');
  }
}

async function enrollRetrieve({ key = 'Ed25519', ...options }: RetrieveOptions): Promise<Enrolment> {
  const target = await sealingTarget(options.assistant, options);
  const { pkcs8, publicJwk } =
    typeof key === 'string' ? await generatePrivateKey(key) : await readPrivateKey(key.existing);
  try {
    const made = await makeRecord(
      target,
      publicJwk,
      (k) => ({ scheme: 'retrieve', c: mask(pkcs8, k) }),
      options,
    );
    if (options.register) {
      const alg = LOGIN_ALG[publicJwk.kty];
      const signer = cryptoKeySigner(await importForUse(pkcs8, publicJwk, alg), alg, publicJwk);
      await registerAt(options.register, signer, made, options);
    }
    return made;
  } finally {
    wipe(pkcs8);
  }
}

const LOGIN_ALG = { OKP: 'Ed25519', EC: 'ES256', RSA: 'PS256' } as const satisfies Record<string, LoginAlg>;

async function enrollSharedRsa({ key = 'RSA-2048', ...options }: SharedRsaOptions): Promise<Enrolment> {
  const [{ generateRsaKey, rsaComponents, rsaPublicJwk }, { splitRsaKey }, { wholeKeySigner }] =
    await Promise.all([
      import('../crypto/rsa-key.ts'),
      import('../protocol/rsa-signing.ts'),
      import('./shared-signing.ts'),
    ]);
  const target = await sealingTarget(options.assistant, options);
  const numbers =
    typeof key === 'string'
      ? await generateRsaKey(Number(key.slice(4)) as 2048 | 3072 | 4096)
      : await rsaComponents(key.existing);
  const jwk = rsaPublicJwk(numbers);
  const length = Math.ceil(numbers.n.toString(16).length / 2);
  const made = await makeRecord(
    target,
    jwk,
    (k) => {
      const f = deviceShare(k, 'rsa', length + 16);
      try {
        return { scheme: 'rsa', ...splitRsaKey(numbers, f) };
      } finally {
        wipe(f);
      }
    },
    options,
  );
  if (options.register) await registerAt(options.register, wholeKeySigner(numbers, 'PS256'), made, options);
  return made;
}

async function enrollSharedElgamal({ key = 'P-256', ...options }: SharedElgamalOptions): Promise<Enrolment> {
  const [{ elgamalPublicJwk, generateElgamalKey }, { splitElgamalKey }] = await Promise.all([
    import('../protocol/elgamal-keys.ts'),
    import('../protocol/elgamal-decryption.ts'),
  ]);
  const target = await sealingTarget(options.assistant, options);
  const { x, publicKey } =
    typeof key === 'string' ? generateElgamalKey(key) : await existingElgamalKey(key.existing);
  const { group } = publicKey;
  return makeRecord(
    target,
    elgamalPublicJwk(publicKey) as PublicJwk,
    (k) => {
      const f = deviceShare(k, 'elgamal', group.scalarLength + 16);
      try {
        const { x2 } = splitElgamalKey(publicKey, x, f);
        return { scheme: 'elgamal', group: group.name as GroupName, x2 };
      } finally {
        wipe(f);
      }
    },
    options,
  );
}

async function existingElgamalKey(source: PrivateKeySource) {
  const [{ readPrivateJwk }, { readElgamalPublicJwk }, { os2ip }] = await Promise.all([
    import('../crypto/read-private-jwk.ts'),
    import('../protocol/elgamal-keys.ts'),
    import('../math/integer.ts'),
  ]);
  const { d, ...jwk } = await readPrivateJwk(source);
  const publicKey = readElgamalPublicJwk(jwk);
  if (!publicKey) throw new RoamingKeyError('bad_key', 'a private key on P-256 is needed');
  return { x: os2ip(fromBase64url(d) as Uint8Array), publicKey };
}

async function registerAt(
  parties: readonly RelyingPartyOptions[],
  signer: Signer,
  { record }: Enrolment,
  options: EnrolmentOptions,
): Promise<void> {
  for (const party of parties) await prove(signer, { type: 'register', u: record.u }, party, options);
}
