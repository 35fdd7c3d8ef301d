import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import { randomBytes } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { checkFunction, checkFunctions, checkOptions, wholeNumber, wrongOption } from '../base/options.ts';
import { isLoopback, parseUrl } from '../base/url.ts';
import { declaresJson } from '../http/json-body.ts';
import { clientAddress } from '../limits/client-address.ts';
import { type Instrument, type Observe, observed, observer, storeSteps } from '../observe/instrument.ts';
import { safeListener } from '../observe/listeners.ts';
import type { Store } from '../store/store.ts';
import type { RelyingPartyEvent, RelyingPartyListener } from './events.ts';
import type { RegisteredKey } from './registered-key.ts';

/** A secret of at least 32 bytes; a string counts as its UTF-8 bytes. */
export type Secret = string | Uint8Array;

/** What login, challenge and registration of one relying party have in common; give all of them the same object. */
export interface RelyingPartyOptions {
  /** The app's origin as its users see it, like `https://app.example`. Proofs are for this origin and no other. */
  readonly audience: string;
  /** Makes challenges. Of several the first makes and all verify, so that a secret can be replaced. */
  readonly secret: Secret | readonly Secret[];
  /**
   * Remembers which challenges were used, and counts for pages; shared by all processes of the app.
   */
  readonly store: Pick<Store, 'claimOnce'> & Partial<Pick<Store, 'isDisabled' | 'count'>>;
  /**
   * The keys of an account as `mergeKey` made them, disabled and removed ones included; none for an unknown account.
   * `account` is unverified text of the client: 1 to 256 characters, none of them control characters.
   */
  readonly keysOf: (
    account: string,
  ) => readonly RegisteredKey[] | undefined | Promise<readonly RegisteredKey[] | undefined>;
  /**
   * Changes the stored keys of an account, in one transaction: reads them, calls `change`, writes what it returns. With it
   * a key outgrows its voucher at a login; without it only `confirmKey` removes a voucher.
   */
  readonly updateKeys?: (
    account: string,
    change: (keys: readonly RegisteredKey[]) => RegisteredKey[],
  ) => unknown;
  /**
   * For how long the key that opened a session vouches for keys that are registered in it, in seconds; 0: not at all.
   * Default 30 days.
   */
  readonly vouchFor?: number;
  /**
   * Says which keys are disabled: a `disabledFeed`. Default: `store`, where it is shared with the assistant. `refresh` learns
   * all that is public by now: pages call it before they name an account.
   */
  readonly disabled?: Pick<Store, 'isDisabled'> & { refresh?(): Promise<unknown> };
  /** Origins whose pages may send proofs. Default: `audience` alone. */
  readonly allowedOrigins?: readonly string[];
  /** How long a challenge may be used, in seconds, from 10 to 600. Default 120. */
  readonly challengeSeconds?: number;
  /**
   * Whether `requireLiveKey` and `registration` accept users whose session no key opened, but a password or an
   * invitation. Default `refuse`, since a session whose key was not remembered looks the same.
   */
  readonly withoutKey?: 'allow' | 'refuse';
  /** Hears what happens; never gets an account's name or a secret. */
  readonly onEvent?: RelyingPartyListener;
  /** Runs every step, for metrics and traces; never gets a secret. */
  readonly instrument?: Instrument;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
  /** `length` unpredictable bytes. Default: the platform's generator. */
  readonly random?: (length: number) => Uint8Array;
}

/** The same, checked and complete. */
export interface RelyingParty {
  readonly audience: string;
  readonly secrets: readonly [Uint8Array, ...Uint8Array[]];
  readonly store: Pick<Store, 'claimOnce'>;
  readonly keysOf: RelyingPartyOptions['keysOf'];
  readonly updateKeys: RelyingPartyOptions['updateKeys'];
  readonly vouchFor: number;
  readonly disabled: Pick<Store, 'isDisabled'>;
  readonly allowedOrigins: readonly string[];
  readonly challengeSeconds: number;
  readonly withoutKey: 'allow' | 'refuse';
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
  /** Tells the app of an event and where its request came from; absent without a listener. */
  readonly tell: ((event: RelyingPartyEvent, req: Pick<Request, 'ip'>) => void) | undefined;
  readonly observe: Observe;
  /** Warns the operator, once, that devices make proofs for another origin. */
  readonly noteAudience: (claimed: string) => void;
}

const MIN_SECRET_BYTES = 32;
/** Seconds: 30 days. */
const VOUCH_FOR = 2_592_000;
const CLAIM_STEPS = storeSteps('relyingParty', 'claimOnce');
const DISABLED_STEPS = storeSteps('relyingParty', 'isDisabled');

/**
 * Checks the options of a relying party and fills in defaults.
 *
 * @throws TypeError naming the option that is missing or wrong
 */
export function relyingParty(options: RelyingPartyOptions): RelyingParty {
  checkOptions(options, KNOWN_OPTIONS);
  const { store, keysOf, updateKeys, vouchFor = VOUCH_FOR } = options;
  const { challengeSeconds = 120, now = epochSeconds, random = randomBytes } = options;
  if (!isOrigin(options.audience))
    throw new TypeError(
      `audience must be an origin like https://app.example (http only on loopback), got ${options.audience}`,
    );
  if (typeof store?.claimOnce !== 'function') throw wrongOption('store', 'a Store, with claimOnce', store);
  checkFunctions(options, ['updateKeys', 'onEvent']);
  wholeNumber('vouchFor', vouchFor, 0);
  checkFunction('keysOf', keysOf);
  const disabled = options.disabled ?? store;
  if (!canTellDisabled(disabled))
    throw wrongOption('disabled', 'a store or feed, with isDisabled, since store has none', options.disabled);
  const allowedOrigins = [...(options.allowedOrigins ?? [options.audience])];
  if (!allowedOrigins.every(isOrigin))
    throw new TypeError(`allowedOrigins must be origins, got ${String(allowedOrigins)}`);
  wholeNumber('challengeSeconds', challengeSeconds, 10, 600);
  const { withoutKey = 'refuse' } = options;
  if (withoutKey !== 'allow' && withoutKey !== 'refuse')
    throw new TypeError(`withoutKey must be 'allow' or 'refuse', got ${JSON.stringify(withoutKey)}`);
  const observe = observer(options.instrument);
  return {
    audience: options.audience,
    secrets: readSecrets(options.secret),
    store: observed(store, CLAIM_STEPS, observe),
    keysOf,
    updateKeys,
    vouchFor,
    disabled: observed(disabled, DISABLED_STEPS, observe),
    allowedOrigins,
    challengeSeconds,
    withoutKey,
    now,
    random,
    tell: teller(options.onEvent),
    observe,
    noteAudience: once((claimed) =>
      process.emitWarning(
        `proofs are made for ${claimed}, but audience is ${options.audience}: set audience to the origin that users see`,
        { code: 'ROAMING_KEY_AUDIENCE' },
      ),
    ),
  };
}

/** Calls with the first origin and ignores what follows: strangers choose what they claim. */
function once(warn: (origin: string) => void): (claimed: string) => void {
  let isDone = false;
  return (claimed) => {
    if (isDone || !isOrigin(claimed)) return;
    isDone = true;
    warn(claimed);
  };
}

/** Options of everything that takes a relying party's: apps give one object to all. */
const KNOWN_OPTIONS = {
  audience: true,
  secret: true,
  store: true,
  keysOf: true,
  updateKeys: true,
  vouchFor: true,
  disabled: true,
  allowedOrigins: true,
  challengeSeconds: true,
  withoutKey: true,
  onEvent: true,
  instrument: true,
  now: true,
  random: true,
  passReqToCallback: true,
  account: true,
  save: true,
  onEnded: true,
  onError: true,
  /** Ignored: configurations of before still start. */
  perMinute: true,
} as const;

function teller(onEvent: RelyingPartyListener | undefined): RelyingParty['tell'] {
  if (onEvent === undefined) return undefined;
  const listener = safeListener(onEvent);
  return (event, req) => listener({ ...event, address: clientAddress(req) });
}

/**
 * Refuses requests that a page of another origin may have sent on its own: bodies of other types than JSON (a page needs
 * this server's consent to send JSON), and those that name an origin that is not allowed.
 *
 * @throws RoamingKeyError `invalid_request` (another type) or `refused` (another origin)
 */
export function assertOwnPage(rp: RelyingParty, req: IncomingMessage): void {
  if (!declaresJson(req))
    throw new RoamingKeyError('invalid_request', 'the body must be application/json', { reason: 'type' });
  const { origin } = req.headers;
  if (origin !== undefined && !rp.allowedOrigins.includes(origin))
    throw new RoamingKeyError('refused', 'the request comes from a page of another origin', {
      reason: 'origin',
    });
}

function isOrigin(text: unknown): boolean {
  const url = typeof text === 'string' ? parseUrl(text) : undefined;
  if (!url) return false;
  const { origin, protocol, hostname } = url;
  return origin === text && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
}

function readSecrets(secret: RelyingPartyOptions['secret']): RelyingParty['secrets'] {
  const given: readonly unknown[] = Array.isArray(secret) ? secret : [secret];
  const [first, ...others] = given.map((one) => {
    const bytes =
      typeof one === 'string'
        ? new TextEncoder().encode(one)
        : one instanceof Uint8Array
          ? one.slice()
          : undefined;
    if (!bytes)
      throw new TypeError(
        'secret is missing: make one with `openssl rand -base64 32` and keep it, in the environment for example',
      );
    if (bytes.length < MIN_SECRET_BYTES)
      throw new TypeError(`secret must have at least ${MIN_SECRET_BYTES} bytes, got ${bytes.length}`);
    return bytes;
  });
  if (!first) throw new TypeError('secret must not be empty');
  return [first, ...others];
}

function canTellDisabled(value: Partial<Pick<Store, 'isDisabled'>>): value is Pick<Store, 'isDisabled'> {
  return typeof value.isDisabled === 'function';
}
