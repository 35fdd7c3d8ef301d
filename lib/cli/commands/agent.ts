import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { chooseAsker } from '../agent/ask.ts';
import { type ServiceManager, serviceUnit } from '../agent/unit.ts';
import { command } from '../command.ts';
import { dataFolder } from '../data-folder.ts';
import { CommandLineError, type Failure } from '../failure.ts';
import {
  type AssistantOptions,
  assistantOption,
  gather,
  type PasswordOptions,
  timeoutOption,
} from '../options.ts';
import { note, type Outcome, print } from '../output.ts';
import { passwordThatIsGiven } from '../password.ts';
import { stopSignal } from '../stop-signal.ts';

interface Options extends AssistantOptions, PasswordOptions {
  readonly name?: readonly string[];
  readonly record?: readonly string[];
  readonly socket?: string;
  readonly for?: number;
  readonly confirm?: true;
  readonly foreground?: true;
  readonly logFile?: string;
  readonly printUnit?: ServiceManager;
}

/** How long keys are held by default, in seconds: what is recovered could be stolen whole. */
const HOLD = { recovered: 900, shared: 28_800 };
const UNITS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };
const A_DAY = 86_400;

export const agent = command<Options>({
  name: 'agent',
  summary: 'run an SSH agent for keys of records',
  description: `Runs an SSH agent that serves keys of device records to ssh, git and ssh-keygen, and stays until it is ended. A shared
key is never in its memory: the assistant helps with each signature. The password is asked for when a key is first
used, by SSH_ASKPASS, pinentry or the terminal, and what it leads to is held for a while. \`ssh-add -D\`, \`-x\`, SIGTERM
and a machine that slept wipe it; SIGHUP reads the records anew. Ordinary keys can be added by ssh-add. A certificate is
served that lies beside its record: NAME-cert.pub. Prints the lines of ssh-agent, for eval.`,
  options: [
    new Option(
      '--name <name>',
      'a record of this name among yours; may be repeated (default: all that SSH can use)',
    ).argParser(gather),
    new Option('--record <file>', 'a record in this file; may be repeated').argParser(gather),
    assistantOption(),
    new Option(
      '--socket <path>',
      'where to listen (default: roaming-key/agent.sock in XDG_RUNTIME_DIR, else in your data folder)',
    ),
    new Option(
      '--for <time>',
      'how long a key is held after its password was typed, such as 90s, 15m, 8h (default: 15m; 8h for halves of shared keys)',
    ).argParser(duration),
    new Option('--confirm', 'ask before each use of a key'),
    new Option(
      '--foreground',
      'stay in the foreground (default: print the lines once it listens, and go on detached)',
    ),
    new Option('--log-file <file>', 'where a detached agent says what went wrong'),
    new Option(
      '--print-unit <manager>',
      'print a service definition for this agent, and start nothing',
    ).choices(['systemd', 'launchd'] satisfies ServiceManager[]),
    new Option(
      '--password-file <file>',
      'take the password from the first line of a file or pipe (default: ROAMING_KEY_PASSWORD, else ask)',
    ),
    timeoutOption(),
  ],
  json: '{ "socket", "pid", "asks": what asks for passwords }, or { "unit" }',
  examples: [
    { does: 'in the profile of your shell', line: 'eval "$(roaming-key agent --name ssh)"' },
    {
      does: 'with your session, under systemd',
      line: 'roaming-key agent --print-unit systemd > roaming-key-agent.service',
    },
  ],
  async run(options): Promise<Outcome | undefined> {
    const socket = path.resolve(options.socket ?? defaultSocket());
    if (options.printUnit !== undefined) {
      const unit = serviceUnit(options.printUnit, [...ourselves(), ...argumentsOf(options, socket)], socket);
      return { json: { unit }, text: unit };
    }
    if (process.platform === 'win32') throw new CommandLineError('usage', 'agents need Unix sockets');
    return options.foreground || process.env[CHILD] ? stay(options, socket) : detach(options, socket);
  },
});

/** Marks the process that a detached agent goes on in. */
const CHILD = 'ROAMING_KEY_AGENT_DETACHED';

async function stay(options: Options & { json?: true }, socket: string): Promise<undefined> {
  const isDetached = process.env[CHILD] !== undefined;
  delete process.env[CHILD];
  const [{ runAgent }, asker, password] = await Promise.all([
    import('../agent/run-agent.ts'),
    chooseAsker({ hasTerminal: !isDetached && isTerminal() }),
    passwordThatIsGiven(options),
  ]);
  const { assistant, timeout, for: time } = options;
  const agent = await runAgent({
    names: options.name ?? [],
    files: options.record ?? [],
    socket,
    hold: time === undefined ? HOLD : { recovered: time, shared: time },
    confirm: options.confirm === true,
    asker,
    password,
    ...(assistant !== undefined && { assistant }),
    ...(timeout !== undefined && { timeout }),
  });
  if (agent.size === 0)
    note('there are no records that SSH can use yet: `roaming-key enroll` makes one', options);
  const reload = () =>
    void agent.reload().catch((error: Error) => note(`nothing is read anew: ${error.message}`, {}));
  process.on('SIGHUP', reload);
  const stopped = stopSignal();
  if (isDetached) {
    process.send?.({ asks: asker.program });
    process.disconnect?.();
  } else {
    note(`passwords are asked for by ${asker.program}`, options);
    await print(started(options, { socket, pid: process.pid, asks: asker.program }));
  }
  await stopped;
  process.off('SIGHUP', reload);
  await agent.close();
  return undefined;
}

/** Starts this program once more, without a terminal, and waits until it listens. */
async function detach(options: Options & { json?: true }, socket: string): Promise<undefined> {
  const { open } = await import('node:fs/promises');
  const log = options.logFile === undefined ? undefined : await open(options.logFile, 'a', 0o600);
  const [program, ...before] = ourselves() as [string, ...string[]];
  const child = spawn(program, [...before, ...argumentsOf(options, socket)], {
    detached: true,
    stdio: ['ignore', 'ignore', log?.fd ?? 'ignore', 'ipc'],
    env: { ...process.env, [CHILD]: '1' },
  });
  type Said = { readonly asks: string } | { readonly failure: Failure };
  const said = await new Promise<Said>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Said));
    child.once('error', reject);
    child.once('exit', () =>
      reject(new CommandLineError('unexpected', 'the agent ended before it listened')),
    );
  });
  await log?.close();
  if ('failure' in said) throw new CommandLineError(said.failure.code as 'usage', said.failure.message);
  child.disconnect();
  child.unref();
  note(`passwords are asked for by ${said.asks}`, options);
  await print(started(options, { socket, pid: child.pid as number, asks: said.asks }));
  return undefined;
}

/** What a shell evaluates, as ssh-agent prints it. */
function started(
  { json }: { readonly json?: true },
  { socket, pid, asks }: { readonly socket: string; readonly pid: number; readonly asks: string },
): string {
  if (json) return `${JSON.stringify({ socket, pid, asks })}\n`;
  const quoted = /^[\w@%+=:,./-]+$/.test(socket) ? socket : `'${socket.replaceAll("'", "'\\''")}'`;
  return `SSH_AUTH_SOCK=${quoted}; export SSH_AUTH_SOCK;\nSSH_AGENT_PID=${pid}; export SSH_AGENT_PID;\necho Agent pid ${pid};\n`;
}

/** How this program was started, so that a service starts the same. */
function ourselves(): readonly string[] {
  return [process.execPath, ...process.execArgv, realpathSync(process.argv[1] as string)];
}

function argumentsOf(options: Options, socket: string): readonly string[] {
  const { name = [], record = [], assistant, confirm, timeout, for: time, passwordFile } = options;
  return [
    'agent',
    '--foreground',
    `--socket=${socket}`,
    ...name.map((one) => `--name=${one}`),
    ...record.map((one) => `--record=${path.resolve(one)}`),
    ...(assistant === undefined ? [] : [`--assistant=${assistant}`]),
    ...(time === undefined ? [] : [`--for=${time}s`]),
    ...(timeout === undefined ? [] : [`--timeout=${timeout}`]),
    ...(passwordFile === undefined ? [] : [`--password-file=${path.resolve(passwordFile)}`]),
    ...(confirm ? ['--confirm'] : []),
  ];
}

function defaultSocket(): string {
  const { XDG_RUNTIME_DIR = '' } = process.env;
  const isUsable = path.isAbsolute(XDG_RUNTIME_DIR);
  return isUsable ? path.join(XDG_RUNTIME_DIR, 'roaming-key', 'agent.sock') : dataFolder('agent.sock');
}

function isTerminal(): boolean {
  return process.stdin.isTTY || process.stderr.isTTY;
}

/** Reads a time such as `90`, `90s`, `15m`, `8h` or `1d` in seconds. */
function duration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(digits) * (UNITS[unit] as number);
  if (digits !== '' && seconds > 0 && seconds <= A_DAY) return seconds;
  throw new InvalidArgumentError('A time such as 90s, 15m or 8h is needed, at most a day.');
}
