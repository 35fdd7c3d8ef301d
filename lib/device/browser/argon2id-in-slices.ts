import { argon2idAsync } from '@noble/hashes/argon2.js';
import { RoamingKeyError } from '../../base/errors.ts';
import type { Argon2id } from '../../protocol/password.ts';

/** How long the thread is taken at once, in milliseconds: below what is felt. */
const SLICE = 25;

/**
 * Argon2id without WebAssembly, in slices between which a page can draw and react. Four times as slow.
 *
 * @throws RoamingKeyError `unsupported` where memory does not suffice
 */
export const argon2idInSlices: Argon2id = async (password, salt, { t, m, p }, onProgress) => {
  try {
    return await argon2idAsync(password, salt, {
      t,
      m,
      p,
      dkLen: 32,
      asyncTick: SLICE,
      ...(onProgress && { onProgress }),
    });
  } catch (cause) {
    const message = `a password takes ${Math.ceil(m / 1024)} MiB of memory here: too much`;
    throw new RoamingKeyError('unsupported', message, { cause });
  }
};
