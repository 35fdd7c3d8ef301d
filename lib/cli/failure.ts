import { type ErrorCode, isRoamingKeyError } from '../base/errors.ts';

/** What goes wrong on a command line alone, beside the codes of the library. */
export type CommandLineCode =
  | 'usage'
  | 'bad_input'
  | 'exists'
  | 'not_found'
  | 'io'
  | 'interrupted'
  | 'unexpected';

/** A failure of the command line itself. Its message is shown as it is and never holds a secret. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError';
  readonly code: CommandLineCode;

  constructor(code: CommandLineCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** What to throw where an optional package cannot be loaded: what needs it, and what to install; else the error as it is. */
export function missingPeer(name: string, whatNeeds: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes(`'${name}'`)) throw error;
    throw new CommandLineError('not_found', `${whatNeeds} the package ${name}: npm install ${name}`, error);
  };
}

/** What each exit status means; part of the interface, never renumbered. */
export const EXIT_STATUS: readonly (readonly [status: number, meaning: string])[] = [
  [0, 'success'],
  [1, 'an unexpected error (set ROAMING_KEY_DEBUG=1 to see where)'],
  [2, 'the command line is wrong, or there is no password and no terminal to ask on'],
  [3, 'the password is wrong, or has characters that no password may have'],
  [4, 'too many wrong passwords, or too many requests: try again later'],
  [5, 'the key is disabled, or its record retired: for good'],
  [6, 'no answer from the network, the assistant, the app or the store'],
  [7, 'a record, kit, code, key or other input is damaged, or not what it should be'],
  [8, 'the assistant or the app refused, or it or the key does not offer what was asked for'],
  [9, 'an answer that is not genuine: take what you asked for as not done'],
  [10, 'a file, record, id or port is missing, in use, not permitted, or already there (see --force)'],
  [130, 'interrupted while asking for a password'],
];

const EXIT_OF: Readonly<Record<ErrorCode | CommandLineCode, number>> = {
  unexpected: 1,
  usage: 2,
  wrong_password: 3,
  bad_password: 3,
  not_unlocked: 3,
  locked: 4,
  busy: 4,
  disabled: 5,
  retired: 5,
  network: 6,
  unavailable: 6,
  bad_record: 7,
  bad_kit: 7,
  wrong_assistant: 7,
  bad_key: 7,
  bad_input: 7,
  invalid_request: 7,
  refused: 8,
  suspended: 8,
  unsupported: 8,
  unknown_key: 8,
  bad_ticket: 8,
  stale_request: 8,
  replayed: 8,
  bad_mac: 8,
  bad_response: 9,
  exists: 10,
  not_found: 10,
  io: 10,
  interrupted: 130,
};

/** A failure as it is reported: on stderr as JSON with `--json`, as a line of text without. */
export interface Failure {
  /** A stable name: one of the library's codes, or of the command line's own. */
  readonly code: ErrorCode | CommandLineCode;
  readonly message: string;
  readonly exitCode: number;
  /** Wrong passwords that are still answered at once. */
  readonly attemptsLeft?: number;
  /** When it is worth trying again, in seconds since the epoch. */
  readonly retryAt?: number;
}

/** Turns a thrown value into a report. An unexpected error gives its name only: its message may quote secrets. */
export function toFailure(error: unknown): Failure {
  if (error instanceof CommandLineError) return failure(error.code, error.message);
  if (isRoamingKeyError(error)) {
    const { attemptsLeft, retryAt } = error;
    return {
      ...failure(error.code, error.message),
      ...(attemptsLeft !== undefined && { attemptsLeft }),
      ...(retryAt !== undefined && { retryAt }),
    };
  }
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return ofSystem(code, error as NodeJS.ErrnoException);
  // The library answers options that make no sense with these, and names the option.
  if (error instanceof TypeError || error instanceof RangeError) return failure('usage', message);
  return failure('unexpected', `unexpected error: ${name ?? typeof error}`);
}

function failure(code: Failure['code'], message: string): Failure {
  return { code, message, exitCode: EXIT_OF[code] };
}

/** What Node says of a failed call of the operating system. */
interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'not permitted (EACCES)',
  EPERM: 'not permitted (EPERM)',
  EROFS: 'the file system is read-only (EROFS)',
  ENOSPC: 'no space left on the device (ENOSPC)',
  EDQUOT: 'the quota is used up (EDQUOT)',
  EISDIR: 'this is a folder (EISDIR)',
  ENOTDIR: 'a part of the path is not a folder (ENOTDIR)',
  EADDRNOTAVAIL: 'this machine does not have the address (EADDRNOTAVAIL)',
};

const NO_CONNECTION = /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|EPIPE)/;

function ofSystem(code: string, { path, syscall, address, port }: SystemError): Failure {
  const where = path ?? 'a file';
  if (code === 'ENOENT') return failure('not_found', `${where}: there is no such file or folder`);
  if (code === 'EEXIST') return failure('exists', `${where} exists already`);
  if (syscall === 'listen') {
    const at = port === undefined ? `${address}` : `${address}:${port}`;
    if (code === 'EADDRINUSE')
      return failure('exists', `another process listens at ${at}: choose another port`);
    return failure('io', `cannot listen at ${at}: ${REASONS[code] ?? code}`);
  }
  if (NO_CONNECTION.test(code)) return failure('network', `no connection (${code})`);
  if (/^E[A-Z0-9]+$/.test(code))
    return failure('io', `${path === undefined ? '' : `${path}: `}${REASONS[code] ?? code}`);
  return failure('unexpected', `unexpected error: ${code}`);
}
