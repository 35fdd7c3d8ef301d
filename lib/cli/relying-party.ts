import type { LoginTarget } from '../device/login-proof.ts';
import { CommandLineError } from './failure.ts';
import { readTextInput } from './files.ts';

const MAX_FILE = 16_384;
const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)$/;

/** Headers from a file of lines `Name: value`, so that cookies and tokens are no arguments that others can see. */
export async function readHeaders(file: string): Promise<Record<string, string>> {
  const text = await readTextInput(file, { max: MAX_FILE });
  const headers: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const [, name, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new CommandLineError('bad_input', `${file} has a line that is no header such as \`Cookie: …\``);
    }
    headers[name] = value;
  }
  return headers;
}

/** An app as options name it. */
export interface AppOptions {
  readonly url: string;
  readonly account: string;
  readonly audience?: string;
  readonly challengeUrl?: string;
  readonly headers?: string;
}

/** The app that options name, with its headers read. */
export async function relyingParty(options: AppOptions): Promise<LoginTarget> {
  const { url, account, audience, challengeUrl, headers } = options;
  return {
    url,
    account,
    ...(audience !== undefined && { audience }),
    ...(challengeUrl !== undefined && { challengeUrl }),
    ...(headers !== undefined && { headers: await readHeaders(headers) }),
  };
}
