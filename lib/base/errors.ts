/**
 * The one table from error code to HTTP status (docs/protocol.md section 10).
 * The codes below the line never travel: they are the device's own findings.
 */
const STATUS = {
  invalid_request: 400,
  unknown_key: 400,
  bad_ticket: 400,
  stale_request: 400,
  replayed: 400,
  unsupported: 400,
  bad_mac: 401,
  wrong_password: 401,
  disabled: 403,
  retired: 403,
  refused: 403,
  suspended: 403,
  locked: 429,
  busy: 429,
  unavailable: 503,
} as const;

const DEVICE_ONLY = [
  'bad_record',
  'bad_kit',
  'wrong_assistant',
  'bad_key',
  'bad_password',
  'bad_response',
  'not_unlocked',
  'network',
] as const;

/** A code that the servers send and that the client throws again under the same name. */
export type WireErrorCode = keyof typeof STATUS;

/**
 * What went wrong, as a stable name that an app may branch on.
 *
 * On the wire (status in brackets): `invalid_request` (400), `unknown_key` (400), `bad_ticket` (400),
 * `stale_request` (400), `replayed` (400), `unsupported` (400), `bad_mac` (401), `wrong_password` (401),
 * `disabled` (403), `retired` (403), `refused` (403), `suspended` (403), `locked` (429), `busy` (429), `unavailable` (503).
 *
 * On the device only: `bad_record` (damaged, of another version or assistant, weak parameters),
 * `bad_kit` (damaged kit or mistyped code), `wrong_assistant` (the code of a key at another assistant), `bad_key` (a private key that cannot be protected),
 * `bad_password` (characters no password may have), `bad_response` (a server's answer is not genuine or is wrong),
 * `not_unlocked` (a key is needed and no password was given), `network` (no answer at all).
 */
export type ErrorCode = WireErrorCode | (typeof DEVICE_ONLY)[number];

/** What an error may tell besides its code; times are whole seconds since the epoch. */
export interface RoamingKeyErrorOptions {
  /** What caused it; never shown to a peer. */
  readonly cause?: unknown;
  /** When it is worth trying again, in seconds since the epoch. */
  readonly retryAt?: number;
  /** Wrong passwords that are still answered at once. */
  readonly attemptsLeft?: number;
  /** HTTP status where it differs from the table, as for a body that is too large (413). */
  readonly status?: number;
  /** The server's answer under the key that only the asking device knows: a compact JWE. */
  readonly response?: string;
  /** Why, in a word, for the server's own log; never sent to a peer. */
  readonly reason?: string;
  /** A sentence that the app wants its user to read: it travels, with `refused` alone, as RFC 9457's `detail`. */
  readonly detail?: string;
}

/**
 * The one error family of this package, on servers and on devices.
 * Programmers' mistakes are `TypeError` and `RangeError` instead.
 *
 * @example
 * try { await device.unlock(password) }
 * catch (e) { if (isRoamingKeyError(e, 'wrong_password')) show(`${e.attemptsLeft} tries left`) }
 */
export class RoamingKeyError extends Error {
  override readonly name = 'RoamingKeyError';
  /** A stable name for what went wrong. */
  readonly code: ErrorCode;
  /** The HTTP status that goes with the code; 0 for codes that only devices have. */
  readonly status: number;
  /** When it is worth trying again, in seconds since the epoch. */
  readonly retryAt: number | undefined;
  /** Wrong passwords that are still answered at once. */
  readonly attemptsLeft: number | undefined;
  /** The answer sealed to the asking device, where there is one. */
  readonly response: string | undefined;
  /** Why, in a word, for the server's own log. */
  readonly reason: string | undefined;
  /** A sentence of the app for its user. */
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, options: RoamingKeyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? (isWireErrorCode(code) ? STATUS[code] : 0);
    this.retryAt = options.retryAt;
    this.attemptsLeft = options.attemptsLeft;
    this.response = options.response;
    this.reason = options.reason;
    this.detail = options.detail;
  }
}

/** Whether a value is one of the codes that travel. */
export function isWireErrorCode(code: unknown): code is WireErrorCode {
  return typeof code === 'string' && Object.hasOwn(STATUS, code);
}

/** Whether `error` is of this package's family and, where codes are named, bears one of them. */
export function isRoamingKeyError(error: unknown, ...codes: ErrorCode[]): error is RoamingKeyError {
  return error instanceof RoamingKeyError && (codes.length === 0 || codes.includes(error.code));
}
