/** Logging in to OpenSSH's server by `roaming-key agent`. */
import { beforeAll, describe, expect, it } from 'vitest';
import { missing, type Sshd, startSshd } from './sshd.ts';
import { CHEAP, sandbox, serveAssistant } from './support.ts';

const KEYS = [
  ['ed25519', 'Ed25519'],
  ['retrieve', 'Ed25519'],
  ['retrieve', 'RSA-2048'],
  ['rsa', 'RSA-2048'],
] as const;
const AT_ONCE = 80;

describe.skipIf(missing.length > 0)('ssh with roaming-key agent', { timeout: 600_000 }, () => {
  const box = sandbox();
  const socket = box.file('agent.sock');
  const agent = { env: { SSH_AUTH_SOCK: socket } };
  let sshd: Sshd;

  /** Options by which ssh offers one key alone. */
  const only = (name: string) => `-o IdentitiesOnly=yes -i ${box.file(`${name}.pub`)}`;

  beforeAll(async () => {
    const { url } = await serveAssistant(box);
    for (const [scheme, type] of KEYS) {
      const kind = ['--scheme', scheme, '--type', type, '--name', `${scheme}-${type}`];
      await box.json(['enroll', '--assistant', url, ...kind, ...CHEAP]);
    }
    await box.start(`roaming-key agent --foreground --socket ${socket}`).until(/SSH_AUTH_SOCK/);
    await box.shell('ssh-add -L > authorized', agent);
    for (const [scheme, type] of KEYS)
      await box.shell(`grep ' ${scheme}-${type} ' authorized > ${scheme}-${type}.pub`);
    sshd = await startSshd(box, [`AuthorizedKeysFile ${box.file('authorized')}`]);
  }, 300_000);

  it.each(KEYS)('logs in with a key of scheme %s and type %s', async (scheme, type) => {
    const login = await sshd.run('echo in', socket, only(`${scheme}-${type}`));
    expect(login).toMatchObject({ status: 0, stdout: 'in\n' });
  });

  it('forwards the agent, and serves sftp', async () => {
    const inside = await sshd.run(`ssh-add -l`, socket, `-A ${only('retrieve-Ed25519')}`);
    expect(inside.stdout.trim().split('\n')).toHaveLength(KEYS.length);
    const sftp = sshd
      .ssh(only('rsa-RSA-2048'))
      .replace(/^ssh/, 'sftp -q')
      .replace(/-p (\d+)/, '-P $1');
    const line = `echo 'get ${box.file('authorized')} copied' | ${sftp}`;
    expect(await box.shell(line, agent)).toMatchObject({ status: 0 });
    expect(await box.shell('cmp authorized copied')).toMatchObject({ status: 0 });
  });

  it('lets every one of many logins in that come at once', async () => {
    const sessions = () => sshd.log().split("Starting session: subsystem 'sftp'").length;
    const before = sessions();
    const logins = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        sshd.logIn(socket, only(i % 2 === 0 ? 'ed25519-Ed25519' : 'rsa-RSA-2048')),
      ),
    );
    expect(logins.filter(({ status }) => status !== 0)).toEqual([]);
    expect(sessions() - before).toBe(AT_ONCE);
  });
});
