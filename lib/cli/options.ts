/** Options that several commands share, each with one meaning. */
import { InvalidArgumentError, Option } from 'commander';

/** Where a device record is kept. */
export interface RecordOptions {
  readonly name?: string;
  readonly record?: string;
}

/** How an assistant is reached. */
export interface AssistantOptions {
  readonly assistant?: string;
  readonly timeout?: number;
}

export interface PasswordOptions {
  readonly passwordFile?: string;
}

/** The cost of a password guess. */
export interface KdfOptions {
  readonly kdfMemory?: number;
  readonly kdfPasses?: number;
  readonly kdfLanes?: number;
}

/** Where a result goes. */
export interface OutOptions {
  readonly out?: string;
  readonly force?: true;
}

/** Reads a whole number of a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is needed.`);
  };
}

/** Gathers an option that is given several times. */
export function gather(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** As {@link gather}, for some of a list. */
export function gatherOf(
  choices: readonly string[],
): (text: string, before?: readonly string[]) => readonly string[] {
  return (text, before) => {
    if (choices.includes(text)) return gather(text, before);
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
  };
}

export function recordOptions(
  name = 'the device record of this name among yours (default: "default")',
): Option[] {
  return [
    new Option('--name <name>', name).conflicts('record'),
    new Option('--record <file>', 'the device record in this file instead'),
  ];
}

export function assistantOption(
  description = 'refuse records of any other assistant, and keys it has not published',
): Option {
  return new Option('--assistant <url>', description).env('ROAMING_KEY_ASSISTANT');
}

export function timeoutOption(): Option {
  return new Option('--timeout <seconds>', 'how long to wait for an answer')
    .default(30)
    .argParser(wholeNumber(1, 600));
}

export function passwordOption(): Option {
  return new Option(
    '--password-file <file>',
    'take the password from the first line of a file or pipe (default: ROAMING_KEY_PASSWORD, else ask)',
  );
}

export function kdfOptions({ m, t, p } = { m: '65536', t: '3', p: '4' }): Option[] {
  return [
    new Option('--kdf-memory <KiB>', `memory of Argon2id, at least 19456 (default: ${m})`).argParser(
      wholeNumber(19_456, 1_048_576),
    ),
    new Option(
      '--kdf-passes <number>',
      `passes of Argon2id, at least 2 with little memory (default: ${t})`,
    ).argParser(wholeNumber(1, 64)),
    new Option('--kdf-lanes <number>', `lanes of Argon2id (default: ${p})`).argParser(wholeNumber(1, 16)),
  ];
}

/** The KDF parameters that were given. */
export function kdfOf({ kdfMemory, kdfPasses, kdfLanes }: KdfOptions): {
  m?: number;
  t?: number;
  p?: number;
} {
  return {
    ...(kdfMemory !== undefined && { m: kdfMemory }),
    ...(kdfPasses !== undefined && { t: kdfPasses }),
    ...(kdfLanes !== undefined && { p: kdfLanes }),
  };
}

export function outOptions(description: string): Option[] {
  return [new Option('--out <file>', description), forceOption()];
}

export function forceOption(description = 'replace files that are there already'): Option {
  return new Option('--force', description);
}
