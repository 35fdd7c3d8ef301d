/** Enrolment of an RSA key that is never whole again (docs/protocol.md section 3, scheme `rsa`). */
import { wipe } from '../base/bytes.ts';
import { generateRsaKey, rsaComponents, rsaPublicJwk } from '../crypto/keys/rsa-key.ts';
import { byteLength } from '../math/integer.ts';
import { deviceShare } from '../protocol/password.ts';
import { splitRsaKey } from '../protocol/schemes/rsa-signing.ts';
import { registerAt } from './login-proof.ts';
import {
  type Enrolment,
  type EnrolmentOptions,
  type ExistingKey,
  makeRecord,
  sealingTarget,
  type WithRegistration,
} from './make-record.ts';
import { wholeKeySigner } from './shared-signing.ts';

/** An RSA key that is never whole again: device and assistant sign together. */
export interface SharedRsaOptions extends EnrolmentOptions, WithRegistration {
  readonly scheme: 'rsa';
  /** A size to generate, or a key that exists. Default a new key of 2048 bits. */
  readonly key?: 'RSA-2048' | 'RSA-3072' | 'RSA-4096' | ExistingKey;
}

/** `enroll` for scheme `rsa`. */
export async function enrollSharedRsa({
  key = 'RSA-2048',
  ...options
}: SharedRsaOptions): Promise<Enrolment> {
  const target = await sealingTarget(options.assistant, options);
  options.onProgress?.({ phase: 'generating' });
  const numbers =
    typeof key === 'string'
      ? await generateRsaKey(Number(key.slice(4)) as 2048 | 3072 | 4096)
      : await rsaComponents(key.existing);
  const made = await makeRecord(
    target,
    rsaPublicJwk(numbers),
    (k) => {
      const f = deviceShare(k, 'rsa', byteLength(numbers.n) + 16);
      try {
        return { scheme: 'rsa', ...splitRsaKey(numbers, f) };
      } finally {
        wipe(f);
      }
    },
    options,
  );
  if (options.register)
    await registerAt(options.register, wholeKeySigner(numbers, 'PS256'), made.record.u, options);
  return made;
}
