/**
 * Signs a git commit with an SSH key that exists nowhere, by an agent of `roaming-key unlock`, and verifies it by an
 * `allowed_signers` that the command line wrote. After the key is disabled, nothing signs with it any more.
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

  /** Runs a program in the folder: its output and its status. */
  const run = (command: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  };
  const roamingKey = (...args: string[]) => {
    const { status, output } = run(process.execPath, ...tsx, main, ...args);
    if (status !== 0) throw new Error(output);
    return output;
  };

  const enrolled = roamingKey('enroll', '--assistant', assistant, '--name', 'git');
  const [, code = ''] = /code +(\S+)/.exec(enrolled) ?? [];
  const signers = ['allowed-signers', '--name', 'git', '--principal', 'ada@example.org', '--out'];
  roamingKey(...signers, 'allowed_signers');

  const key = roamingKey('record', 'show', '--name', 'git', '--public', 'ssh').trim();
  run('git', 'init', '-q');
  const config = {
    'user.name': 'Ada',
    'user.email': 'ada@example.org',
    'user.signingkey': `key::${key}`,
    'gpg.format': 'ssh',
    'gpg.ssh.allowedSignersFile': path.join(folder, 'allowed_signers'),
  };
  for (const [name, value] of Object.entries(config)) run('git', 'config', name, value);

  roamingKey('unlock', '--name', 'git', '--', 'git', 'commit', '-qS', '--allow-empty', '-m', 'one');
  console.log('git says:', run('git', 'verify-commit', 'HEAD').output.trim());

  roamingKey('disable', '--assistant', assistant, '--code', code);
  const refused = run(process.execPath, ...tsx, main, 'unlock', '--name', 'git', '--', 'true');
  console.log('after the code:', refused.output.trim());

  rmSync(folder, { recursive: true });
  await app.stop();
}
