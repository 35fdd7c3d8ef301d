/** Logging in to OpenSSH's server by `roaming-key agent`. */
import { appendFileSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAbsent } from '../support/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { PASSWORD } from '../support/world.ts';
import { missing, type Sshd, startSshd } from './sshd.ts';
import { askpass, CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

const KEYS = [
  ['ed25519', 'Ed25519'],
  ['retrieve', 'Ed25519'],
  ['retrieve', 'RSA-2048'],
  ['rsa', 'RSA-2048'],
] as const;
const AT_ONCE = 80;
/** How many ask a distant assistant at once: some rounds of what an agent sends at a time. */
const FAR_AT_ONCE = 12;

/** A wire to a server, on which bytes take their time, and which can be cut or left hanging. */
async function wireTo(url: string) {
  const ends = new Set<Socket>();
  let oneWay = 0;
  let isSilent = false;
  const join = (from: Socket, to: Socket) => {
    ends.add(from);
    from.on('error', () => {}).on('close', () => to.destroy());
    from.on('data', (chunk) => {
      if (!isSilent) setTimeout(() => to.write(chunk), oneWay);
    });
  };
  const { hostname, port } = new URL(url);
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    join(near, far);
    join(far, near);
  }).listen(0, '127.0.0.1');
  await new Promise((ready) => server.once('listening', ready));
  const cut = () => {
    server.close();
    for (const end of ends) end.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Makes an answer come this much later, in milliseconds. */
    delay: (roundTrip: number) => {
      oneWay = roundTrip / 2;
    },
    /** Loses what is sent. */
    silence: () => {
      isSilent = true;
    },
    /** Ends all connections, and refuses more. */
    cut,
  };
}

const isLacking = missing.length > 0 || isAbsent('git');
describe.skipIf(isLacking)('ssh with roaming-key agent', { timeout: 600_000 }, () => {
  const box = sandbox();
  const socket = box.file('agent.sock');
  const agent = { env: { SSH_AUTH_SOCK: socket } };
  const codes = new Map<string, string>();
  let url: string;
  let sshd: Sshd;
  let wire: Awaited<ReturnType<typeof wireTo>>;

  /** The keys that the host lets in. */
  const live = () => readFileSync(box.file('live'), { encoding: 'utf8', flag: 'a+' });
  /** Options by which ssh offers one key alone. */
  const only = (name: string) => `-o IdentitiesOnly=yes -i ${box.file(`${name}.pub`)}`;

  beforeAll(async () => {
    ({ url } = await serveAssistant(box));
    for (const [scheme, type] of KEYS) {
      const kind = ['--scheme', scheme, '--type', type, '--name', `${scheme}-${type}`];
      const { code } = await box.json(['enroll', '--assistant', url, ...kind, ...CHEAP]);
      codes.set(`${scheme}-${type}`, code as string);
    }
    await box.start(`roaming-key agent --foreground --socket ${socket}`).until(/SSH_AUTH_SOCK/);
    await box.shell('ssh-add -L > authorized', agent);
    for (const [scheme, type] of KEYS)
      await box.shell(`grep ' ${scheme}-${type} ' authorized > ${scheme}-${type}.pub`);
    await box.shell(`ssh-keygen -q -t ed25519 -N '' -f ca`);
    box.start(`roaming-key authorized-keys --keys authorized --feed ${url} --fresh 1 --out live --watch`);
    await eventually(() => expect(live()).toContain('retrieve-Ed25519'));
    sshd = await startSshd(box, [
      `AuthorizedKeysFile ${box.file('live')} ${box.file('others')}`,
      `TrustedUserCAKeys ${box.file('ca.pub')}`,
    ]);
    wire = await wireTo(url);
    afterAll(wire.cut);
  }, 300_000);

  /** Enrols a key whose assistant is at the far end of the wire, and starts an agent for it. */
  async function farKey(name: string, env = '', isAuthorized = true) {
    await box.json(['enroll', '--assistant', wire.url, '--name', name, ...CHEAP]);
    const { stdout } = await box.run(['record', 'show', '--name', name, '--public', 'ssh']);
    if (isAuthorized) appendFileSync(box.file('others'), stdout);
    const own = box.file(`${name}.sock`);
    const options = `--foreground --name ${name} --socket ${own} --timeout 2`;
    const running = box.start(`env ${env} roaming-key agent ${options}`);
    onTestFinished(async () => {
      running.child.kill('SIGTERM');
      await running.ended;
    });
    await running.until(/SSH_AUTH_SOCK/);
    return { socket: own, running, logIn: () => sshd.logIn(own) };
  }

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

  const asking = (...answers: readonly string[]) => `-u ROAMING_KEY_PASSWORD ${askpass(box, ...answers)}`;

  it('logs in with the certificate beside a record', async () => {
    const name = 'certified';
    const { logIn } = await farKey(name, '', false);
    expect(await logIn()).toMatchObject({ status: 255 });
    await box.shell(`roaming-key record show --name ${name} --public ssh > ${name}.pub;
      ssh-keygen -q -s ca -I ada -n ${userInfo().username} ${name}.pub;
      mv ${name}-cert.pub data/roaming-key/records/`);
    expect(await logIn()).toMatchObject({ status: 0 });
    expect(sshd.log()).toContain('ED25519-CERT');
  });

  it('asks again after a wrong password, and refuses logins while it is locked', async () => {
    const { socket: own, logIn } = await farKey('asked', asking('wrong', PASSWORD, PASSWORD));
    expect(await logIn()).toMatchObject({ status: 0 });
    const asked = () => readFileSync(box.file('asked'), 'utf8').match(/wants to use the key asked/g)?.length;
    expect(asked()).toBe(2);
    const lock = (option: string) =>
      box.shell(`printf '#!/bin/sh\\necho secret\\n' > phrase; chmod 755 phrase; ssh-add ${option}`, {
        env: { SSH_AUTH_SOCK: own, SSH_ASKPASS: box.file('phrase'), SSH_ASKPASS_REQUIRE: 'force' },
      });
    expect(await lock('-x')).toMatchObject({ status: 0 });
    expect(await logIn()).toMatchObject({ status: 255 });
    expect(asked()).toBe(2);
    expect(await lock('-X')).toMatchObject({ status: 0 });
    expect(await logIn()).toMatchObject({ status: 0 });
    expect(asked()).toBe(3);
  });

  it('says that too many passwords were wrong, and when to come again', async () => {
    const wrong = Array.from({ length: 5 }, () => 'wrong');
    const { running, logIn } = await farKey('guessed', asking(...wrong, PASSWORD));
    for (const said of [
      /the password is wrong; 2 tries left/,
      /too many wrong passwords.*; try again at 2/,
    ]) {
      expect(await logIn()).toMatchObject({ status: 255 });
      await running.until(said);
    }
  });

  it('lets many in whose assistant is far away, and none whose assistant is gone', async () => {
    const { running, logIn } = await farKey('far');
    wire.delay(150);
    const logins = await Promise.all(Array.from({ length: FAR_AT_ONCE }, logIn));
    expect(logins.filter(({ status }) => status !== 0)).toEqual([]);
    wire.silence();
    expect(await logIn()).toMatchObject({ status: 255 });
    await running.until(/no answer from \S+ within 2 s\n/);
    wire.cut();
    expect(await logIn()).toMatchObject({ status: 255 });
    await running.until(/no answer from \S+: nothing listens there/);
  });

  it('lets many logins in at once, and after the code no more; what it signed for git stays good', async () => {
    const names = ['ed25519-Ed25519', 'rsa-RSA-2048'] as const;
    const sessions = () => sshd.log().split("Starting session: subsystem 'sftp'").length;
    const before = sessions();
    const logins = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) => sshd.logIn(socket, only(names[i % 2] as string))),
    );
    expect(logins.filter(({ status }) => status !== 0)).toEqual([]);
    expect(sessions() - before).toBe(AT_ONCE);

    const [dead, alive] = names;
    const signers = `roaming-key allowed-signers --name ${dead} --principal a@b.c --out signers`;
    const git = await box.shell(
      `set -e; ${signers}; git init -q repo; cd repo
      git config gpg.format ssh; git config user.name A; git config user.email a@b.c
      git config user.signingkey "key::$(cat ../${dead}.pub)"; git config gpg.ssh.allowedSignersFile ../signers
      git commit -q -S --allow-empty -m one; git verify-commit HEAD`,
      agent,
    );
    expect(git).toMatchObject({ status: 0 });
    await box.json(['disable', '--assistant', url, '--code', codes.get(dead) as string]);
    await eventually(() => expect(live()).not.toContain(dead));
    expect(await sshd.logIn(socket, only(dead))).toMatchObject({ status: 255 });
    expect(await sshd.logIn(socket, only(alive))).toMatchObject({ status: 0 });
    expect(await box.shell(`${signers}; cd repo; git verify-commit HEAD`)).toMatchObject({ status: 0 });
  });
});
