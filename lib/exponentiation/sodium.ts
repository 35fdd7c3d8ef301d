/**
 * The group of Ed25519 by libsodium, for assistants: whatever takes a secret takes constant time (docs/protocol.md
 * section 5).
 *
 * It is called below its wrappers, whose copies and allocations are a third of the time, and in one region of its memory,
 * which is wiped after every operation. 2 MB of WebAssembly: loaded when the first ticket needs it.
 */
import { hash } from 'node:crypto';
import type { Ed25519Group } from '../math/ed25519-group.ts';

/** What is used of libsodium's WebAssembly: pointers in, 0 for success. */
interface Engine {
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _crypto_core_ed25519_is_valid_point(point: number): number;
  _crypto_core_ed25519_add(sum: number, a: number, b: number): number;
  _crypto_core_ed25519_sub(difference: number, a: number, b: number): number;
  _crypto_scalarmult_ed25519_base_noclamp(product: number, scalar: number): number;
  _crypto_scalarmult_ed25519_noclamp(product: number, scalar: number, point: number): number;
  _crypto_core_ed25519_scalar_reduce(scalar: number, bytes: number): void;
  _crypto_core_ed25519_scalar_add(sum: number, a: number, b: number): void;
  _crypto_core_ed25519_scalar_mul(product: number, a: number, b: number): void;
  _crypto_core_ed25519_scalar_negate(negative: number, a: number): void;
}

const SIZE = 32;

let loaded: Promise<Ed25519Group> | undefined;

/** The group; libsodium is loaded once. */
export function sodiumEd25519(): Promise<Ed25519Group> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<Ed25519Group> {
  const { default: sodium } = await import('libsodium-wrappers-sumo');
  await sodium.ready;
  const { libsodium } = sodium as unknown as { readonly libsodium: Engine };
  return sodiumGroup(libsodium);
}

function sodiumGroup(engine: Engine): Ed25519Group {
  // Room for two operands of up to 64 bytes and a result.
  const result = engine._malloc(5 * SIZE);
  const [first, second] = [result + SIZE, result + 3 * SIZE];

  const run = (compute: () => unknown, a: Uint8Array, b?: Uint8Array): Uint8Array | undefined => {
    // Read anew each time: the heap is another array once it has grown.
    const { HEAPU8: heap } = engine;
    heap.set(a, first);
    if (b) heap.set(b, second);
    const status = compute();
    const { HEAPU8: after } = engine;
    const bytes = after.slice(result, result + SIZE);
    after.fill(0, result, result + 5 * SIZE);
    return status ? undefined : bytes;
  };
  const must = (bytes: Uint8Array | undefined): Uint8Array => {
    if (!bytes) throw new RangeError('an operand is outside the group, or 0');
    return bytes;
  };

  return {
    sha512: (bytes) => hash('sha512', bytes, 'buffer'),
    isElement: (bytes) => {
      if (bytes.length !== SIZE) return false;
      return run(() => 1 - engine._crypto_core_ed25519_is_valid_point(first), bytes) !== undefined;
    },
    multiplyBase: (scalar) =>
      must(run(() => engine._crypto_scalarmult_ed25519_base_noclamp(result, first), scalar)),
    multiply: (scalar, element) =>
      must(run(() => engine._crypto_scalarmult_ed25519_noclamp(result, first, second), scalar, element)),
    add: (a, b) => must(run(() => engine._crypto_core_ed25519_add(result, first, second), a, b)),
    subtract: (a, b) => must(run(() => engine._crypto_core_ed25519_sub(result, first, second), a, b)),
    reduce: (bytes) => must(run(() => engine._crypto_core_ed25519_scalar_reduce(result, first), bytes)),
    addScalars: (a, b) =>
      must(run(() => engine._crypto_core_ed25519_scalar_add(result, first, second), a, b)),
    multiplyScalars: (a, b) =>
      must(run(() => engine._crypto_core_ed25519_scalar_mul(result, first, second), a, b)),
    negateScalar: (a) => must(run(() => engine._crypto_core_ed25519_scalar_negate(result, first), a)),
  };
}
