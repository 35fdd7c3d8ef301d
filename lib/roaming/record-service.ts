/**
 * The record service, without HTTP (docs/protocol.md section 9).
 *
 * Goal: a user fetches the device record from any device, by account name and pickup code, and the service does not tell
 * which accounts have one. Its data makes it ADV({device}): it can guess passwords online, through the assistant, and no
 * more, unless it is run by the assistant's operator.
 *
 * A record is stored under HMAC(secret, code ‖ account). So a wrong code for a name with a record, and any code for a name
 * without, are misses of the same kind: neither the service nor its store can tell them apart.
 */

import * as v from 'valibot';
import { equalBytes, utf8 } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError, isWireErrorCode, RoamingKeyError } from '../base/errors.ts';
import { checkFunctions, wrongOption } from '../base/options.ts';
import { readSecureUrl } from '../base/url.ts';
import type { AssistantJwk } from '../crypto/jwe/jwe.ts';
import { type Instrument, type Observe, observed, observer, storeSteps } from '../observe/instrument.ts';
import { safeListener } from '../observe/listeners.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import {
  FETCH_BODY,
  FETCH_BODY_WITHOUT_CODE,
  OTHER_BODY,
  OTHER_PURPOSES,
  PUT_BODY,
  recordOrigin,
} from '../protocol/roaming.ts';
import type { Store } from '../store/store.ts';
import { normaliseAccount } from './account-name.ts';
import { PublishedKeys, type PublishedKeysOptions } from './assistant-keys.ts';
import { makeDecoy } from './decoys/decoy.ts';
import { DecoyKeys } from './decoys/decoy-keys.ts';
import { Placeholders } from './decoys/placeholders.ts';
import type { RecordListener } from './events.ts';
import { makePickupCode, readPickupCode } from './pickup-code.ts';
import { fitRecord, type RecordProfile, type RecordProfileOptions, recordProfile } from './profile.ts';
import { type Secret, ServiceSecret } from './service-secret.ts';
import type { RecordFetch, RecordStore } from './stores/record-store.ts';
import { WrongFetches } from './wrong-fetches.ts';

export interface RecordServiceOptions {
  /** Where records are kept; not where the assistant keeps what it remembers. */
  readonly store: RecordStore;
  /**
   * Key of names, codes and decoys, at least 32 bytes, the same for all processes. A new one changes all decoys and ends
   * all pickup codes: users store their records anew.
   */
  readonly secret: Secret;
  /** The URL of the one assistant whose records are taken. */
  readonly assistant: string;
  /** Where the assistant's public keys come from, the active one first. Default: `GET {assistant}/keys`, every 5 minutes. */
  readonly assistantKeys?: PublishedKeysOptions['read'];
  /** The one kind of record that is taken and given out. Default: shared Ed25519 keys at the default cost. */
  readonly profile?: RecordProfileOptions;
  /** Knows which keys are disabled, such as a `disabledFeed`: their records are deleted. Default: records stay. */
  readonly disabled?: Pick<Store, 'isDisabled'>;
  /** How often records of disabled keys are looked for, in seconds, from 1 to 86400. Default 300. */
  readonly sweepEvery?: number;
  /**
   * Lets records be fetched by account name alone. The value says what that means: the assistant's operator can fetch them
   * too, and anyone can lock the owner out by wrong passwords.
   */
  readonly withoutPickupCode?: 'anyone who knows an account name may hold its record';
  /** Normalises typed names further, such as `(name) => name.toLowerCase()`. Default: not. */
  readonly accountName?: (name: string) => string;
  /** Wrong fetches of one account name from one address in an hour, from 1 to 65535. Default 10. */
  readonly wrongPerAddress?: number;
  /** Wrong fetches of one account name from all addresses in an hour, from 1 to 65535. Default 1000. */
  readonly wrongPerAccount?: number;
  /** Called with every event; never gets a secret. */
  readonly onEvent?: RecordListener;
  /** Runs every step, for metrics and traces; never gets a secret. */
  readonly instrument?: Instrument;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

/** What the transport knows of a request besides its body. */
export interface RecordRequestContext {
  readonly address?: string | undefined;
  /** Called where a fetch was answered, with whether the code was right; without pickup codes never. */
  readonly onOutcome?: (isRight: boolean) => void;
}

/** What an owner may know of what is stored. */
export interface KeptRecord {
  readonly u: string;
  /** The assistant's key that the record's ticket is sealed to. */
  readonly kid: string;
  /** When it was stored, in seconds since the epoch. */
  readonly at: number;
  /** Names the enrolment and password that it is of. */
  readonly of: string;
}

const WITHOUT_CODE: string = 'anyone who knows an account name may hold its record';
const SWEEP_PAGE = 500;
const STORE_STEPS = storeSteps(
  'records',
  'init',
  'put',
  'fetch',
  'find',
  'fetches',
  'delete',
  'deleteNamed',
  'names',
  'health',
  'close',
);

/**
 * Keeps one record for each account, and answers every name with a record or a decoy.
 *
 * @throws TypeError at construction for an option that is missing or of the wrong kind
 */
export class RecordService {
  readonly #options: RecordServiceOptions;
  readonly #store: RecordStore;
  readonly #emit: RecordListener;
  readonly #observe: Observe;
  readonly #secret: ServiceSecret;
  readonly #keys: PublishedKeys;
  readonly #decoyKeys: DecoyKeys;
  readonly #placeholders: Placeholders;
  readonly #wrong: WrongFetches;
  #preparing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** What all records of this service have in common. */
  readonly profile: RecordProfile;

  constructor(options: RecordServiceOptions) {
    const { secret, disabled, withoutPickupCode, now = epochSeconds } = options;
    if (typeof options.store?.fetch !== 'function')
      throw wrongOption('store', 'a RecordStore', options.store);
    if (disabled !== undefined && typeof disabled.isDisabled !== 'function')
      throw wrongOption('disabled', 'a store or feed, with isDisabled', disabled);
    if (withoutPickupCode !== undefined && withoutPickupCode !== WITHOUT_CODE)
      throw new TypeError(`withoutPickupCode must be left out, or be '${WITHOUT_CODE}'`);
    checkFunctions(options, ['assistantKeys', 'accountName', 'onEvent', 'fetch', 'now']);
    whole('sweepEvery', options.sweepEvery ?? 300, 86_400);
    this.#options = options;
    this.#emit = options.onEvent ? safeListener(options.onEvent) : () => {};
    this.#observe = observer(options.instrument);
    const store = observed(options.store, STORE_STEPS, this.#observe);
    this.#store = store;
    this.#secret = new ServiceSecret(secret);
    this.profile = recordProfile(options.assistant, options.profile);
    this.#keys = new PublishedKeys({
      url: this.profile.assistant,
      read: options.assistantKeys,
      fetch: options.fetch,
      now,
      onError: (error) => this.#emit({ type: 'unavailable', part: 'records', error }),
    });
    const { wrongPerAddress = 10, wrongPerAccount = 1000 } = options;
    this.#wrong = new WrongFetches({
      secret: this.#secret,
      perAddress: whole('wrongPerAddress', wrongPerAddress, 65_535),
      perAccount: whole('wrongPerAccount', wrongPerAccount, 65_535),
      now,
    });
    this.#placeholders = new Placeholders(this.#secret, this.profile, store);
    this.#decoyKeys = new DecoyKeys(this.#secret, this.#keys, this.#placeholders, now);
  }

  /**
   * Prepares the store, reads the assistant's keys and begins to look for disabled ones. Requests that come earlier are
   * answered all the same.
   *
   * @throws RoamingKeyError `unavailable` where the keys cannot be read
   */
  async init(): Promise<void> {
    await this.#prepare();
    if (this.#timer || !this.#options.disabled) return;
    this.#timer = setInterval(
      () =>
        void this.sweep().catch((error: unknown) =>
          this.#emit({ type: 'unavailable', part: 'records', error }),
        ),
      (this.#options.sweepEvery ?? 300) * 1000,
    );
    this.#timer.unref();
  }

  /** Ends what `init` began. The store stays open. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Stores an account's record, in the place of an earlier one.
   *
   * @param body `{ record, keepCode?, onlyRenewal? }`: with `keepCode` the code that is in force stays so;
   *   `onlyRenewal` also refuses to replace a record of another `u`, `a` or `salt`, and so of another enrolment or
   *   password, or one that is sealed to the same or a newer key
   * @returns the new pickup code, to be shown once; `null` where the old one stays, or none is needed
   * @throws RoamingKeyError `invalid_request`; `unsupported` for a record that is not of the profile; `unknown_key`;
   *   `refused` where `onlyRenewal` finds another record, or where, without pickup codes, the name looks like
   *   another account's; `unavailable`
   */
  put(
    account: string,
    body: unknown,
    context: RecordRequestContext = {},
  ): Promise<{ readonly code: string | null }> {
    return this.#observe({ name: 'recordPut' }, () => this.#put(account, body, context));
  }

  async #put(
    account: string,
    body: unknown,
    { address }: RecordRequestContext,
  ): Promise<{ readonly code: string | null }> {
    const parsed = v.safeParse(PUT_BODY, body, { abortEarly: true });
    if (!parsed.success) throw new RoamingKeyError('invalid_request', 'record expected');
    const { record, keepCode = false, onlyRenewal = false } = parsed.output;
    return this.#answering(async () => {
      const { text, start, u, kid } = await fitRecord(record, {
        profile: this.profile,
        findKey: (wanted) => this.#keys.find(wanted),
        sample: (jwk) => this.#placeholders.sample(jwk),
        sameSpelling: this.#isOpen,
      });
      if (await this.#isDisabled(u)) throw new RoamingKeyError('disabled', 'the key is disabled');
      if (onlyRenewal) await this.#requireNewer(account, kid);
      await this.#decoyKeys.note();
      const name = this.#nameOf(account);
      for (let tries = 0; tries < 3; tries++) {
        const code = this.#isOpen ? '' : makePickupCode();
        const answer = await this.#store.put({
          owner: this.#secret.owner(account),
          key: this.#secret.key(name, code),
          u,
          kid,
          record: text,
          keepKey: keepCode || onlyRenewal,
          ...(onlyRenewal && { replaces: start }),
        });
        if (answer === 'absent')
          throw new RoamingKeyError('refused', 'the stored record is of another enrolment or password');
        if (answer === 'taken') continue;
        const isNewCode = answer === 'stored' && !this.#isOpen;
        this.#emit({ type: 'stored', account, u, kid, isNewCode, address });
        return { code: isNewCode ? code : null };
      }
      throw new RoamingKeyError('refused', 'the name of this account looks like that of another account');
    });
  }

  /**
   * Gives out a record: that of the account if the code is right, else a decoy.
   *
   * @param body `{ account, code }`
   * @throws RoamingKeyError `invalid_request`, `busy` after too many wrong fetches, `unavailable`
   * @returns the answer as JSON
   */
  fetch(body: unknown, context: RecordRequestContext = {}): Promise<string> {
    return this.#observe({ name: 'recordFetch' }, () => this.#fetch(body, context));
  }

  /**
   * Reads the body of a fetch.
   *
   * @returns the account's normalised name, and the code as typed
   * @throws RoamingKeyError `invalid_request`
   */
  readFetch(body: unknown): { readonly name: string; readonly typed: string } {
    const parsed = v.safeParse(this.#isOpen ? FETCH_BODY_WITHOUT_CODE : FETCH_BODY, body, {
      abortEarly: true,
    });
    if (!parsed.success) throw new RoamingKeyError('invalid_request', 'account and code expected');
    const { account, code = '' } = parsed.output;
    return { name: this.#nameOf(account), typed: code };
  }

  async #fetch(body: unknown, { address = '', onOutcome }: RecordRequestContext): Promise<string> {
    const { name, typed } = this.readFetch(body);
    // Without codes there is nothing to guess, and a limit that spares those who are right would say who has a record.
    if (this.#isOpen) return (await this.#lookAndTell(name, '', address)).answer;
    const code = readPickupCode(typed);
    const giveBack = this.#wrong.take(name, address, (by) =>
      this.#emit({ type: 'limited', account: name, by, address }),
    );
    // What has no outcome is given back.
    let isRight = true;
    try {
      const { answer, matched } = await this.#lookAndTell(name, code, address);
      isRight = matched;
      onOutcome?.(matched);
      return answer;
    } finally {
      if (isRight) giveBack();
    }
  }

  async #lookAndTell(name: string, code: string, address: string) {
    const { record, matched } = await this.#answering(() => this.#look(name, code, address));
    this.#emit({ type: 'fetched', account: name, matched, address });
    return { answer: `{"record":${record}}`, matched };
  }

  /** Both outcomes take the same steps, the store's included. */
  async #look(name: string, code: string, address: string): Promise<{ record: string; matched: boolean }> {
    await this.#prepare();
    const key = this.#secret.key(name, code);
    const [found, decoy] = await Promise.all([
      this.#store.fetch({
        key,
        otherwise: this.#placeholders.keyFor(name),
        stranger: this.#placeholders.ownerFor(name),
        address,
      }),
      this.#decoy(name),
    ]);
    if (!found) return { record: decoy, matched: false };
    const isDisabled = await this.#isDisabled(found.u);
    if (isDisabled) await this.#deleteDisabled(found.u);
    const matched = equalBytes(utf8(found.key), utf8(key)) && !isDisabled;
    return { record: matched ? found.record : decoy, matched };
  }

  /**
   * Keeps the record of another key of the account, for its own sessions: it is given to who is logged in, so that it needs no
   * decoy and may be of any kind.
   *
   * @param body `{ purpose, record }`
   * @throws RoamingKeyError `invalid_request`, `unsupported` for a record of another assistant, `unknown_key`, `disabled`,
   *   `unavailable`
   */
  async putOther(account: string, body: unknown, { address }: RecordRequestContext = {}): Promise<void> {
    const parsed = v.safeParse(OTHER_BODY, body, { abortEarly: true });
    if (!parsed.success) throw new RoamingKeyError('invalid_request', 'purpose and record expected');
    return this.#answering(async () => {
      const record = readOther(parsed.output.record);
      const { url, jwk } = record.assistant;
      if (readSecureUrl(url) !== this.profile.assistant)
        throw new RoamingKeyError('unsupported', 'this record is of another assistant');
      if (!(await this.#keys.find(jwk.kid)))
        throw new RoamingKeyError('unknown_key', 'the assistant does not list the key of this record');
      const { u } = record;
      if (await this.#isDisabled(u)) throw new RoamingKeyError('disabled', 'the key is disabled');
      const owner = this.#secret.other(account, parsed.output.purpose);
      await this.#store.put({ owner, key: owner, u, kid: jwk.kid, record: JSON.stringify(record) });
      this.#emit({ type: 'stored', account, u, kid: jwk.kid, isNewCode: false, address });
    });
  }

  /**
   * The records of an account's other keys, as JSON by purpose; not of those that are disabled, and none without a record that
   * the account can be picked up by. Notes that they were read.
   */
  async others(account: string, { address = '' }: RecordRequestContext = {}): Promise<string> {
    return this.#answering(async () => {
      const stranger = this.#secret.owner(account);
      const members: string[] = [];
      const main = await this.#store.find(stranger);
      if (!main || (await this.#isDisabled(main.u))) return '{"others":{}}';
      for (const purpose of OTHER_PURPOSES) {
        const otherwise = this.#secret.other(account, purpose);
        const kept = await this.#store.find(otherwise);
        if (!kept || (await this.#isDisabled(kept.u))) continue;
        // One reading is one entry in the account's list. No record has an account's name for its key.
        if (members.length === 0) await this.#store.fetch({ key: stranger, otherwise, stranger, address });
        members.push(`"${purpose}":${kept.record}`);
      }
      if (members.length > 0) this.#emit({ type: 'othersFetched', account, address });
      return `{"others":{${members.join()}}}`;
    });
  }

  /**
   * Deletes an account's records, and the list of their fetches, for good.
   *
   * @returns whether there was any
   * @throws RoamingKeyError `unavailable`
   */
  async delete(account: string, { address }: RecordRequestContext = {}): Promise<boolean> {
    return this.#answering(async () => {
      const others = OTHER_PURPOSES.map((purpose) => this.#secret.other(account, purpose));
      let wasThere = false;
      for (const owner of [...others, this.#secret.owner(account)])
        wasThere = (await this.#store.delete(owner)) || wasThere;
      if (wasThere) this.#emit({ type: 'deleted', account, address });
      return wasThere;
    });
  }

  /**
   * What is stored for an account: `u`, the `kid` that the ticket is sealed to, when, and of which enrolment and password
   * it is; `undefined` for nothing.
   */
  async find(account: string): Promise<KeptRecord | undefined> {
    return this.#answering(async () => {
      const stored = await this.#store.find(this.#secret.owner(account));
      if (!stored) return undefined;
      const { u, kid, at, record } = stored;
      return { u, kid, at, of: recordOrigin(JSON.parse(record) as DeviceRecord) };
    });
  }

  /** When and from where an account's record was fetched with the right code, or its others were read, newest first, the last 50. */
  async fetches(account: string): Promise<readonly RecordFetch[]> {
    return this.#answering(() => this.#store.fetches(this.#secret.owner(account)));
  }

  /**
   * Looks through all records for those of disabled keys and deletes them.
   *
   * @returns how many were deleted
   */
  async sweep(): Promise<number> {
    if (!this.#options.disabled) return 0;
    let sum = 0;
    let after = '';
    for (;;) {
      const names = await this.#store.names({ after, limit: SWEEP_PAGE });
      for (const u of names)
        if (await this.#options.disabled.isDisabled([u])) sum += await this.#deleteDisabled(u);
      const last = names.at(-1);
      if (last === undefined) return sum;
      after = last;
    }
  }

  /** A late renewal by one device must not replace a ticket that another device renewed since. */
  async #requireNewer(account: string, kid: string): Promise<void> {
    const stored = await this.#store.find(this.#secret.owner(account));
    const kids = (await this.#keys.list()).map((key) => key.kid);
    const place = stored && kids.includes(stored.kid) ? kids.indexOf(stored.kid) : kids.length;
    if (kids.indexOf(kid) >= place)
      throw new RoamingKeyError('refused', 'the stored record is as new as this one');
  }

  get #isOpen(): boolean {
    return this.#options.withoutPickupCode !== undefined;
  }

  async #deleteDisabled(u: string): Promise<number> {
    const records = await this.#store.deleteNamed(u);
    if (records > 0) this.#emit({ type: 'deletedDisabled', u, records });
    return records;
  }

  /** If the list cannot be read, the record is served anyway: the assistant refuses disabled keys itself. */
  async #isDisabled(u: string): Promise<boolean> {
    try {
      return (await this.#options.disabled?.isDisabled([u])) === true;
    } catch (error) {
      this.#emit({ type: 'unavailable', part: 'records', error });
      return false;
    }
  }

  #nameOf(account: string): string {
    const name = normaliseAccount(account);
    return this.#options.accountName ? normaliseAccount(this.#options.accountName(name)) : name;
  }

  async #decoy(name: string): Promise<string> {
    return makeDecoy(this.#secret, this.profile, name, await this.#decoyKeys.keyOf(name));
  }

  #prepare(): Promise<void> {
    this.#preparing ??= (async () => {
      await this.#store.init();
      const [active] = await this.#keys.list();
      await this.#placeholders.store(active as AssistantJwk);
    })().catch((error: unknown) => {
      this.#preparing = undefined;
      throw error;
    });
    return this.#preparing;
  }

  async #answering<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (isRoamingKeyError(error) && isWireErrorCode(error.code) && error.code !== 'unavailable')
        throw error;
      this.#emit({ type: 'unavailable', part: 'records', error });
      throw new RoamingKeyError('unavailable', 'the record service cannot answer now', { cause: error });
    }
  }
}

function readOther(value: unknown): DeviceRecord {
  try {
    return parseRecord(value);
  } catch (cause) {
    throw new RoamingKeyError('invalid_request', 'this is no device record', { cause });
  }
}

function whole(name: string, value: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > max)
    throw new TypeError(`${name} must be a whole number from 1 to ${max}, got ${value}`);
  return value;
}
