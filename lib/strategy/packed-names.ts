/**
 * A set of disabling names in little memory: the first 16 bytes of each, in tables of their own for each of 256 shares of
 * them, so that no growth stops the process for long. The names of millions of strangers take 30 bytes each.
 *
 * Strangers choose names, at a cost. A hash with a secret of this process decides where a name lies, so they cannot
 * choose names that all lie at one place.
 */
import { randomBytes } from '../base/bytes.ts';

const SHARDS = 256;
const FIRST_SLOTS = 8;
type Words = readonly [number, number, number, number];

export class PackedNames {
  readonly #tables = Array.from({ length: SHARDS }, () => new Uint32Array(4 * FIRST_SLOTS));
  readonly #counts = new Uint32Array(SHARDS);
  readonly #seed = wordsOf(randomBytes(16));
  /** Whether the name of zeros is in: in a table it looks like a free slot. */
  #hasZero = false;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a name of 16 bytes or more; false where it was there. */
  add(name: Uint8Array): boolean {
    const words = wordsOf(name);
    if (isZero(words)) {
      const isNew = !this.#hasZero;
      this.#hasZero = true;
      if (isNew) this.#size++;
      return isNew;
    }
    const hash = this.#hash(words);
    const shard = hash % SHARDS;
    const count = this.#counts[shard] as number;
    if ((count + 1) * 16 > (this.#tables[shard] as Uint32Array).length * 3) this.#grow(shard);
    const table = this.#tables[shard] as Uint32Array;
    const at = slotOf(table, hash, words);
    if (!isFree(table, at)) return false;
    table.set(words, at);
    this.#counts[shard] = count + 1;
    this.#size++;
    return true;
  }

  has(name: Uint8Array): boolean {
    const words = wordsOf(name);
    if (isZero(words)) return this.#hasZero;
    const hash = this.#hash(words);
    const table = this.#tables[hash % SHARDS] as Uint32Array;
    return !isFree(table, slotOf(table, hash, words));
  }

  #hash([a, b, c, d]: Words): number {
    const [s, t, u, v] = this.#seed;
    let hash = Math.imul(a ^ s, 0x9e3779b1) ^ Math.imul(b ^ t, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 15) ^ c ^ u, 0xc2b2ae3d) ^ Math.imul(d ^ v, 0x27d4eb2f);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #grow(shard: number): void {
    const before = this.#tables[shard] as Uint32Array;
    const after = new Uint32Array(2 * before.length);
    for (let at = 0; at < before.length; at += 4) {
      if (isFree(before, at)) continue;
      const words = [before[at], before[at + 1], before[at + 2], before[at + 3]] as unknown as Words;
      after.set(words, slotOf(after, this.#hash(words), words));
    }
    this.#tables[shard] = after;
  }
}

function wordsOf(name: Uint8Array): Words {
  const view = new DataView(name.buffer, name.byteOffset, 16);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

const isZero = ([a, b, c, d]: Words) => (a | b | c | d) === 0;

function isFree(table: Uint32Array, at: number): boolean {
  return !(table[at] || table[at + 1] || table[at + 2] || table[at + 3]);
}

/** Where a name lies, or the free slot where it would. Tables are never full. */
function slotOf(table: Uint32Array, hash: number, [a, b, c, d]: Words): number {
  let at = ((hash >>> 8) * 4) % table.length;
  while (
    !isFree(table, at) &&
    !(table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d)
  )
    at = (at + 4) % table.length;
  return at;
}
