import { toFailure } from './failure.ts';

/** What a command has to say: one JSON object, or text (or bytes) for people and pipes. */
export interface Outcome {
  /** Printed with `--json`. */
  readonly json: object;
  /** Printed without `--json`, unchanged: it includes its own line end. */
  readonly text: string | Uint8Array;
}

/** Writes to stdout and waits until it is written: a pipe takes less at a time than a file does. */
export async function print(data: string | Uint8Array): Promise<void> {
  await new Promise<void>((done, fail) => {
    process.stdout.write(data, (error) => (error ? fail(error) : done()));
  });
}

/** Tells a person something that is no result, on stderr; scripts that read JSON are spared. */
export function note(text: string, { json = false }: { readonly json?: boolean | undefined }): void {
  if (!json) process.stderr.write(`roaming-key: ${text}\n`);
}

/**
 * Says what is being done while it takes its time, where a person looks on: on stderr, if that is a terminal. The
 * line is gone afterwards.
 */
export async function working<T>(what: string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work();
  process.stderr.write(`${what} …`);
  try {
    return await work();
  } finally {
    process.stderr.write('\r\x1b[K');
  }
}

/**
 * Reports a failure on stderr.
 *
 * @returns the exit status that goes with it
 */
export function reportFailure(error: unknown, { json }: { readonly json: boolean }): number {
  const failure = toFailure(error);
  if (process.env['ROAMING_KEY_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.stderr.write(json ? `${JSON.stringify(failure)}\n` : `roaming-key: ${toText(error)}\n`);
  return failure.exitCode;
}

/** A failure in one line, with the tries that are left and the time from which another makes sense. */
export function toText(error: unknown): string {
  const { message, attemptsLeft, retryAt, code } = toFailure(error);
  return [
    message,
    ...(attemptsLeft === undefined || code !== 'wrong_password' ? [] : [tries(attemptsLeft)]),
    ...(retryAt === undefined || (attemptsLeft ?? 0) > 0 ? [] : [`try again at ${localTime(retryAt)}`]),
  ].join('; ');
}

/** Seconds since the epoch as people read them: in the time zone of this machine, with its distance to UTC. */
export function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19).replace('T', ' ');
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const two = (value: number) => `${value}`.padStart(2, '0');
  return `${local} ${minutes < 0 ? '-' : '+'}${two(hours)}:${two(rest)}`;
}

/** Lines of `name  value` with the values in one column. */
export function table(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function tries(count: number): string {
  if (count === 0) return 'no tries left';
  return count === 1 ? 'one try left before waits begin' : `${count} tries left before waits begin`;
}
