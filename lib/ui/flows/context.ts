/** What all flows of a page share: servers, records, texts. */
import { epochSeconds } from '../../base/clock.ts';
import {
  type Argon2id,
  type BrowserRecords,
  Device,
  type DeviceOptions,
  type DeviceRecord,
  type ErrorCode,
  indexedDbRecords,
  isRoamingKeyError,
  type KdfParameters,
  type Progress,
  type Records,
  RoamingKeyError,
} from '../../device/index.ts';
import { CORE_WORDS } from './english/core.ts';
import { type ExplainOptions, explain, type Notice } from './explain.ts';
import { Memory, type TextStore } from './memory.ts';
import { fill, type Values, type Words } from './words.ts';

/** Where the app answers; URLs, or paths on the page's origin. `roamingKeyPages` has all of them under `{mount}/api`. */
export interface AppRoutes {
  /** `login()`; its `/challenge` is beside it. */
  readonly login: string;
  /** `registration()` for new accounts. */
  readonly register?: string;
  /** `registration()` for another key of the account that is logged in. */
  readonly keys?: string;
  /** Who is logged in: `GET` → `Session`. */
  readonly session?: string;
  /** `POST` ends the session. */
  readonly logout?: string;
  /** `POST { account }` → `{ isName, isTaken }`. */
  readonly names?: string;
  /** `POST { account, jkt }` → `{ isKnown }`: whether this is a key of that account. */
  readonly known?: string;
  /** `POST { codes }` → `KilledKeys`: which of the app's keys a kit's code switches off. */
  readonly killed?: string;
  /** A record service. */
  readonly records?: string;
}

/** Purposes of keys. A key that logs in does nothing else. */
export type KeyPurpose = 'login' | 'sign' | 'notes';

/** A key as the app shows it to its owner. */
export interface SessionKey {
  readonly jkt: string;
  readonly kind: string;
  readonly purpose: KeyPurpose;
  readonly at?: number;
  readonly isDisabled: boolean;
  readonly isSuspended?: boolean;
}

/** Who is logged in, as the app says it. */
export interface Session {
  readonly account: string | null;
  /** The app's clock, in seconds. */
  readonly now: number;
  readonly since?: number;
  /** The key that opened the session. */
  readonly jkt?: string;
  /** Whether no key opened it, and the account may get one: none of its keys is good. */
  readonly needsKey?: boolean;
  readonly keys: readonly SessionKey[];
}

/** What every flow needs. */
export interface FlowOptions {
  /** The assistant's URL. No record may name another. */
  readonly assistant: string;
  readonly app: AppRoutes;
  /** Where keys are kept. Default: `indexedDbRecords()`. */
  readonly records?: Records & Partial<Pick<BrowserRecords, 'watch'>>;
  /** What users call the app. Default: its host. */
  readonly site?: string;
  /** BCP 47 language tag. Default `en`. */
  readonly locale?: string;
  /** Texts in place of the English ones. */
  readonly words?: Partial<Words>;
  /** Cost of a guess. Default: the package's. */
  readonly kdf?: Partial<Omit<KdfParameters, 'name'>>;
  /** More headers for requests to the app, such as a CSRF token. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  readonly argon2id?: Argon2id;
  /** Hears what the device is doing. */
  readonly onProgress?: (progress: Progress) => void;
  /** Where small facts are remembered. Default: `localStorage`. */
  readonly memory?: TextStore;
}

/** Options that were read, and what flows do with them. */
export class Context {
  readonly options: FlowOptions;
  readonly memory: Memory;
  readonly site: string;
  readonly locale: string;
  #words: Partial<Words>;
  readonly #fetch: typeof globalThis.fetch;
  #records: FlowOptions['records'];
  #asked: 'assistant' | 'app' = 'app';
  /** Milliseconds that this device's clock is behind the app's. */
  #behind = 0;
  #onProgress: ((progress: Progress) => void) | undefined;

  constructor(options: FlowOptions) {
    if (typeof options?.assistant !== 'string')
      throw new TypeError('assistant must be the URL of the assistant');
    if (typeof options.app?.login !== 'string') throw new TypeError('app.login must be the URL of the login');
    this.options = options;
    this.locale = options.locale ?? 'en';
    this.site = options.site ?? new URL(this.url('login')).host;
    this.memory = new Memory(options.memory);
    this.#words = { ...CORE_WORDS, ...options.words };
    const ask = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#fetch = async (input, init) => {
      const isAssistant = String(input instanceof Request ? input.url : input).startsWith(options.assistant);
      this.#asked = isAssistant ? 'assistant' : 'app';
      const response = await ask(input, init);
      const date = Date.parse(response.headers.get('date') ?? '');
      if (!isAssistant && !Number.isNaN(date)) this.#behind = date - Date.now();
      return response;
    };
  }

  get records(): NonNullable<FlowOptions['records']> {
    this.#records ??= this.options.records ?? indexedDbRecords();
    return this.#records;
  }

  /** Adds the English texts of one flow; those that the app has replaced stay. */
  learn(words: Partial<Words>): void {
    this.#words = { ...words, ...this.#words };
  }

  /** A text. */
  say(key: keyof Words, values?: Values): string {
    return fill(this.#words[key] ?? key, { site: this.site, ...values }, this.locale);
  }

  /** What to show for an error; waits are in this device's time. */
  explain(error: unknown, refused: ExplainOptions['refused'] = 'session'): Notice {
    const { locale, site } = this;
    const notice = explain(error, { locale, site, words: this.#words, server: this.#asked, refused });
    return notice.until === undefined
      ? notice
      : { ...notice, until: notice.until - Math.round(this.#behind / 1000) };
  }

  /** A message in the app's words. */
  notice(tone: Notice['tone'], title: keyof Words, text?: keyof Words, values?: Values): Notice {
    return { tone, title: this.say(title, values), ...(text && { text: this.say(text, values) }) };
  }

  /** Seconds that this device's clock is behind the app's. */
  get behind(): number {
    return this.#behind / 1000;
  }

  /** `today, 18:03`, `yesterday, 18:03`, `12 May 2027, 18:03`. */
  when(seconds: number): string {
    const date = new Date(seconds * 1000);
    const time = date.toLocaleTimeString(this.locale, {
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    const midnight = (of: Date) => Date.UTC(of.getFullYear(), of.getMonth(), of.getDate());
    const days = Math.round((midnight(date) - midnight(new Date())) / 86_400_000);
    const day =
      days >= -1 && days <= 0
        ? new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto' }).format(days, 'day')
        : date.toLocaleDateString(this.locale, { dateStyle: 'medium' });
    return `${day}, ${time}`;
  }

  /** The absolute URL of a route. */
  url(route: keyof AppRoutes): string {
    const path = this.options.app[route];
    if (path === undefined) throw new TypeError(`app.${route} must be given`);
    return new URL(path, globalThis.location?.href).href;
  }

  has(route: keyof AppRoutes): boolean {
    return this.options.app[route] !== undefined;
  }

  /**
   * Asks the app.
   *
   * @throws RoamingKeyError
   */
  async ask<T>(route: keyof AppRoutes, body?: object): Promise<T> {
    const url = this.url(route);
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(url, {
        method: body ? 'POST' : 'GET',
        headers: {
          accept: 'application/json',
          ...(body && { 'content-type': 'application/json' }),
          ...this.options.headers,
        },
        ...(body && { body: JSON.stringify(body) }),
        credentials: 'same-origin',
        signal: AbortSignal.timeout(20_000),
      });
      text = await response.text();
    } catch (cause) {
      const isOffline = globalThis.navigator?.onLine === false;
      throw new RoamingKeyError('network', isOffline ? 'this device is offline' : `no answer from ${url}`, {
        cause,
      });
    }
    const value = parse(text);
    if (response.ok) return value as T;
    const { code, title } = (value ?? {}) as { code?: ErrorCode; title?: string };
    throw new RoamingKeyError(code ?? 'unavailable', title ?? `the app answered ${response.status}`, {
      status: response.status,
    });
  }

  /** Who is logged in; absent where the app has no such route. */
  async session(): Promise<Session> {
    if (!this.has('session')) return { account: null, now: epochSeconds(), keys: [] };
    return this.ask<Session>('session');
  }

  /** Sends `onProgress` to a flow while it is at work. */
  watchProgress(onProgress: ((progress: { text: string; done?: number }) => void) | undefined): void {
    this.#onProgress =
      onProgress &&
      ((progress) =>
        onProgress({
          text: this.say(`phase.${progress.phase}`),
          ...(progress.done !== undefined && { done: progress.done }),
        }));
  }

  /** What every call to the device client is given. */
  get transport() {
    const { assistant, kdf, argon2id } = this.options;
    return {
      assistant,
      fetch: this.#fetch,
      onProgress: (progress: Progress) => {
        this.options.onProgress?.(progress);
        this.#onProgress?.(progress);
      },
      ...(kdf && { kdf }),
      ...(argon2id && { argon2id }),
    };
  }

  /** Where a proof goes. */
  party(route: 'login' | 'register' | 'keys', account: string) {
    const { headers } = this.options;
    return { url: this.url(route), account, ...(headers && { headers: { ...headers } }) };
  }

  /** The record service, as devices are given it. */
  get roam() {
    const { headers } = this.options;
    return { records: this.url('records'), ...(headers && { headers: { ...headers } }) };
  }

  deviceOptions(purpose: KeyPurpose = 'login'): Omit<DeviceOptions, 'save' | 'load'> & { assistant: string } {
    const { kdf: _kdf, ...transport } = this.transport;
    const roam = purpose === 'login' && this.has('records') ? { roam: this.roam } : {};
    return {
      ...transport,
      ...roam,
      ...(purpose !== 'login' && { purposes: purpose === 'sign' ? ['sign'] : [] }),
    };
  }

  /** The record that is kept here; `undefined` for none. */
  async recordHere(account: string, purpose: KeyPurpose = 'login'): Promise<DeviceRecord | undefined> {
    return this.records.load(recordName(purpose, account));
  }

  async open(account: string, purpose: KeyPurpose = 'login'): Promise<Device> {
    return Device.open(this.records, recordName(purpose, account), this.deviceOptions(purpose));
  }

  deviceOn(record: DeviceRecord, purpose: KeyPurpose = 'login'): Device {
    return new Device(record, this.deviceOptions(purpose));
  }

  /** Accounts that have a key here; none where the browser keeps nothing. */
  async accountsHere(purpose: KeyPurpose = 'login'): Promise<string[]> {
    try {
      const names = await this.records.list();
      return names
        .filter((name) => name.startsWith(`${purpose}:`))
        .map((name) => name.slice(purpose.length + 1));
    } catch (error) {
      if (isRoamingKeyError(error)) return [];
      throw error;
    }
  }
}

/** The name under which a record is kept. */
export function recordName(purpose: KeyPurpose, account: string): string {
  return `${purpose}:${account}`;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
