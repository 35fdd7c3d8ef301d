/** Enrolment of a key for decryption that is never whole again (docs/protocol.md section 3, scheme `elgamal`). */
import { fromBase64url, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import type { PublicJwk } from '../crypto/keys/public-jwk.ts';
import { type PrivateKeySource, readPrivateJwk } from '../crypto/keys/read-private-jwk.ts';
import type { GroupName } from '../math/group.ts';
import { os2ip } from '../math/integer.ts';
import { deviceShare } from '../protocol/password.ts';
import { splitElgamalKey } from '../protocol/schemes/elgamal-decryption.ts';
import {
  elgamalPublicJwk,
  generateElgamalKey,
  readElgamalPublicJwk,
} from '../protocol/schemes/elgamal-keys.ts';
import {
  type Enrolment,
  type EnrolmentOptions,
  type ExistingKey,
  makeRecord,
  sealingTarget,
} from './make-record.ts';

/** A key for decryption that is never whole again. */
export interface SharedElgamalOptions extends EnrolmentOptions {
  readonly scheme: 'elgamal';
  /** A group in which to generate a key, or a P-256 key that exists. Default P-256. */
  readonly key?: GroupName | ExistingKey;
}

/** `enroll` for scheme `elgamal`. */
export async function enrollSharedElgamal({
  key = 'P-256',
  ...options
}: SharedElgamalOptions): Promise<Enrolment> {
  const target = await sealingTarget(options.assistant, options);
  options.onProgress?.({ phase: 'generating' });
  const { x, publicKey } = typeof key === 'string' ? generateElgamalKey(key) : await readKey(key.existing);
  const { group } = publicKey;
  return makeRecord(
    target,
    elgamalPublicJwk(publicKey) as PublicJwk,
    (k) => {
      const f = deviceShare(k, 'elgamal', group.scalarLength + 16);
      try {
        return { scheme: 'elgamal', ...splitElgamalKey(publicKey, x, f) };
      } finally {
        wipe(f);
      }
    },
    options,
  );
}

async function readKey(source: PrivateKeySource) {
  const { d, ...jwk } = await readPrivateJwk(source);
  const publicKey = readElgamalPublicJwk(jwk);
  if (!publicKey) throw new RoamingKeyError('bad_key', 'a private key on P-256 is needed');
  return { x: os2ip(fromBase64url(d) as Uint8Array), publicKey };
}
