import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import type { PublishedKeys } from '../assistant-keys.ts';
import type { ServiceSecret } from '../service-secret.ts';
import type { Placeholders } from './placeholders.ts';

/** The time in which half of the decoys move to a new key, in seconds. */
const HALF_LIFE = 7 * 86_400;

/**
 * Chooses the assistant's key that a name's decoy is sealed to.
 *
 * After a rotation records move to the new key one by one, as their owners use them. Decoys move one by one as well, each
 * as if its owner used it at random times. Only the clock moves them: were they moved in step with the records, an attacker
 * who owns many records could choose the pace, and the records of others would stand out.
 */
export class DecoyKeys {
  readonly #secret: ServiceSecret;
  readonly #keys: PublishedKeys;
  readonly #placeholders: Placeholders;
  readonly #now: () => number;
  /** When each kid was first seen, by the store's clock. */
  readonly #seen = new Map<string, number>();

  constructor(secret: ServiceSecret, keys: PublishedKeys, placeholders: Placeholders, now: () => number) {
    this.#secret = secret;
    this.#keys = keys;
    this.#placeholders = placeholders;
    this.#now = now;
  }

  /** The key for a name's decoy now. */
  async keyOf(name: string): Promise<AssistantJwk> {
    const keys = await this.#keys.list();
    await this.note();
    const oldest = keys.at(-1) as AssistantJwk;
    const now = this.#now();
    let replacedAt = Number.POSITIVE_INFINITY;
    for (const key of keys) {
      const seenAt = this.#seen.get(key.kid) as number;
      const movesAt = seenAt + this.#delay(name, key.kid);
      // A key that was replaced before a decoy's next use is one that it never gets.
      if (key === oldest || (movesAt <= now && movesAt < replacedAt)) return key;
      replacedAt = seenAt;
    }
    return oldest;
  }

  /** Notes when each listed key appeared, in the store, so that all processes agree and a restart changes nothing. */
  async note(): Promise<void> {
    for (const { kid } of await this.#keys.list())
      if (!this.#seen.has(kid)) this.#seen.set(kid, await this.#placeholders.firstSeen(kid));
  }

  /** Exponentially distributed, as the wait for the next of random uses is. */
  #delay(name: string, kid: string): number {
    return -HALF_LIFE * Math.log2(1 - this.#secret.fraction('decoy key', name, kid));
  }
}
