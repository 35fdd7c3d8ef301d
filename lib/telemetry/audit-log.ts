/** Events as records for a log that is kept: flat, stable, without accounts' names and without errors' messages. */
import type { AssistantEvent } from '../assistant/events.ts';
import type { Part } from '../observe/instrument.ts';
import type { RecordEvent } from '../roaming/events.ts';
import type { FeedEvent, RelyingPartyEvent } from '../strategy/events.ts';

/** Whatever may happen at an assistant, a relying party, its feed of disabled keys, or a record service. */
export type AuditEvent = AssistantEvent | RelyingPartyEvent | FeedEvent | RecordEvent;

/** How urgent a record is, as loggers call it. */
export type AuditLevel = 'debug' | 'info' | 'warn' | 'error';

/** What is left of an event in a log: docs/audit-event.schema.json says which members go with which type. */
export interface AuditRecord {
  readonly type: AuditEvent['type'] | 'requestFailed';
  /** Which server tells of it. */
  readonly part?: Part | 'feed';
  readonly [member: string]: string | number | boolean | null | undefined;
}

/** A logger in the manner of pino: the record first, then words. */
export type AuditLogger = Readonly<Record<AuditLevel, (record: AuditRecord, message: string) => void>>;

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
  rejected: assistant('warn', 'refused: malformed, stale, or not by its device'),
  loggedIn: relyingParty('info', 'logged in'),
  loginRefused: relyingParty('warn', 'a login was refused'),
  registered: relyingParty('info', 'a key was registered'),
  registrationRefused: relyingParty('warn', 'a registration was refused'),
  sessionEnded: relyingParty('warn', 'a session was ended with its key'),
  feedRead: feed('debug', 'the list of disabled keys was read'),
  feedFailed: feed('warn', 'the list of disabled keys cannot be read'),
  stored: records('info', 'a record was stored'),
  fetched: records('info', 'a record was fetched'),
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
 * for readings of the feed that succeeded, `info` for the rest.
 *
 * @param logger pino's, or one with `debug`, `info`, `warn` and `error` that take an object and a text
 * @throws TypeError for a logger that lacks one of them
 * @example
 * assistant({ keys, store, onEvent: auditLog(pino()) });
 */
export function auditLog(logger: AuditLogger): (event: AuditEvent) => void {
  assertLogger(logger);
  return (event) => {
    const { level, message } = kindOf(event);
    logger[level](auditRecord(event), message);
  };
}

/**
 * Makes an `onError` that writes an error's name and code, and not its message and stack, which may quote what was
 * asked of a database. For `assistant`, `roamingRecords`, `login`, `challenge`, `registration` and `requireLiveKey`.
 *
 * @throws TypeError as {@link auditLog}
 * @example
 * assistant({ keys, store, onEvent: auditLog(logger), onError: errorLog(logger) });
 */
export function errorLog(logger: AuditLogger): (error: unknown) => void {
  assertLogger(logger);
  return (error) =>
    logger.error({ type: 'requestFailed', ...nameOf(error) }, 'a request was answered with an error of ours');
}

/** The record that {@link auditLog} writes of an event; for logs of other shapes. */
export function auditRecord(event: AuditEvent): AuditRecord {
  const members = event as unknown as Readonly<Record<string, unknown>>;
  const present = MEMBERS.map((name) => [name, flat(members[name])]).filter(
    ([, value]) => value !== undefined,
  );
  return {
    type: event.type,
    part: kindOf(event).part,
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
