/** Where passwords come from: a file, the environment or the terminal, never an argument that others can see. */
import { CommandLineError } from './failure.ts';
import { readInput } from './files.ts';
import { note } from './output.ts';
import { promptSecret } from './prompt.ts';

/** The variables that passwords are taken from; no command that is started from here gets them. */
export const PASSWORD_VARIABLES = ['ROAMING_KEY_PASSWORD', 'ROAMING_KEY_NEW_PASSWORD'] as const;

const MAX_FILE = 4096;
/** NIST SP 800-63B-4 section 3.1.1.2: the fewest characters beside another factor. */
const SHORT = 8;

interface PasswordSource {
  readonly file: string | undefined;
  readonly variable: (typeof PASSWORD_VARIABLES)[number];
  readonly question: string;
  /** Ask twice: a mistyped new password cannot be corrected later. */
  readonly confirm: boolean;
}

/** The password of a record. */
export async function currentPassword(options: { readonly passwordFile?: string }): Promise<string> {
  return readPassword({
    file: options.passwordFile,
    variable: 'ROAMING_KEY_PASSWORD',
    question: 'Password: ',
    confirm: false,
  });
}

/** Asks for the password of a new record. */
export async function firstPassword(options: { readonly passwordFile?: string }): Promise<string> {
  return readPassword({
    file: options.passwordFile,
    variable: 'ROAMING_KEY_PASSWORD',
    question: 'New password: ',
    confirm: true,
  });
}

/** Asks for the password that replaces another. */
export async function nextPassword(options: { readonly newPasswordFile?: string }): Promise<string> {
  return readPassword({
    file: options.newPasswordFile,
    variable: 'ROAMING_KEY_NEW_PASSWORD',
    question: 'New password: ',
    confirm: true,
  });
}

/** The password of a record where it is given without a question; it leaves the environment. */
export async function passwordThatIsGiven(options: {
  readonly passwordFile?: string;
}): Promise<string | undefined> {
  if (options.passwordFile !== undefined) return firstLine(options.passwordFile);
  const { ROAMING_KEY_PASSWORD: given } = process.env;
  for (const name of PASSWORD_VARIABLES) delete process.env[name];
  return given || undefined;
}

/** A short password is accepted, and its owner should know what it is worth. */
export function warnIfShort(password: string, options: { readonly json?: boolean | undefined }): void {
  const { length } = Array.from(password);
  if (length < SHORT)
    note(
      `a password of ${length} characters is soon guessed by an attacker who has record and assistant: take a longer one`,
      options,
    );
}

async function readPassword({ file, variable, question, confirm }: PasswordSource): Promise<string> {
  if (file !== undefined) return firstLine(file);
  const given = process.env[variable];
  if (given !== undefined && given !== '') return given;
  const option = variable === 'ROAMING_KEY_PASSWORD' ? '--password-file' : '--new-password-file';
  const otherwise = `${option} or ${variable}`;
  const password = await promptSecret(question, otherwise);
  if (confirm && (await promptSecret('The same again: ', otherwise)) !== password) {
    throw new CommandLineError('usage', 'the two passwords differ');
  }
  return password;
}

async function firstLine(file: string): Promise<string> {
  const bytes = await readInput(file, { max: MAX_FILE });
  try {
    const [line = ''] = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split(/\r?\n/, 1);
    return line;
  } catch {
    throw new CommandLineError('bad_input', `${file} is not text in UTF-8`);
  } finally {
    bytes.fill(0);
  }
}
