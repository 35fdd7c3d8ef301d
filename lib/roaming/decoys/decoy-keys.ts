import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import type { PublishedKeys } from '../assistant-keys.ts';
import type { ServiceSecret } from '../service-secret.ts';
import type { RecordStore } from '../stores/record-store.ts';

/** How old a count of records may be, in seconds, and below how many records it is always made anew. */
const COUNT_SECONDS = 60;
const FEW_RECORDS = 1000;

/**
 * Which of the assistant's keys the decoy of a name bears.
 *
 * After a rotation, records pass to the new key one by one, as their owners use them. If decoys passed all at once, the
 * old key would be the mark of a record; so as large a part of the decoys bears it as of the records, and each name's
 * place in the order of passing is fixed.
 */
export class DecoyKeys {
  readonly #secret: ServiceSecret;
  readonly #keys: PublishedKeys;
  readonly #store: Pick<RecordStore, 'kids'>;
  readonly #now: () => number;
  /** Of the records that bear a key or a newer one, the part that bears it. */
  #shares: ReadonlyMap<string, number> = new Map();
  #records = 0;
  #countedAt: number | undefined;

  constructor(
    secret: ServiceSecret,
    keys: PublishedKeys,
    store: Pick<RecordStore, 'kids'>,
    now: () => number,
  ) {
    this.#secret = secret;
    this.#keys = keys;
    this.#store = store;
    this.#now = now;
  }

  /** The key of a name's decoy. */
  async keyOf(name: string): Promise<AssistantJwk> {
    const keys = await this.#keys.list();
    const [active, ...retiring] = keys as readonly [AssistantJwk, ...AssistantJwk[]];
    if (retiring.length > 0 && (this.#isOld || keys.some(({ kid }) => !this.#shares.has(kid))))
      await this.#count(keys);
    const oldestFirst = retiring.reverse();
    const place = (kid: string) => this.#secret.fraction('decoy key', name, kid);
    return oldestFirst.find(({ kid }) => place(kid) < (this.#shares.get(kid) ?? 0)) ?? active;
  }

  /** Takes notice of a record that was stored: where there are few, decoys that follow late would show. */
  async recount(): Promise<void> {
    const keys = await this.#keys.list();
    if (keys.length > 1 && (this.#isOld || this.#records < FEW_RECORDS)) await this.#count(keys);
  }

  get #isOld(): boolean {
    return this.#countedAt === undefined || Math.abs(this.#now() - this.#countedAt) >= COUNT_SECONDS;
  }

  /** A part never grows while this process lives: no record goes back. */
  async #count(keys: readonly AssistantJwk[]): Promise<void> {
    const counts = await this.#store.kids();
    const shares = new Map<string, number>();
    let newer = 0;
    for (const { kid } of keys) {
      const count = counts.get(kid) ?? 0;
      newer += count;
      const share = kid === keys[0]?.kid ? 1 : newer > 0 ? count / newer : 0;
      shares.set(kid, Math.min(share, this.#shares.get(kid) ?? 1));
    }
    this.#shares = shares;
    this.#records = newer;
    this.#countedAt = this.#now();
  }
}
