/**
 * Placeholder records. A fetch with a wrong code reads one, so that a miss does the same database work as a hit. They are
 * never returned: the decoy is computed at every fetch.
 */
import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import type { RecordProfile } from '../profile.ts';
import type { ServiceSecret } from '../service-secret.ts';
import type { RecordStore } from '../stores/record-store.ts';
import { makeDecoy } from './decoy.ts';

/** The first character of placeholder names. No account name contains control characters. */
const MARK = '\0';
/** Several, because one record that is read all the time would be found at another speed than the rest. */
const RECORDS = 64;
/**
 * Lists that note wrong fetches. They are many, so that they fill up as the lists of real records do, and fixed in number,
 * so that strangers cannot fill the store.
 */
const LISTS = 4096;

export class Placeholders {
  readonly #secret: ServiceSecret;
  readonly #profile: RecordProfile;
  readonly #records: RecordStore;
  readonly #samples = new Map<string, Promise<string>>();

  constructor(secret: ServiceSecret, profile: RecordProfile, store: RecordStore) {
    this.#secret = secret;
    this.#profile = profile;
    this.#records = store;
  }

  /** The key of the placeholder that a wrong fetch of this name reads. */
  keyFor(name: string): string {
    return this.#secret.key(`${MARK}${this.#secret.part(RECORDS, 'placeholder', name)}`, '');
  }

  /** The owner whose list notes a wrong fetch of this name. */
  ownerFor(name: string): string {
    return this.#secret.owner(`${MARK}list ${this.#secret.part(LISTS, 'list', name)}`);
  }

  /** A sample of the records that are sealed to that key. */
  sample(jwk: AssistantJwk): Promise<string> {
    const known = this.#samples.get(jwk.kid);
    if (known) return known;
    if (this.#samples.size >= 100) this.#samples.clear();
    const sample = makeDecoy(this.#secret, this.#profile, MARK, jwk);
    this.#samples.set(jwk.kid, sample);
    sample.catch(() => this.#samples.delete(jwk.kid));
    return sample;
  }

  /** Stores the placeholders that are missing. */
  async store(jwk: AssistantJwk): Promise<void> {
    for (let i = 0; i < RECORDS; i++) {
      const name = `${MARK}${i}`;
      const owner = this.#secret.owner(name);
      // One text for all, since only its length matters.
      if (!(await this.#records.find(owner))) await this.#put(name, owner, await this.sample(jwk));
    }
  }

  /** When a key of the assistant was first seen, in seconds since the epoch. The first call notes the time. */
  async firstSeen(kid: string): Promise<number> {
    const name = `${MARK}kid ${kid}`;
    const owner = this.#secret.owner(name);
    const find = () => this.#records.find(owner);
    if (!(await find())) await this.#put(name, owner, '');
    return (await find())?.at as number;
  }

  async #put(name: string, u: string, record: string): Promise<void> {
    await this.#records.put({
      owner: this.#secret.owner(name),
      key: this.#secret.key(name, ''),
      u,
      kid: '',
      record,
    });
  }
}
