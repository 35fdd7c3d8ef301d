/** The worker behind `argon2idInWorker`: says that it is there, takes one password, answers, and is ended. */

import { wipe } from '../../base/bytes.ts';
import { argon2idWasm } from '../../crypto/argon2id-wasm.ts';
import type { KdfParameters } from '../../protocol/password.ts';

/** What a page asks. */
export interface Task {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly kdf: KdfParameters;
}

/** What the worker answers: that it runs; then K, or why it failed and whether that is for want of memory. */
export type Answer =
  | { readonly isReady: true }
  | { readonly k: Uint8Array }
  | { readonly failure: string; readonly isMemory: boolean };

const answer = (message: Answer, transfer: Transferable[] = []) => postMessage(message, { transfer });

addEventListener('message', ({ data: { password, salt, kdf } }: MessageEvent<Task>) => {
  argon2idWasm(password, salt, kdf)
    .then(
      (k) => answer({ k }, [k.buffer as ArrayBuffer]),
      ({ message, cause }: Error) => answer({ failure: message, isMemory: cause instanceof RangeError }),
    )
    .finally(() => wipe(password));
});

answer({ isReady: true });
