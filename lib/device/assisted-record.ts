import { fromBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import { parseSealed, readAssistantJwk } from '../crypto/jwe/jwe.ts';
import type { Answer, AnswerFrame } from '../protocol/messages.ts';
import { type Argon2id, stretchPassword } from '../protocol/password.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import type { Exchange } from '../protocol/schemes/scheme.ts';
import { AssistantClient, type AssistantClientOptions, type Question } from './assistant-client.ts';
import { defaultArgon2id } from './default-argon2id.ts';

export interface AssistedRecordOptions extends AssistantClientOptions {
  /**
   * The assistant's URL, which the app names and never takes from the record. A record that names another assistant,
   * or a key that this one has not published, is refused: who swaps them would harvest what unlocks the record.
   */
  readonly assistant: string;
  /**
   * Keeps a record that has changed, when the assistant renewed its key or the password changed, in place of
   * `replaced`. Where something else is kept by now, it must throw, and leave that: it is newer.
   */
  readonly save?: (record: DeviceRecord, replaced: DeviceRecord) => Promise<void>;
  /** Reads what is kept now, since other tabs and processes change it too. Default: nobody else does. */
  readonly load?: () => Promise<DeviceRecord | undefined>;
  /** Where Argon2id is computed. Default: by WebAssembly, on a page in a worker and else on this thread. */
  readonly argon2id?: Argon2id;
}

/** How long a published key list is taken for current, in milliseconds. */
const KEY_LIST_AGE = 300_000;

/** A device record and the assistant it names: stretches passwords, asks, and follows the assistant's key rotation. */
export class AssistedRecord {
  #record: DeviceRecord;
  readonly #options: AssistedRecordOptions;
  readonly #client: AssistantClient;
  #saving: Promise<unknown> = Promise.resolve();
  /** Which record a K was stretched for: that it is used with, even if another has come meanwhile. */
  readonly #stretched = new WeakMap<Uint8Array, DeviceRecord>();
  #published: { readonly kids: ReadonlySet<string>; readonly at: number } | undefined;

  /** @throws RoamingKeyError `bad_record` */
  constructor(record: DeviceRecord, options: AssistedRecordOptions) {
    this.#record = parseRecord(record);
    this.#options = options;
    this.#client = new AssistantClient(options.assistant, options);
    this.#requireAssistant(this.#record);
  }

  #requireAssistant({ assistant }: DeviceRecord): void {
    if (readSecureUrl(assistant.url) !== this.#client.url) {
      throw new RoamingKeyError(
        'bad_record',
        `this device record belongs to another assistant: ${assistant.url}, not ${this.#client.url}`,
      );
    }
  }

  get current(): DeviceRecord {
    return this.#record;
  }

  /** Puts another record in the place of this one, durably where the app keeps it. */
  async replace(record: DeviceRecord): Promise<void> {
    await this.#save(record, () => true);
  }

  /** Saves one record at a time, so that what is kept is what came last. */
  #save(record: DeviceRecord, isWanted: () => boolean): Promise<void> {
    const saved = this.#saving.then(async () => {
      if (!isWanted()) return;
      await this.#options.save?.(record, this.#record);
      this.#record = record;
    });
    this.#saving = saved.catch(() => {});
    return saved;
  }

  /** The password's K for this record, as it is kept now; the caller wipes it. */
  async stretch(password: string): Promise<Uint8Array> {
    await this.#refresh();
    const record = this.#record;
    const { argon2id = defaultArgon2id, onProgress } = this.#options;
    onProgress?.({ phase: 'stretching' });
    const salt = fromBase64url(record.salt) as Uint8Array;
    const k = await stretchPassword(password, salt, record.kdf, argon2id, (done) =>
      onProgress?.({ phase: 'stretching', done }),
    );
    this.#stretched.set(k, record);
    return k;
  }

  /** Takes over what another tab or process has put in this record's place: its ticket may be retired by now. */
  async #refresh(): Promise<void> {
    const { load } = this.#options;
    if (!load) return;
    await this.#saving;
    const kept = await readKept(load);
    if (!kept || kept.ticket === this.#record.ticket) return;
    const { jwk, scheme, salt } = this.#record;
    const isSameKey = JSON.stringify(kept.jwk) === JSON.stringify(jwk) && kept.scheme === scheme;
    // The password of a shared key cannot change, and a half of it that is held fits this salt.
    if (!isSameKey || (scheme !== 'retrieve' && kept.salt !== salt)) {
      throw new RoamingKeyError('bad_record', 'another key is kept under this name by now: open it anew');
    }
    this.#requireAssistant(kept);
    this.#record = kept;
  }

  /** Asks for help with this record's ticket, or with that of an earlier one. */
  async ask<X extends Exchange>(
    k: Uint8Array,
    exchange: X,
    question: Question<X>,
    record: DeviceRecord = this.#stretched.get(k) ?? this.#record,
  ): Promise<Answer<X>> {
    await this.#requirePublished(record.assistant.jwk.kid);
    const response = await this.#client.ask(record, k, exchange, question);
    if (response.renewed) await this.#renew(record, response.renewed);
    return response;
  }

  async #requirePublished(kid: string): Promise<void> {
    if (!this.#published?.kids.has(kid) || Date.now() - this.#published.at > KEY_LIST_AGE) {
      this.#published = { kids: new Set((await this.#client.keys()).map((key) => key.kid)), at: Date.now() };
    }
    if (!this.#published.kids.has(kid)) {
      throw new RoamingKeyError(
        'bad_record',
        'this device record names a key that its assistant does not publish',
      );
    }
  }

  /** Moves to the assistant's new key, if it has published it; the old ticket works on until its key is gone. */
  async #renew(asked: DeviceRecord, { ticket, key }: NonNullable<AnswerFrame['renewed']>): Promise<void> {
    try {
      const jwk = await readAssistantJwk(key);
      if (!jwk || parseSealed(ticket, 'rk-ticket+jwe')?.kid !== jwk.kid) return;
      if (!(await this.#client.keys()).some((published) => published.kid === jwk.kid)) return;
      const { use: _use, alg: _alg, ...bare } = jwk;
      const renewed = parseRecord({ ...asked, ticket, assistant: { url: asked.assistant.url, jwk: bare } });
      // The password may have been changed meanwhile: then this ticket belongs to a record that is no longer in force.
      await this.#save(renewed, () => this.#record === asked);
    } catch {
      // The next success renews again; what the user asked for has succeeded.
    }
  }
}

/** What cannot be read, or is gone, does not make the copy at hand any worse. */
async function readKept(load: () => Promise<DeviceRecord | undefined>): Promise<DeviceRecord | undefined> {
  try {
    const kept = await load();
    return kept && parseRecord(kept);
  } catch {
    return undefined;
  }
}
