/** Events as records for a log that is kept: flat, stable, without accounts' names and without errors' messages. */
import type { AssistantEvent } from '../assistant/events.ts';
import { wholeNumber } from '../base/options.ts';
import { type AddressedRequest, clientAddress } from '../limits/client-address.ts';
import type { Part } from '../observe/instrument.ts';
import type { RecordEvent } from '../roaming/events.ts';
import type { FeedEvent, RelyingPartyEvent } from '../strategy/events.ts';
import { type LeftOut, Thinned } from './thinned.ts';

/** Whatever may happen at an assistant, a relying party, its feed of disabled keys, or a record service. */
export type AuditEvent = AssistantEvent | RelyingPartyEvent | FeedEvent | RecordEvent;

/** How urgent a record is, as loggers call it. */
export type AuditLevel = 'debug' | 'info' | 'warn' | 'error';

/** What is left of an event in a log: docs/audit-event.schema.json says which members go with which type. */
export interface AuditRecord {
  readonly type: AuditEvent['type'] | 'requestFailed' | 'leftOut';
  /** Which server tells of it. */
  readonly part?: Part | 'feed';
  readonly [member: string]: string | number | boolean | null | undefined;
}

/** A logger in the manner of pino: the record first, then words. */
export type AuditLogger = Readonly<Record<AuditLevel, (record: AuditRecord, message: string) => void>>;

export interface AuditLogOptions {
  /**
   * Lines of one address in a minute: for refusals together, and for each other type tenfold. What is beyond is left out, and
   * counted in one line `leftOut` at the end of the minute. Default 60.
   */
  readonly linesPerMinute?: number;
  /** Whole seconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
}

interface Kind {
  readonly part: Part | 'feed';
  readonly level: AuditLevel;
  readonly message: string;
}

const assistant = (level: AuditLevel, message: string): Kind => ({ part: 'assistant', level, message });
const relyingParty = (level: AuditLevel, message: string): Kind => ({ part: 'relyingParty', level, message });
const feed = (level: AuditLevel, message: string): Kind => ({ part: 'feed', level, message });
const records = (level: AuditLevel, message: string): Kind => ({ part: 'records', level, message });

const KINDS: Readonly<Record<Exclude<AuditEvent['type'], 'unavailable'>, Kind>> = {
  assisted: assistant('info', 'help was given'),
  wrongPassword: assistant('warn', 'the password was wrong'),
  locked: assistant('warn', 'refused: too many wrong passwords'),
  busy: assistant('warn', 'refused: too many requests at a time'),
  replayed: assistant('warn', 'refused: the request was sent before'),
  refusedDisabled: assistant('warn', 'refused: the key is disabled'),
  refusedRetired: assistant('warn', 'refused: the ticket is retired'),
  refusedByPolicy: assistant('warn', "refused by the app's policy"),
  retired: assistant('info', 'a ticket was retired'),
  reissued: assistant('info', 'a ticket was reissued'),
  delayed: assistant('warn', 'delayed: too many new ids of the address'),
  disablingDelayed: assistant('warn', 'delayed: too many disablings of the address'),
  disabled: assistant('info', 'a key was disabled'),
  rejected: assistant('warn', 'refused: malformed, stale, foreign, or not by its device'),
  loggedIn: relyingParty('info', 'logged in'),
  loginRefused: relyingParty('warn', 'a login was refused'),
  registered: relyingParty('info', 'a key was registered'),
  registrationRefused: relyingParty('warn', 'a registration was refused'),
  sessionEnded: relyingParty('warn', 'a session was ended with its key'),
  feedRead: feed('debug', 'the list of disabled keys was read'),
  feedFailed: feed('warn', 'the list of disabled keys cannot be read'),
  stored: records('info', 'a record was stored'),
  fetched: records('info', 'a record was fetched'),
  othersFetched: records('info', 'records of other keys were given to a session'),
  limited: records('warn', 'refused: too many wrong fetches'),
  deleted: records('info', 'a record was deleted'),
  deletedDisabled: records('info', 'records of a disabled key were deleted'),
};

/** What may be written of an event as it is. An `account` is not among it, nor is anything that a later version adds. */
const MEMBERS = [
  'id',
  'jkt',
  'u',
  'op',
  'scheme',
  'code',
  'reason',
  'by',
  'kid',
  'attemptsLeft',
  'retryAt',
  'count',
  'renewed',
  'isNew',
  'isNewCode',
  'matched',
  'records',
  'entries',
  'address',
] as const;

/**
 * Makes a listener that writes every event as one record: to be given as `onEvent` to an assistant, a relying party, a
 * feed and a record service alike. `error` for what is unavailable, `warn` for wrong passwords and refusals, `debug`
 * for readings of the feed that succeeded, `info` for the rest. A client cannot flood the log: see `linesPerMinute`.
 *
 * @param logger pino's, or one with `debug`, `info`, `warn` and `error` that take an object and a text
 * @throws TypeError for a logger that lacks one of them
 * @example
 * assistant({ keys, store, onEvent: auditLog(pino()) });
 */
export function auditLog(logger: AuditLogger, options: AuditLogOptions = {}): (event: AuditEvent) => void {
  assertLogger(logger);
  const admits = thinner(logger, options);
  return (event) => {
    const { level, message } = kindOf(event);
    const { address, jkt, id, u } = event as Readonly<Record<string, string | undefined>>;
    if (admits(event.type, level, address, jkt ?? id ?? u)) logger[level](auditRecord(event), message);
  };
}

/** Types that any client can cause as often as it likes: a flood of one of them makes no room for the others. */
const REFUSALS: ReadonlySet<string> = new Set<AuditRecord['type']>([
  'busy',
  'delayed',
  'disablingDelayed',
  'rejected',
  'replayed',
  'refusedByPolicy',
  'loginRefused',
  'registrationRefused',
  'limited',
  'unavailable',
  'requestFailed',
]);
/** What is no refusal may be the whole office that logs in, or the attacker's trace: it gets more lines, each type its own. */
const MORE = 10;
/** Lines of a type about one key that no other key's can displace: what a thief did with a stolen key is seen. */
const OF_EACH_KEY = 10;

function thinner(logger: AuditLogger, { linesPerMinute = 60, now }: AuditLogOptions) {
  wholeNumber('linesPerMinute', linesPerMinute, 1);
  const onLeftOut = ({ address, types, count }: LeftOut) =>
    logger.warn({ type: 'leftOut', types: types.join(' '), count, address }, 'more lines were left out');
  const refusals = new Thinned({ limit: linesPerMinute, onLeftOut, now });
  const others = new Thinned({ limit: linesPerMinute * MORE, onLeftOut, now });
  const ofKeys = new Thinned({ limit: OF_EACH_KEY, now });
  return (
    type: AuditRecord['type'],
    level: AuditLevel,
    address: string | undefined,
    key?: string,
  ): boolean => {
    if (level === 'debug' || (address === undefined && level !== 'error')) return true;
    const place = address ?? 'unknown';
    if (key !== undefined && !REFUSALS.has(type) && ofKeys.admits(`${type} ${key}`, type, place)) return true;
    return REFUSALS.has(type) ? refusals.admits('', type, place) : others.admits(type, type, place);
  };
}

/**
 * Makes an `onError` that writes an error's name and code, and not its message and stack, which may quote what was
 * asked of a database. For `assistant`, `roamingRecords`, `login`, `challenge`, `registration` and `requireLiveKey`.
 *
 * The lines of one address are thinned as there.
 *
 * @throws TypeError as {@link auditLog}
 * @example
 * assistant({ keys, store, onEvent: auditLog(logger), onError: errorLog(logger) });
 */
export function errorLog(
  logger: AuditLogger,
  options: AuditLogOptions = {},
): (error: unknown, req?: object) => void {
  assertLogger(logger);
  const admits = thinner(logger, options);
  return (error, req) => {
    const address = req && 'ip' in req ? clientAddress(req as AddressedRequest) : undefined;
    if (!admits('requestFailed', 'error', address)) return;
    logger.error({ type: 'requestFailed', ...nameOf(error) }, 'a request was answered with an error of ours');
  };
}

/** The record that {@link auditLog} writes of an event; for logs of other shapes. */
export function auditRecord(event: AuditEvent): AuditRecord {
  const members = event as unknown as Readonly<Record<string, unknown>>;
  const present = MEMBERS.map((name) => [name, flat(members[name])]).filter(
    ([, value]) => value !== undefined,
  );
  return {
    type: event.type,
    part: 'part' in event ? event.part : kindOf(event).part,
    ...Object.fromEntries(present),
    ...(event.type === 'assisted' && {
      failedSinceCount: event.failedSince.count,
      failedSinceLast: event.failedSince.last,
      lastUsed: event.lastUsed,
    }),
    ...('error' in event && nameOf(event.error)),
  };
}

/** The level that {@link auditLog} writes an event at. */
export function auditLevel(event: AuditEvent): AuditLevel {
  return kindOf(event).level;
}

function kindOf(event: AuditEvent): Kind {
  if (event.type !== 'unavailable') return KINDS[event.type];
  return { part: event.part, level: 'error', message: 'no answer could be given' };
}

function flat(value: unknown): string | number | boolean | undefined {
  if (Array.isArray(value)) return value.join(' ');
  return ['string', 'number', 'boolean'].includes(typeof value) ? (value as string) : undefined;
}

/** Names and codes of errors are short words; what is longer is something else, and may be anything. */
const WORD = /^\w{1,40}$/;
const MAX_CAUSES = 8;

/** Of an error that was caused by another, the innermost: the others are this package's, and say no more. */
function nameOf(error: unknown): { readonly errorName: string; readonly errorCode?: string } {
  let innermost = error;
  for (let i = 0; i < MAX_CAUSES && causeOf(innermost) !== undefined; i++) innermost = causeOf(innermost);
  const { name, code } = (innermost ?? {}) as { name?: unknown; code?: unknown };
  const text = typeof code === 'number' ? `${code}` : code;
  return {
    errorName: typeof name === 'string' && WORD.test(name) ? name : 'Error',
    ...(typeof text === 'string' && WORD.test(text) && { errorCode: text }),
  };
}

function causeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as { cause?: unknown }).cause : undefined;
}

function assertLogger(logger: AuditLogger): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    if (typeof logger?.[level] !== 'function') throw new TypeError(`logger must have ${level}`);
  }
}
