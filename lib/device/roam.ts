/**
 * The device's side of a record service (docs/protocol.md section 9), which returns a record to a client that sends
 * account name and pickup code. It is not trusted: what it hands out may be a decoy, or anything else, so that a record counts for
 * something only beside an assistant that the caller names and that lists the record's key.
 */
import * as v from 'valibot';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readSecureUrl } from '../base/url.ts';
import type { KdfParameters } from '../protocol/password.ts';
import { type DeviceRecord, parseRecord } from '../protocol/record.ts';
import {
  FETCHED,
  FETCHES,
  KEPT,
  OTHER_PURPOSES,
  OTHERS,
  type OtherPurpose,
  PROFILE,
  recordOrigin,
  STORED,
} from '../protocol/roaming.ts';
import { AssistantClient } from './assistant-client.ts';
import { type HttpAnswer, send, type TransportOptions } from './transport.ts';

/** A record service, and how it knows whose record it is about. */
export interface RoamOptions {
  /** Where the record service is mounted, such as `https://app.example/records`. */
  readonly records: string;
  /** More headers to send, such as a session cookie where `fetch` keeps none; a function is asked every time. */
  readonly headers?: Record<string, string> | (() => Record<string, string>);
  /** How a browser treats cookies. Default `same-origin`. */
  readonly credentials?: RequestCredentials;
}

/** Where to find one's record from a device that has none. */
export interface PickupOptions extends RoamOptions {
  /** The account's name there. */
  readonly account: string;
  /** The pickup code as it was typed; left out where the service asks for none. */
  readonly code?: string;
}

/** What a service says that it keeps for an account. */
export interface KeptRecord {
  readonly u: string;
  /** The assistant's key that the record's ticket is sealed to. */
  readonly kid: string;
  /** When it was stored, in seconds since the epoch. */
  readonly at: number;
  /** Names the enrolment and password that it is of; older services leave it out. */
  readonly of?: string | undefined;
}

/**
 * A record service, as a device talks to it. Everything but `fetch` is for the account that the service has authenticated.
 *
 * Every method throws `RoamingKeyError` with `refused` (not authenticated), `busy`, `unavailable`, `network`,
 * `bad_response`.
 *
 * @example
 * const code = await new RecordServiceClient({ records: 'https://app.example/records' }).store(device.record);
 */
export class RecordServiceClient {
  readonly #url: string;
  readonly #options: RoamOptions;
  readonly #transport: TransportOptions;

  /** @throws TypeError where `records` is neither https nor on the loopback */
  constructor(options: RoamOptions, transport: TransportOptions = {}) {
    const url = readSecureUrl(options.records);
    if (url === undefined) throw new TypeError('records must be an https URL, or http on the loopback');
    this.#url = url;
    this.#options = options;
    this.#transport = transport;
  }

  /**
   * The record of an account, or a decoy where account or code are wrong: the assistant will say that the password is.
   *
   * @throws RoamingKeyError also `bad_record`
   */
  async fetch({ account, code }: Pick<PickupOptions, 'account' | 'code'>): Promise<DeviceRecord> {
    const body = { account, ...(code !== undefined && { code }) };
    const answer = await send(`${this.#url}/fetch`, { body, credentials: 'omit' }, this.#transport);
    return parseRecord(read(FETCHED, answer).record);
  }

  /**
   * Stores a record, in the place of an earlier one.
   *
   * @param keep `code` leaves the pickup code as it is, where there is one; `renewal` also refuses to replace a record
   *   of another enrolment or password, or one that is sealed to a newer key of the assistant
   * @returns the new pickup code, to be shown once; `null` without one
   * @throws RoamingKeyError also `unsupported` for a record of another kind than the service keeps, `unknown_key`,
   *   `disabled`
   */
  async store(record: DeviceRecord, keep?: 'code' | 'renewal'): Promise<string | null> {
    const body = {
      record,
      ...(keep === 'code' && { keepCode: true }),
      ...(keep === 'renewal' && { onlyRenewal: true }),
    };
    return read(STORED, await this.#send('PUT', '/', body)).code;
  }

  /**
   * Finds out, before a key is made, whether the service would take its record.
   *
   * @param key the kind of key, where it is known
   * @throws RoamingKeyError also `unsupported`
   */
  async requireKind(scheme: string, key: string | undefined, kdf: KdfParameters): Promise<void> {
    const kind = read(PROFILE, await send(`${this.#url}/profile`, { credentials: 'omit' }, this.#transport));
    const differs =
      kind.scheme !== scheme
        ? 'scheme'
        : key !== undefined && kind.key !== key
          ? 'key'
          : (['t', 'm', 'p'] as const).find((cost) => kind.kdf[cost] !== kdf[cost]) && 'kdf';
    if (differs)
      throw new RoamingKeyError('unsupported', `the record service keeps records of another ${differs}`);
  }

  /** What is stored; `undefined` for nothing. */
  async stored(): Promise<KeptRecord | undefined> {
    return read(KEPT, await this.#send('GET', '/')).stored ?? undefined;
  }

  /**
   * Keeps the record of another key of the account: every session of the account can read it.
   *
   * @throws RoamingKeyError also `unsupported` for a record of another assistant, `unknown_key`, `disabled`
   */
  async storeOther(purpose: OtherPurpose, record: DeviceRecord): Promise<void> {
    await this.#send('PUT', '/others', { purpose, record });
  }

  /**
   * The records of the account's other keys, each checked as one that was picked up is: it names this assistant and a key that
   * the assistant publishes. One that fails is left out, and the rest comes.
   */
  async others(assistant: string): Promise<Partial<Record<OtherPurpose, DeviceRecord>>> {
    const { others } = read(OTHERS, await this.#send('GET', '/others'));
    if (OTHER_PURPOSES.every((purpose) => others[purpose] === undefined)) return {};
    const client = new AssistantClient(assistant, this.#transport);
    const keys = await client.keys();
    const found: Partial<Record<OtherPurpose, DeviceRecord>> = {};
    for (const purpose of OTHER_PURPOSES) {
      try {
        const record = parseRecord(others[purpose]);
        requireAssistant(record, client.url, keys);
        found[purpose] = record;
      } catch (error) {
        if (!isRoamingKeyError(error, 'bad_record')) throw error;
      }
    }
    return found;
  }

  /** Deletes the records, and the list of their fetches, for good. */
  async remove(): Promise<void> {
    await this.#send('DELETE', '/');
  }

  /**
   * When (in seconds since the epoch) and from where the record was fetched with the right code, or the others were read,
   * newest first.
   */
  async fetches(): Promise<readonly { readonly at: number; readonly address: string }[]> {
    return read(FETCHES, await this.#send('GET', '/fetches')).fetches;
  }

  /**
   * Brings a renewed ticket to the service, where what is kept there is of the same enrolment and password (`u`, `a` and
   * `salt`), and sealed to an older key of the assistant.
   *
   * @returns whether the service has this record now, as far as it says: an older one names no more than the assistant's key
   */
  async renew(record: DeviceRecord): Promise<boolean> {
    const kept = await this.stored();
    if (kept?.u !== record.u) return false;
    // An older service does not say what it keeps, and compares by itself.
    if (kept.of !== undefined && kept.of !== recordOrigin(record)) return false;
    if (kept.kid === record.assistant.jwk.kid) return true;
    try {
      await this.store(record, 'renewal');
      return true;
    } catch (error) {
      if (isRoamingKeyError(error, 'refused')) return false;
      throw error;
    }
  }

  #send(method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<HttpAnswer> {
    const { headers, credentials = 'same-origin' } = this.#options;
    return send(
      `${this.#url}${path}`,
      {
        method,
        ...(body && { body }),
        headers: typeof headers === 'function' ? headers() : headers,
        credentials,
      },
      this.#transport,
    );
  }
}

/**
 * Fetches a record and checks that it is the assistant's whom the caller names: by its URL, and by its key, which must be
 * among those that this assistant publishes. A swapped key would harvest what unlocks the record.
 *
 * @throws RoamingKeyError `bad_record`, `busy`, `unavailable`, `network`, `bad_response`
 * @throws TypeError where `records` or `assistant` are missing, or neither https nor on the loopback
 */
export async function pickUpRecord(
  { assistant, ...options }: PickupOptions & { readonly assistant: string },
  transport: TransportOptions,
): Promise<DeviceRecord> {
  const client = new AssistantClient(assistant, transport);
  const [record, keys] = await Promise.all([
    new RecordServiceClient(options, transport).fetch(options),
    client.keys(),
  ]);
  requireAssistant(record, client.url, keys);
  return record;
}

function requireAssistant(
  { assistant }: DeviceRecord,
  url: string,
  keys: readonly { readonly kid: string }[],
): void {
  if (readSecureUrl(assistant.url) !== url)
    throw new RoamingKeyError('bad_record', 'this device record belongs to another assistant');
  if (!keys.some(({ kid }) => kid === assistant.jwk.kid))
    throw new RoamingKeyError(
      'bad_record',
      'this device record names a key that its assistant does not publish',
    );
}

function read<S extends v.GenericSchema>(schema: S, { body }: HttpAnswer): v.InferOutput<S> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (!result.success)
    throw new RoamingKeyError('bad_response', 'the record service answered something else');
  return result.output;
}
