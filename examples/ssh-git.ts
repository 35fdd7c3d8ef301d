/**
 * Signs a git commit with an SSH key that exists nowhere, by an agent of `roaming-key unlock`, and verifies it by an
 * `allowed_signers` that the command line wrote. After the key is disabled, nothing signs with it any more, and git tells
 * by their dates what was signed before from what was signed later.
 *
 *     npx tsx examples/ssh-git.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApp } from './support/start.ts';
import { hasTool } from './support/tools.ts';

/** The exit status of a command whose key is disabled. */
const DISABLED = 5;

if (['git', 'ssh-keygen', 'ssh-add'].every(hasTool)) {
  const app = await startApp('quickstart.ts');
  const assistant = `${app.origin}/assistant`;
  const folder = mkdtempSync(path.join(tmpdir(), 'git-'));
  const tsx = ['--import', import.meta.resolve('tsx')];
  const main = fileURLToPath(new URL('../lib/cli/main.ts', import.meta.url));
  const env = {
    ...process.env,
    HOME: folder,
    XDG_DATA_HOME: path.join(folder, 'data'),
    ROAMING_KEY_PASSWORD: 'correct horse battery staple',
  };

  /** Runs a program in the folder: its output. Throws unless it ends with this status. */
  const run = (command: string, args: readonly string[], expected = 0, more: NodeJS.ProcessEnv = {}) => {
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd: folder,
      env: { ...env, ...more },
      encoding: 'utf8',
    });
    const output = `${stdout}${stderr}`.trim();
    if (status !== expected)
      throw new Error(`${command} ${args.join(' ')} ended with ${status}, not with ${expected}: ${output}`);
    return output;
  };
  const git = (...args: string[]) => run('git', args);
  const roamingKey = (...args: string[]) => run(process.execPath, [...tsx, main, ...args]);

  const enrolled = roamingKey('enroll', '--assistant', assistant, '--name', 'git');
  const [, code = ''] = /code +(\S+)/.exec(enrolled) ?? [];
  const signers = ['allowed-signers', '--name', 'git', '--principal', 'ada@example.org', '--out'];
  roamingKey(...signers, 'allowed_signers');

  const key = roamingKey('record', 'show', '--name', 'git', '--public', 'ssh').trim();
  git('init', '-q');
  const config = {
    'user.name': 'Ada',
    'user.email': 'ada@example.org',
    'user.signingkey': `key::${key}`,
    'gpg.format': 'ssh',
    'gpg.ssh.allowedSignersFile': path.join(folder, 'allowed_signers'),
  };
  for (const [name, value] of Object.entries(config)) git('config', name, value);

  const commit = ['unlock', '--name', 'git', '--', 'git', 'commit', '-qS', '--allow-empty', '-m'];
  roamingKey(...commit, 'one');
  console.log('git says:', git('verify-commit', 'HEAD'));
  // A commit with a date that will be after the disabling, as a thief would have to make one later.
  const later = { GIT_COMMITTER_DATE: '2099-01-01T00:00:00Z' };
  run(process.execPath, [...tsx, main, ...commit, 'two'], 0, later);
  git('verify-commit', 'HEAD');

  roamingKey('disable', '--assistant', assistant, '--code', code);
  const unlock = ['unlock', '--name', 'git', '--', 'true'];
  console.log('after the code:', run(process.execPath, [...tsx, main, ...unlock], DISABLED));
  roamingKey(...signers, 'allowed_signers');
  console.log('signed before:', git('verify-commit', 'HEAD~1'));
  console.log('dated later:', run('git', ['verify-commit', 'HEAD'], 1));

  rmSync(folder, { recursive: true });
  await app.stop();
}
