import { fromBase64url, wipe } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import { parseSealed, readAssistantJwk } from '../crypto/jwe/jwe.ts';
import type { Answer, AnswerFrame } from '../protocol/messages.ts';
import { type Argon2id, deviceShare, stretchPassword } from '../protocol/password.ts';
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
  /** Reads what is kept now, since other tabs and processes change it too. Default: this object is the only writer. */
  readonly load?: () => Promise<DeviceRecord | undefined>;
  /** Where Argon2id is computed. Default: by WebAssembly, on a page in a worker and else on this thread. */
  readonly argon2id?: Argon2id;
  /** Called once for each kind of warning. Default: `console.warn`. */
  readonly onWarning?: (warning: DeviceWarning) => void;
}

/** What an app or its user should know although nothing has failed. */
export interface DeviceWarning {
  /**
   * `reissued_elsewhere`: the password was changed, and not by this `Device`, see `KeyHistory`.
   * `renewed_unsaved`: the assistant has renewed its key, and there is no `save` to keep the renewed record.
   */
  readonly code: 'reissued_elsewhere' | 'renewed_unsaved';
  readonly message: string;
}

/** What the assistant says, at a success, of how the key was used before. Show it: a thief leaves traces here. */
export interface KeyHistory {
  /** Wrong passwords tried since the last success. */
  readonly failedSince: AnswerFrame['failedSince'];
  /** When the key was last used, in seconds since the epoch; null where no use is known, absent from older assistants. */
  readonly lastUsed?: number | null;
  /** How often the password was changed from this record before; absent where it was not. */
  readonly reissues?: { readonly count: number; readonly last: number };
  /**
   * Whether that was more often than by this `Device`: then someone who had record and password may hold a record of his
   * own. Own changes are counted in memory, since a record has no member for them and readers refuse unknown ones. So
   * after a crash in the middle of a change, before the old ticket is retired, it may be the owner's: ask about `reissues.last`.
   */
  readonly isReissuedElsewhere: boolean;
}

/**
 * A password's K together with the record that it was stretched for, so that neither is used with another. The
 * caller that made it must end it.
 */
export class Stretched {
  /** K, 32 bytes. */
  readonly k: Uint8Array;
  readonly record: DeviceRecord;
  /** What the assistant's first answer said of how the key was used before. */
  before: KeyHistory | undefined;
  readonly #owner: AssistedRecord;

  constructor(owner: AssistedRecord, record: DeviceRecord, k: Uint8Array) {
    this.#owner = owner;
    this.record = record;
    this.k = k;
  }

  /**
   * Asks the assistant for help.
   *
   * @param question makes what is asked, once for every request that is sent
   * @throws RoamingKeyError as `AssistantClient.ask`
   */
  ask<X extends Exchange>(exchange: X, question: Question<X>): Promise<Answer<X>> {
    return this.#owner.ask(this, exchange, question);
  }

  /** f, the device's half of the key: `length` bytes, which the caller wipes. */
  share(length: number): Uint8Array {
    return deviceShare(this.k, this.record.scheme, length);
  }

  /** The same K for another record of its salt; both end together. */
  for(record: DeviceRecord): Stretched {
    return new Stretched(this.#owner, record, this.k);
  }

  /** One more of the same, which ends by itself. */
  copy(): Stretched {
    return new Stretched(this.#owner, this.record, new Uint8Array(this.k));
  }

  /** Wipes K. */
  end(): void {
    wipe(this.k);
  }
}

/** How long a published key list is taken for current, in milliseconds. */
const KEY_LIST_AGE = 300_000;

/** A device record and the assistant it names: stretches passwords, asks, and follows the assistant's key rotation. */
export class AssistedRecord {
  #record: DeviceRecord;
  readonly #options: AssistedRecordOptions;
  readonly #client: AssistantClient;
  #saving: Promise<unknown> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();
  #lastUse: KeyHistory | undefined;
  /** How many tickets this device has had reissued, by the a of the ticket they came from. */
  readonly #reissued = new Map<string, number>();
  readonly #warned = new Set<DeviceWarning['code']>();
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

  /** A password stretched for this record, as it is kept now. The caller ends it. */
  async stretch(password: string): Promise<Stretched> {
    await this.#refresh();
    return this.stretchFor(this.#record, password);
  }

  /** A password stretched for another record of the same key: an earlier one, or one that is not in force yet. */
  async stretchFor(record: DeviceRecord, password: string): Promise<Stretched> {
    const { argon2id = defaultArgon2id, onProgress } = this.#options;
    onProgress?.({ phase: 'stretching' });
    const salt = fromBase64url(record.salt) as Uint8Array;
    const k = await stretchPassword(password, salt, record.kdf, argon2id, (done) =>
      onProgress?.({ phase: 'stretching', done }),
    );
    return new Stretched(this, record, k);
  }

  /** Takes over what another tab or process has put in this record's place: its ticket may be retired by now. */
  async #refresh(): Promise<void> {
    const { load } = this.#options;
    if (!load) return;
    await this.#saving;
    const kept = await readKept(load);
    if (!kept || kept.ticket === this.#record.ticket) return;
    const { jwk, scheme } = this.#record;
    if (JSON.stringify(kept.jwk) !== JSON.stringify(jwk) || kept.scheme !== scheme) {
      throw new RoamingKeyError('bad_record', 'another key is kept under this name by now: open it anew');
    }
    this.#requireAssistant(kept);
    this.#record = kept;
  }

  /**
   * Asks for help, one request at a time: the assistant lets few guesses at a ticket be open at once.
   *
   * @param stretched the renewed copy of its record takes its record's place; the record of another password does not, since
   *   the halves of two passwords do not fit together
   */
  async ask<X extends Exchange>(
    stretched: Stretched,
    exchange: X,
    question: Question<X>,
  ): Promise<Answer<X>> {
    const { record: own, k } = stretched;
    const record = own.a === this.#record.a && own.salt === this.#record.salt ? this.#record : own;
    await this.#requirePublished(record.assistant.jwk.kid);
    const asked = this.#turn.then(() => this.#client.ask(record, k, exchange, question));
    this.#turn = asked.catch(() => {});
    const answer = await asked;
    this.#lastUse = this.#judge(record, answer);
    stretched.before ??= this.#lastUse;
    if (answer.renewed) await this.#renew(record, answer.renewed);
    return answer;
  }

  /** What the assistant said at the last success of how the key was used before; `undefined` before the first. */
  get lastUse(): KeyHistory | undefined {
    return this.#lastUse;
  }

  /**
   * Makes several answers one use: what is told is what went before the first of them, and every change of password that the
   * last one knows of.
   */
  tellFrom({ before }: Stretched): void {
    const { reissues, isReissuedElsewhere = false } = this.#lastUse ?? {};
    this.#lastUse = before && { ...before, ...(reissues && { reissues, isReissuedElsewhere }) };
  }

  /** Remembers that this device has a ticket reissued from `record`, so that it does not take that for a thief's. */
  countReissue({ a }: DeviceRecord): void {
    this.#reissued.set(a, (this.#reissued.get(a) ?? 0) + 1);
  }

  #judge({ a }: DeviceRecord, { failedSince, lastUsed, reissues }: AnswerFrame): KeyHistory {
    const count = reissues?.count ?? 0;
    const own = this.#reissued.get(a) ?? 0;
    // One that may have been done, and was not.
    if (own > count) this.#reissued.set(a, count);
    const isReissuedElsewhere = count > own;
    if (isReissuedElsewhere)
      this.#warn(
        'reissued_elsewhere',
        'the password of this key was changed, which this device does not remember: where that was not you, use the disabling kit and make a new key',
      );
    return {
      failedSince,
      isReissuedElsewhere,
      ...(lastUsed !== undefined && { lastUsed }),
      ...(reissues && { reissues }),
    };
  }

  #warn(code: DeviceWarning['code'], message: string): void {
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    const { onWarning = ({ message }) => console.warn(`passport-roaming-key: ${message}`) } = this.#options;
    onWarning({ code, message });
  }

  /**
   * Requires that the assistant lists a key, asked past caches.
   *
   * @throws RoamingKeyError `bad_response`
   */
  async requireListed(kid: string): Promise<void> {
    if ((await this.#client.keys('reload')).some((key) => key.kid === kid)) return;
    throw new RoamingKeyError('bad_response', 'the assistant answered with a key that it does not publish');
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
      if (!this.#options.save)
        this.#warn(
          'renewed_unsaved',
          'the assistant has renewed its key and this device has no `save` for the renewed record: open it by `Device.open`',
        );
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
