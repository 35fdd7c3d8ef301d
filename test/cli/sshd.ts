/** OpenSSH's server on the loopback, and its clients. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { isAbsent } from '../support/binaries.ts';
import { atEnd, type Ended, type Sandbox } from './support.ts';

const SSHD = '/usr/sbin/sshd';

/** Programs that tests with a server need and this machine lacks. */
export const missing = [SSHD, 'ssh', 'ssh-add', 'ssh-keygen', 'sftp'].filter(isAbsent);

export interface Sshd {
  readonly port: number;
  /** What the server has logged. */
  log(): string;
  /** A command line of `ssh` to this server, without the command. */
  ssh(options?: string): string;
  /** Runs a command on the server, with an agent. */
  run(command: string, socket: string, options?: string): Promise<Ended>;
  /** Logs in to what the server does itself, without anybody's shell and its profile. */
  logIn(socket: string, options?: string): Promise<Ended>;
}

/**
 * Starts a server.
 *
 * @param config lines of sshd_config besides the fixed ones
 */
export async function startSshd(box: Sandbox, config: readonly string[]): Promise<Sshd> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sshd-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string) => path.join(folder, name);
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('host')]);
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${file('host')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'MaxStartups 200',
    'MaxSessions 200',
    'LoginGraceTime 0',
    'LogLevel VERBOSE',
    'Subsystem sftp internal-sftp',
    ...config,
  ];
  writeFileSync(file('config'), `${lines.join('\n')}\n`);
  const child = spawn(SSHD, ['-D', '-e', '-f', file('config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  atEnd(() => child.kill());
  let log = '';
  await new Promise<void>((ready, fail) => {
    child.once('exit', () => fail(new Error(`sshd ended: ${log}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('Server listening')) ready();
    });
  });
  const common = `-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=${file('known')} -o LogLevel=ERROR`;
  const ssh = (options = '') => `ssh ${common} ${options} -p ${port} ${userInfo().username}@127.0.0.1`;
  return {
    port,
    log: () => log,
    ssh,
    run: (command, socket, options) =>
      box.shell(`${ssh(options)} ${command}`, { env: { SSH_AUTH_SOCK: socket } }),
    logIn: (socket, options) =>
      box.shell(`exec ${ssh(options)} -s sftp < /dev/null`, { env: { SSH_AUTH_SOCK: socket } }),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => server.once('listening', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
