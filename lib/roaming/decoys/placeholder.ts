/**
 * Records of nobody, which whoever has a wrong code finds in the store, so that finding and noting cost what they cost
 * where there is a record. They are never given out: the decoy is made anew at every fetch.
 */
import type { AssistantJwk } from '../../crypto/jwe/jwe.ts';
import type { RecordProfile } from '../profile.ts';
import type { ServiceSecret } from '../service-secret.ts';
import type { RecordStore } from '../stores/record-store.ts';
import { makeDecoy } from './decoy.ts';

/** No account has a name that begins so: control characters are in none. */
const NOBODY = '\0';
/** One record alone would be found a little faster, or more slowly, than any other. */
const RECORDS = 64;
/**
 * Wrong fetches are noted in many lists, so that a name without a record has one that is as full as that of a name with a
 * record; and not in one for each name, so that strangers do not fill the store.
 */
const LISTS = 4096;

export class Nobody {
  readonly #secret: ServiceSecret;
  readonly #profile: RecordProfile;
  readonly #store: RecordStore;
  readonly #samples = new Map<string, Promise<string>>();

  constructor(secret: ServiceSecret, profile: RecordProfile, store: RecordStore) {
    this.#secret = secret;
    this.#profile = profile;
    this.#store = store;
  }

  /** The key under which a name's wrong fetch finds a record all the same. */
  keyFor(name: string): string {
    return this.#secret.key(`${NOBODY}${this.#secret.part(RECORDS, 'nobody', name)}`, '');
  }

  /** The owner for whom a name's wrong fetch is noted. */
  ownerFor(name: string): string {
    return this.#secret.owner(`${NOBODY}list ${this.#secret.part(LISTS, 'list', name)}`);
  }

  /** A record like all that are sealed to that key. */
  sample(jwk: AssistantJwk): Promise<string> {
    const known = this.#samples.get(jwk.kid);
    if (known) return known;
    if (this.#samples.size >= 100) this.#samples.clear();
    const sample = makeDecoy(this.#secret, this.#profile, NOBODY, jwk);
    this.#samples.set(jwk.kid, sample);
    sample.catch(() => this.#samples.delete(jwk.kid));
    return sample;
  }

  /** Puts the records into the store, where they are not there yet. */
  async settle(jwk: AssistantJwk): Promise<void> {
    for (let i = 0; i < RECORDS; i++) {
      const name = `${NOBODY}${i}`;
      const owner = this.#secret.owner(name);
      if (await this.#store.find(owner)) continue;
      const record = await makeDecoy(this.#secret, this.#profile, name, jwk);
      const { u } = JSON.parse(record) as { u: string };
      await this.#store.put({ owner, key: this.#secret.key(name, ''), u, kid: '', record });
    }
  }
}
