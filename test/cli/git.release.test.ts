/** git signs with a key that exists nowhere, and tells what it signed before it was disabled from what came later. */
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAbsent } from '../support/binaries.ts';
import { CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

const missing = ['git', 'ssh-keygen', 'ssh-add'].filter(isAbsent);

describe.skipIf(missing.length > 0)('git', { timeout: 300_000 }, () => {
  const box = sandbox();
  const socket = box.file('agent.sock');
  let code: string;
  const shell = (line: string) => box.shell(`set -e; ${line}`, { env: { SSH_AUTH_SOCK: socket } });
  const signers = 'roaming-key allowed-signers --name work --principal ada@example.org';

  beforeAll(async () => {
    const { url } = await serveAssistant(box);
    const shared = ['--scheme', 'ed25519', '--name', 'work'];
    ({ code } = (await box.json(['enroll', '--assistant', url, ...shared, ...CHEAP])) as { code: string });
    await box.start(`roaming-key agent --foreground --name work --socket ${socket}`).until(/SSH_AUTH_SOCK/);
    const made = await shell(`${signers} --namespace git --namespace file --out allowed_signers
      git init -q repo; cd repo
      git config gpg.format ssh
      git config user.name Ada; git config user.email ada@example.org
      git config user.signingkey "key::$(roaming-key record show --name work --public ssh)"
      git config gpg.ssh.allowedSignersFile ../allowed_signers`);
    expect(made.stderr).toBe('');
  }, 120_000);

  it('signs and verifies commits and tags', async () => {
    const made = await shell('cd repo; git commit -q -S --allow-empty -m one; git tag -s -m one v1');
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const shown = await shell('cd repo; git log --show-signature; git verify-tag v1');
    expect(`${shown.stdout}${shown.stderr}`.match(/Good "git" signature for ada@example.org/g)).toHaveLength(
      2,
    );
  });

  it('signs files for ssh-keygen, through the agent', async () => {
    writeFileSync(box.file('release'), 'release\n');
    const line = `ssh-add -L > work.pub; ssh-keygen -q -Y sign -U -f work.pub -n file release;
      ssh-keygen -Y verify -f allowed_signers -I ada@example.org -n file -s release.sig < release`;
    expect(await shell(line)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Good') as unknown,
    });
  });

  it('tells a signature from before the disabling from one with a later date', async () => {
    const later = 'GIT_COMMITTER_DATE="2099-01-01T00:00:00Z"';
    await shell(`cd repo; ${later} git commit -q -S --allow-empty -m later`);
    await shell('cd repo; git verify-commit HEAD');
    await box.json([
      'disable',
      '--code',
      code,
      '--assistant',
      ((await box.json(['record', 'show', '--name', 'work'])) as { assistant: { url: string } }).assistant
        .url,
    ]);
    await shell(`${signers} --out allowed_signers`);
    const file = readFileSync(box.file('allowed_signers'), 'utf8');
    expect(file).toMatch(/^ada@example\.org namespaces="git",valid-before="\d{14}Z" ssh-ed25519 /);
    expect(await shell('cd repo; git verify-commit HEAD~1')).toMatchObject({ status: 0 });
    expect((await shell('cd repo; git verify-commit HEAD')).status).not.toBe(0);
    expect((await shell('cd repo; git commit -q -S --allow-empty -m dead')).status).not.toBe(0);

    await shell(`${signers} --disabled-at 2026-01-01T00:00:00Z --out allowed_signers`);
    await shell(`${signers} --out allowed_signers`);
    expect(readFileSync(box.file('allowed_signers'), 'utf8')).toContain('valid-before="20260101000000Z"');
    expect((await shell('cd repo; git verify-commit HEAD~1')).status).not.toBe(0);
  });
});
