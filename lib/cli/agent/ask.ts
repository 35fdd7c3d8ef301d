/** Asking the user from a process that may have no terminal: SSH_ASKPASS, pinentry, or the terminal. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { CommandLineError } from '../failure.ts';
import { PASSWORD_VARIABLES } from '../password.ts';
import { promptLine, promptSecret } from '../prompt.ts';

export interface Asker {
  /** The program that asks, for the user to know. */
  readonly program: string;
  /** @throws CommandLineError `interrupted` where the user declines */
  secret(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
}

const PINENTRIES = ['pinentry', 'pinentry-mac'];
/** In characters; pinentry says a few lines besides. */
const MAX_ANSWER = 16_384;
/** How long a question stays, in milliseconds. */
const PATIENCE = 300_000;

/**
 * Chooses what asks: `SSH_ASKPASS` where a display, or `SSH_ASKPASS_REQUIRE`, says that it works; pinentry where there is
 * one; else the terminal.
 *
 * @param hasTerminal whether the terminal may be used
 */
export async function chooseAsker({ hasTerminal }: { readonly hasTerminal: boolean }): Promise<Asker> {
  const { SSH_ASKPASS, SSH_ASKPASS_REQUIRE = '', DISPLAY, WAYLAND_DISPLAY } = process.env;
  const hasDisplay = Boolean(DISPLAY || WAYLAND_DISPLAY) || process.platform === 'darwin';
  const isWanted = ['force', 'prefer'].includes(SSH_ASKPASS_REQUIRE) || hasDisplay || !hasTerminal;
  if (SSH_ASKPASS && SSH_ASKPASS_REQUIRE !== 'never' && isWanted) return askpass(SSH_ASKPASS);
  const pinentry = hasDisplay || !hasTerminal ? await findPinentry() : undefined;
  if (pinentry !== undefined) return pinentryAsker(pinentry);
  if (hasTerminal) return TERMINAL;
  return NOTHING;
}

/** One question at a time: stacked dialogs cannot be distinguished. */
export function inTurn(asker: Asker): Asker {
  let last: Promise<unknown> = Promise.resolve();
  const after = <T>(ask: () => Promise<T>): Promise<T> => {
    const asked = last.then(ask, ask);
    last = asked.catch(() => {});
    return asked;
  };
  return {
    program: asker.program,
    secret: (question) => after(() => asker.secret(question)),
    confirm: (question) => after(() => asker.confirm(question)),
  };
}

const TERMINAL: Asker = {
  program: 'this terminal',
  secret: (question) => promptSecret(`${question}: `, 'SSH_ASKPASS'),
  confirm: async (question) => /^y(es)?$/i.test(await promptLine(`${question} [yes/no] `, 'SSH_ASKPASS')),
};

const NOTHING: Asker = {
  program: 'nothing (set SSH_ASKPASS, or install pinentry)',
  secret: async () => {
    throw new CommandLineError('usage', 'no way to ask for a password: set SSH_ASKPASS, or install pinentry');
  },
  confirm: async () => false,
};

function askpass(program: string): Asker {
  return {
    program,
    async secret(question) {
      const answer = await run(program, [`${question}: `]);
      if (answer === undefined) throw declined();
      return answer.split(/\r?\n/, 1)[0] as string;
    },
    confirm: async (question) =>
      (await run(program, [question], { env: { SSH_ASKPASS_PROMPT: 'confirm' } })) !== undefined,
  };
}

/** Pinentry's Assuan protocol: a command a line, answered by D lines and OK or ERR. */
function pinentryAsker(program: string): Asker {
  const converse = async (question: string, ...commands: readonly string[]) => {
    const { GPG_TTY } = process.env;
    const terminal = GPG_TTY ? [`OPTION ttyname=${GPG_TTY}`] : [];
    const description = `SETDESC ${question.replace(/[%\r\n]/g, encodeURIComponent)}`;
    const lines = [...terminal, 'SETTITLE roaming-key', description, ...commands, 'BYE', ''];
    const output = await run(program, [], { input: lines.join('\n') });
    return output === undefined || /^ERR /m.test(output) ? undefined : output;
  };
  return {
    program,
    async secret(question) {
      const output = await converse(question, 'SETPROMPT Password:', 'GETPIN');
      const [, data] = /^D (.*)$/m.exec(output ?? '') ?? [];
      if (data === undefined) throw declined();
      return decodeURIComponent(data);
    },
    confirm: async (question) => (await converse(question, 'CONFIRM')) !== undefined,
  };
}

async function findPinentry(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder));
  for (const file of folders.flatMap((folder) => PINENTRIES.map((name) => path.join(folder, name)))) {
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}

/** What a program writes to stdout; `undefined` where it does not end with status 0. */
function run(
  program: string,
  args: readonly string[],
  { input = '', env = {} }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string | undefined> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !(PASSWORD_VARIABLES as readonly string[]).includes(name),
  );
  const options = {
    env: { ...Object.fromEntries(inherited), ...env },
    timeout: PATIENCE,
    maxBuffer: MAX_ANSWER,
  };
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout) => resolve(error ? undefined : stdout));
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function declined(): CommandLineError {
  return new CommandLineError('interrupted', 'no password was given');
}
