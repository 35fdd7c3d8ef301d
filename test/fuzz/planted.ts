/** Decoders with a fault each, to see that faults are found. */
import { asText, type FuzzTarget, must } from './target.ts';

export const targets: readonly FuzzTarget[] = [
  {
    name: 'behind-four-branches',
    from: 'anybody',
    seeds: async () => ['hello'],
    // One chance in 2^32 for bytes drawn at random: each branch must be found by itself and kept.
    run(input) {
      if (input[0] !== 0x52) return;
      if (input[1] !== 0x4b) return;
      if (input[2] !== 0x2d) return;
      if (input[3] === 0x31) throw new RangeError('found');
    },
  },
  {
    name: 'inside-base64-and-json',
    from: 'anybody',
    seeds: async () => [`${Buffer.from('{"alg":"x","typ":"y"}').toString('base64url')}.AAAA`],
    run(input) {
      const head = Buffer.from(asText(input).split('.')[0] as string, 'base64url').toString();
      let header: Record<string, unknown>;
      try {
        header = JSON.parse(head);
      } catch {
        return;
      }
      must(header?.['typ'] !== null, 'a type that is null');
    },
  },
  {
    name: 'endless',
    from: 'anybody',
    seeds: async () => ['aaaa', 'b'],
    run(input) {
      // Waits without end, and leaves the processor to the tests beside it.
      if (input[0] === 0x7f) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  },
  {
    name: 'left-over',
    from: 'anybody',
    seeds: async () => ['x'],
    run(input) {
      if (input[0] === 0x7f) void Promise.reject(new Error('nobody waits for this'));
    },
  },
  { name: 'sound', from: 'anybody', seeds: async () => ['x'], run: (input) => asText(input) },
];
