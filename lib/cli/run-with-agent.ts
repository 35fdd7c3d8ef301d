import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { RoamingKeyError } from '../base/errors.ts';
import type { Device } from '../device/device.ts';
import { SshAgent } from './agent/agent.ts';
import { RecordKey } from './agent/record-key.ts';
import { assertSocketPath, listenOn } from './agent/socket.ts';
import { note, working } from './output.ts';
import { PASSWORD_VARIABLES } from './password.ts';

/** The longest that a device holds a key, in seconds. */
const A_DAY = 86_400;

export interface CommandKey {
  /** Gives a device with both purposes, so that it signs data alone and nothing that would pass for a login. */
  readonly open: () => Promise<Device>;
  readonly password: string;
  readonly name: string;
  readonly certificate: string | undefined;
}

/**
 * Runs a command with a key in an agent that lives no longer than the command, and a day at most.
 *
 * @param words the command and its arguments
 * @returns its exit status; 128 and the signal's number where a signal ended it
 * @throws RoamingKeyError before the command starts, if the key cannot be used
 */
export async function runWithAgent(
  { open, password, name, certificate }: CommandKey,
  words: readonly string[],
): Promise<number> {
  if (process.platform === 'win32') throw new RoamingKeyError('unsupported', 'agents need Unix sockets');
  const device = await open();
  const key = new RecordKey(device, {
    open,
    name,
    ...(certificate !== undefined && { certificate }),
    askPassword: async () => {
      throw new RoamingKeyError('not_unlocked', 'the key was held for a day: start the command anew');
    },
    hold: { recovered: A_DAY, shared: A_DAY },
    onNews: (text) => note(text, {}),
  });
  const folder = await mkdtemp(path.join(tmpdir(), 'roaming-key-'));
  const socket = path.join(folder, 'agent.sock');
  try {
    assertSocketPath(socket);
    await working('unlocking', () => key.unlock(password));
    const agent = new SshAgent(key);
    const listening = await listenOn(socket, (message, client) => agent.answer(message, client));
    try {
      return await run(words, socket);
    } finally {
      key.forget();
      await listening.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run([file, ...args]: readonly string[], socket: string): Promise<number> {
  const env: NodeJS.ProcessEnv = { ...process.env, SSH_AUTH_SOCK: socket };
  for (const name of PASSWORD_VARIABLES) delete env[name];
  const child = spawn(file as string, args, { stdio: 'inherit', env });
  // The terminal signals the command as well; what it does about that is the command's to decide.
  const ignore = () => {};
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  const watched: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ['SIGINT', ignore],
    ['SIGQUIT', ignore],
    ['SIGTERM', forward],
    ['SIGHUP', forward],
  ];
  for (const [signal, listener] of watched) process.on(signal, listener);
  return new Promise<number>((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  }).finally(() => {
    for (const [signal, listener] of watched) process.off(signal, listener);
  });
}
