// Named here and loaded as a whole elsewhere, so that bundlers leave the library's other algorithms out.
import { argon2id } from 'hash-wasm';

/** Cost of Argon2id: passes, KiB of memory, lanes. */
interface Cost {
  readonly t: number;
  readonly m: number;
  readonly p: number;
}

/**
 * 32 bytes of Argon2id (RFC 9106, version 0x13) by WebAssembly, in one go.
 *
 * @throws Error that says why not, its `cause` a RangeError where memory does not suffice; else WebAssembly is missing
 *   or forbidden. No more than that, since a worker loads this and nothing else
 */
export async function argon2idWasm(
  password: Uint8Array,
  salt: Uint8Array,
  { t, m, p }: Cost,
): Promise<Uint8Array> {
  try {
    return await argon2id({
      password,
      salt,
      iterations: t,
      memorySize: m,
      parallelism: p,
      hashLength: 32,
      outputType: 'binary',
    });
  } catch (cause) {
    throw new Error(reason(cause, m), { cause });
  }
}

function reason(cause: unknown, m: number): string {
  if (cause instanceof RangeError)
    return `a password takes ${Math.ceil(m / 1024)} MiB of memory here: too much`;
  return typeof WebAssembly === 'undefined'
    ? 'this browser has WebAssembly switched off'
    : "WebAssembly is refused here: a page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'";
}
