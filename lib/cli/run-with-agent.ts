import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { RoamingKeyError } from '../base/errors.ts';
import { type SshAlg, sshAlgs } from '../crypto/ssh/encoding.ts';
import type { Device } from '../device/device.ts';
import { note, working } from './output.ts';
import { PASSWORD_VARIABLES } from './password.ts';
import { startAgent } from './ssh-agent.ts';

/** The longest that a device holds a key, in seconds. */
const A_DAY = 86_400;

/**
 * Runs a command with a key in an agent that lives no longer than the command, and a day at most.
 *
 * @param open gives a device with both purposes, so that it signs data alone and nothing that would pass for a login
 * @param words the command and its arguments
 * @returns its exit status; 128 and the signal's number where a signal ended it
 * @throws RoamingKeyError before the command starts, if the key cannot be used
 */
export async function runWithAgent(
  open: () => Promise<Device>,
  password: string,
  words: readonly string[],
): Promise<number> {
  if (process.platform === 'win32') throw new RoamingKeyError('unsupported', 'agents need Unix sockets');
  const device = await open();
  if (device.record.scheme === 'elgamal') {
    throw new RoamingKeyError('unsupported', 'this key decrypts and does not sign');
  }
  const devices = await working('unlocking', () => unlockForSsh(device, open, password));
  const agent = await startAgent({
    jwk: device.jwk,
    comment: 'roaming-key',
    sign: (data, alg) => (devices.get(alg) as Device).sign(data, { alg }),
  });
  try {
    return await run(words, agent.socket);
  } finally {
    for (const unlocked of devices.values()) unlocked.lock();
    await agent.close();
  }
}

/** For each algorithm that SSH may ask for, a device that holds the key for it. */
async function unlockForSsh(
  device: Device,
  open: () => Promise<Device>,
  password: string,
): Promise<ReadonlyMap<SshAlg, Device>> {
  const hold = { forSeconds: A_DAY };
  const [first, ...others] = sshAlgs(device.jwk) as [SshAlg, ...SshAlg[]];
  if (device.record.scheme === 'rsa') {
    await device.unlockShared(password, hold);
    // The assistant alone can tell whether the password was right, and it is better told now than by the agent.
    await device.sign(crypto.getRandomValues(new Uint8Array(32)), { alg: first });
    return new Map([first, ...others].map((alg) => [alg, device]));
  }
  const { failedSince } = await device.unlock(password, { ...hold, alg: first });
  if (failedSince.count > 0) {
    note(`wrong passwords tried on this key since its last use: ${failedSince.count}`, {});
  }
  // A recovered RSA key is held for one algorithm, and which one a server wants shows later.
  const devices = new Map([[first, device]]);
  for (const alg of others) {
    const another = await open();
    await another.unlock(password, { ...hold, alg });
    devices.set(alg, another);
  }
  return devices;
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
