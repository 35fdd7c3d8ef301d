/**
 * The worker behind `argon2idInWorker`: says that it is there, takes one password, answers, and is ended.
 *
 * What it writes is `Answer`; nothing but that leaves it.
 */

import { argon2idWasm } from '../../crypto/argon2id-wasm.ts';
import { wipe } from '../../crypto/bytes.ts';
import { RoamingKeyError } from '../../errors.ts';
import type { KdfParameters } from '../../protocol/password.ts';

/** What a page asks. */
export interface Task {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly kdf: KdfParameters;
}

/** What the worker answers, in this order: that it runs; any number of notices; the result or why there is none. */
export type Answer =
  | { readonly isReady: true }
  | { readonly done: number }
  | { readonly warning: string }
  | { readonly k: Uint8Array }
  | { readonly failure: string };

const answer = (message: Answer, transfer: Transferable[] = []) => postMessage(message, { transfer });

addEventListener('message', ({ data }: MessageEvent<Task>) => {
  stretch(data).then(
    (k) => answer({ k }, [k.buffer]),
    (error: unknown) => answer({ failure: error instanceof Error ? error.message : 'Argon2id failed' }),
  );
});

async function stretch({ password, salt, kdf }: Task): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await argon2idWasm(password, salt, kdf));
  } catch (error) {
    if (!(error instanceof RoamingKeyError) || error.cause instanceof RangeError) throw error;
    answer({ warning: error.message });
    const { argon2idInSlices } = await import('./argon2id-in-slices.ts');
    return new Uint8Array(await argon2idInSlices(password, salt, kdf, (done) => answer({ done })));
  } finally {
    wipe(password);
  }
}

answer({ isReady: true });
