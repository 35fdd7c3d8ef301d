/** `roaming-key agent` as ssh-add, programs that ask for passwords, and clients of all manners meet it. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { watchForSuspend } from '../../lib/cli/agent/suspend.ts';
import { serviceUnit } from '../../lib/cli/agent/unit.ts';
import { isAbsent } from '../support/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { PASSWORD } from '../support/world.ts';
import { askpass, CHEAP, cleanUp, type Started, sandbox, serveAssistant } from './support.ts';

cleanUp();

const missing = ['ssh-add', 'ssh-keygen'].filter(isAbsent);
const isRoot = process.getuid?.() === 0;
/** A program that gives no password. */
const NOBODY = 'SSH_ASKPASS=/bin/false SSH_ASKPASS_REQUIRE=force';
describe.skipIf(missing.length > 0)('roaming-key agent', { timeout: 300_000 }, () => {
  const box = sandbox({ ROAMING_KEY_PASSWORD: '' });
  const given = { env: { ROAMING_KEY_PASSWORD: PASSWORD } };
  let assistant: Started & { readonly url: string };
  beforeAll(async () => {
    assistant = await serveAssistant(box);
    const enroll = ['enroll', '--assistant', assistant.url, ...CHEAP];
    await box.json([...enroll, '--name', 'plain', '--scheme', 'retrieve'], given);
    await box.json([...enroll, '--name', 'shared', '--scheme', 'rsa'], given);
    await box.json([...enroll, '--name', 'mail', '--scheme', 'elgamal'], given);
    for (const name of ['plain', 'shared'])
      await box.shell(`roaming-key record show --name ${name} --public ssh > ${name}.pub`);
  }, 120_000);

  /** Starts an agent, and gives what runs a line with it. */
  async function start(options = '', env = `ROAMING_KEY_PASSWORD='${PASSWORD}' ${NOBODY}`) {
    const socket = box.file(`${Math.random().toString(36).slice(2)}.sock`);
    const agent = box.start(`env ${env} roaming-key agent --foreground --socket ${socket} ${options}`);
    await agent.until(/SSH_AGENT_PID/);
    const shell = (line: string) => box.shell(line, { env: { SSH_AUTH_SOCK: socket } });
    const listed = async () =>
      (await shell('ssh-add -l')).stdout.split('\n').flatMap((line) => line.split(' ')[2] ?? []);
    onTestFinished(async () => {
      agent.child.kill('SIGTERM');
      await agent.ended;
    });
    return { agent, socket, shell, listed };
  }
  const uses = (name: string) => `ssh-add -T ${name}.pub`;

  it('asks once for a password when a key is first used, and again when it was wrong', async () => {
    const env = askpass(box, 'wrong', PASSWORD);
    const { agent, shell, listed } = await start('', env);
    await agent.until(/passwords are asked for by \S+askpass\n/);
    expect(await listed()).toEqual(['plain', 'shared']);
    expect(readFileSync(box.file('asked'), 'utf8')).toBe('');
    const both = await Promise.all([shell(uses('shared')), shell(uses('shared')), shell(uses('shared'))]);
    expect(both.map(({ status }) => status)).toEqual([0, 0, 0]);
    const asked = readFileSync(box.file('asked'), 'utf8');
    expect(
      asked.match(/roaming-key agent \(process \d+\): a program wants to use the key shared\./g),
    ).toHaveLength(2);
    expect(asked).toContain('the password is wrong; 4 tries left');
    expect((await shell(uses('plain'))).status).not.toBe(0);
  });

  it('asks by pinentry where there is no SSH_ASKPASS', async () => {
    mkdirSync(box.file('pin'), { recursive: true });
    writeFileSync(
      box.file('pin', 'pinentry'),
      `#!/bin/sh
echo OK ready
while read -r command rest; do
  case $command in
    GETPIN) printf 'D %s\\nOK\\n' '${PASSWORD.replaceAll(' ', '%20')}' ;;
    BYE) echo OK; exit 0 ;;
    *) echo OK ;;
  esac
done
`,
    );
    chmodSync(box.file('pin', 'pinentry'), 0o755);
    const { agent, shell } = await start('', `-u SSH_ASKPASS DISPLAY=:9 PATH="${box.file('pin')}:$PATH"`);
    await agent.until(/asked for by \S+pinentry\n/);
    expect(await shell(uses('plain'))).toMatchObject({ status: 0 });
  });

  it('removes, locks and unlocks, and wipes what it held each time', async () => {
    const { agent, shell, listed } = await start();
    expect(await shell(uses('plain'))).toMatchObject({ status: 0 });
    expect(await shell('ssh-add -d plain.pub')).toMatchObject({ status: 0 });
    expect(await listed()).toEqual(['shared']);
    expect((await shell(uses('plain'))).status).not.toBe(0);
    expect(await shell('ssh-add -D')).toMatchObject({ status: 0 });
    expect(await shell('ssh-add -l')).toMatchObject({ status: 1 });
    agent.child.kill('SIGHUP');
    await eventually(async () => expect(await listed()).toEqual(['plain', 'shared']));
    expect(await shell(uses('shared'))).toMatchObject({ status: 0 });

    const phrase = (option: string, text: string) =>
      shell(`printf '#!/bin/sh\\necho ${text}\\n' > phrase; chmod 755 phrase;
        SSH_ASKPASS=$PWD/phrase SSH_ASKPASS_REQUIRE=force ssh-add ${option}`);
    expect(await phrase('-x', 'secret')).toMatchObject({ status: 0 });
    expect(await shell('ssh-add -l')).toMatchObject({ status: 1 });
    expect((await shell(uses('shared'))).status).not.toBe(0);
    expect((await phrase('-X', 'other')).status).not.toBe(0);
    expect(await phrase('-X', 'secret')).toMatchObject({ status: 0 });
    expect(await listed()).toEqual(['plain', 'shared']);
    // The password that was given is gone with the lock.
    expect((await shell(uses('shared'))).status).not.toBe(0);
  });

  it('takes ordinary keys with a lifetime and with a question before each use', async () => {
    const env = askpass(box, 'yes', 'no');
    const { shell, listed } = await start('--name plain', env);
    await shell(`for type in ed25519 ecdsa rsa; do ssh-keygen -q -t $type -N '' -f own-$type; done`);
    expect(await shell('ssh-add -q own-rsa own-ecdsa')).toMatchObject({ status: 0 });
    expect(await shell('ssh-add -q -t 1 -c own-ed25519')).toMatchObject({ status: 0 });
    expect(await shell(uses('own-rsa'))).toMatchObject({ status: 0 });
    expect(await shell(uses('own-ecdsa'))).toMatchObject({ status: 0 });
    await eventually(async () => expect(await listed()).toHaveLength(3));

    expect(await shell('ssh-add -q -c own-ed25519')).toMatchObject({ status: 0 });
    expect(await shell(uses('own-ed25519'))).toMatchObject({ status: 0 });
    expect((await shell(uses('own-ed25519'))).status).not.toBe(0);
    expect(readFileSync(box.file('asked'), 'utf8')).toMatch(/^confirm Allow a program to use the key/m);
    // A limit that it could not keep is refused.
    expect((await shell('ssh-add -q -h somewhere own-rsa')).status).not.toBe(0);
  });

  it('serves the certificate beside a record', async () => {
    const { shell } = await start('--name plain');
    await shell(`ssh-keygen -q -t ed25519 -N '' -f ca; ssh-keygen -q -s ca -I ada -n root plain.pub;
      mv plain-cert.pub data/roaming-key/records/`);
    onTestFinished(async () => void (await shell('rm data/roaming-key/records/plain-cert.pub')));
    const { stdout } = await shell('ssh-add -L');
    expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([
      'ssh-ed25519',
      'ssh-ed25519-cert-v01@openssh.com',
      '',
    ]);
    await shell('cp data/roaming-key/records/plain-cert.pub .');
    expect(await shell('ssh-add -T plain-cert.pub')).toMatchObject({ status: 0 });
  });

  it('holds a key no longer than --for, and nothing after SIGTERM', async () => {
    const { agent, shell, socket } = await start('--for 1s');
    expect(await shell(uses('plain'))).toMatchObject({ status: 0 });
    await eventually(async () => expect((await shell(uses('plain'))).status).not.toBe(0));
    agent.child.kill('SIGTERM');
    expect(await agent.ended).toMatchObject({ status: 0 });
    expect(existsSync(socket)).toBe(false);
  });

  it('answers clients that end their side, many at once, and none that breaks the frame', async () => {
    const { socket } = await start('--name plain');
    const list = Buffer.from([0, 0, 0, 1, 11]);
    const ask = (...parts: readonly Buffer[]) =>
      new Promise<Buffer>((resolve, reject) => {
        const chunks: Buffer[] = [];
        const client = connect(socket).on('error', reject);
        client.on('data', (chunk) => chunks.push(chunk)).on('close', () => resolve(Buffer.concat(chunks)));
        for (const part of parts) client.write(part);
        client.end();
      });
    const one = await ask(list);
    expect(one[4]).toBe(12);
    expect(await ask(list, list, list)).toEqual(Buffer.concat([one, one, one]));
    const many = await Promise.all(Array.from({ length: 300 }, () => ask(list)));
    expect(many.every((answer) => answer.equals(one))).toBe(true);
    expect(await ask(Buffer.from([0, 0, 0, 0]))).toHaveLength(0);
    expect(await ask(Buffer.from([0xff, 0xff, 0xff, 0xff, 11]))).toHaveLength(0);
    expect(await ask(Buffer.from([0, 0, 0, 9, 11]))).toHaveLength(0);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
  });

  it('listens nowhere that is not its own', async () => {
    const fail = (socket: string) => box.failure(['agent', '--foreground', '--socket', socket]);
    writeFileSync(box.file('a-file'), 'kept');
    symlinkSync(box.file('elsewhere.sock'), box.file('a-link'));
    mkdirSync(box.file('open'), { recursive: true });
    chmodSync(box.file('open'), 0o777);
    const { socket } = await start('--name plain');
    const long = box.file('x'.repeat(100));
    expect(await Promise.all([box.file('a-file'), box.file('a-link'), socket].map(fail))).toMatchObject([
      { code: 'exists', message: expect.stringContaining('not a socket') as unknown },
      { code: 'exists', message: expect.stringContaining('a symbolic link') as unknown },
      { code: 'exists', message: expect.stringContaining('listens there already') as unknown },
    ]);
    expect(await fail(box.file('open', 'a.sock'))).toMatchObject({ code: 'io' });
    expect(await fail(long)).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('107 bytes') as unknown,
    });
    expect(readFileSync(box.file('a-file'), 'utf8')).toBe('kept');
    mkdirSync(long, { recursive: true });
    const unlock = ['unlock', '--name', 'plain', '--', 'true'];
    const cut = await box.run(unlock, { env: { ROAMING_KEY_PASSWORD: PASSWORD, TMPDIR: long } });
    expect([cut.status, cut.stderr]).toEqual([2, expect.stringContaining('shorter --socket or TMPDIR')]);
  });

  it('takes the place of an agent that was killed', async () => {
    const { agent, socket } = await start('--name plain');
    agent.child.kill('SIGKILL');
    await agent.ended;
    expect(existsSync(socket)).toBe(true);
    if (isRoot) {
      const anothers = ['agent', '--foreground', '--socket', socket];
      chownSync(socket, 65_534, 65_534);
      expect(await box.failure(anothers)).toMatchObject({
        code: 'exists',
        message: expect.stringContaining("another user's") as unknown,
      });
      expect(existsSync(socket)).toBe(true);
      chownSync(socket, 0, 0);
    }
    const next = box.start(`roaming-key agent --foreground --socket ${socket}`);
    await next.until(/SSH_AGENT_PID/);
  });

  it('goes on detached, and says what went wrong where it does not start', async () => {
    const line = `eval "$(roaming-key agent --name plain --socket d.sock --log-file agent.log)" && ssh-add -l && kill $SSH_AGENT_PID`;
    expect(await box.shell(line, given)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Agent pid \d+\n256 SHA256:/) as unknown,
    });
    expect(await box.failure(['agent', '--name', 'nobody', '--socket', 'e.sock'])).toMatchObject({
      code: 'not_found',
      exitCode: 10,
    });
    expect(await box.failure(['agent', '--name', 'mail', '--socket', 'e.sock'])).toMatchObject({
      code: 'unsupported',
      exitCode: 8,
    });
    expect(
      await box.failure([
        'agent',
        '--name',
        'plain',
        '--assistant',
        'https://other.example',
        '--socket',
        'e.sock',
      ]),
    ).toMatchObject({ code: 'bad_record', exitCode: 7 });
  });

  // Last, since it adds records that every agent lists.
  it('follows a change of password that another process made', async () => {
    const next = 'a newer password';
    const kinds = ['ed25519', 'retrieve'] as const;
    for (const scheme of kinds) {
      const enroll = ['enroll', '--assistant', assistant.url, '--scheme', scheme, '--name', `to-${scheme}`];
      await box.json([...enroll, ...CHEAP], given);
      await box.shell(`roaming-key record show --name to-${scheme} --public ssh > to-${scheme}.pub`);
    }
    const { shell } = await start(
      kinds.map((scheme) => `--name to-${scheme}`).join(' '),
      askpass(box, PASSWORD, next, next),
    );
    expect(await shell(uses('to-ed25519'))).toMatchObject({ status: 0 });
    const env = { ROAMING_KEY_PASSWORD: PASSWORD, ROAMING_KEY_NEW_PASSWORD: next };
    for (const scheme of kinds) {
      const kit = scheme === 'retrieve' ? ['--kit', 'to-kit.json'] : [];
      await box.json(['change-password', '--name', `to-${scheme}`, ...kit, ...CHEAP], { env });
    }
    for (const scheme of kinds) expect(await shell(uses(`to-${scheme}`))).toMatchObject({ status: 0 });
    expect(readFileSync(box.file('asked'), 'utf8').match(/wants to use the key/g)).toHaveLength(3);
    // A key that is recovered has a new kit, and with it a new name on hosts.
    const { u } = (await box.json(['record', 'show', '--name', 'to-retrieve'])) as { u: string };
    expect(readFileSync(box.file('to-retrieve.pub'), 'utf8')).not.toContain(u);
    expect((await shell('ssh-add -L')).stdout).toContain(` to-retrieve u=${u}\n`);
  });
});

describe('watchForSuspend', () => {
  it('calls back after a pause, and not for a busy machine', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let wall = 0;
    const onResume = vi.fn();
    const stop = watchForSuspend(onResume, { wall: () => wall, every: 1000, tolerance: 15_000 });
    const pass = (milliseconds: number) => {
      wall += milliseconds;
      vi.advanceTimersByTime(1000);
    };
    for (const late of [1000, 10_000, 16_000]) pass(late);
    expect(onResume).not.toHaveBeenCalled();
    pass(16_001);
    expect(onResume).toHaveBeenCalledTimes(1);
    pass(-15_001);
    expect(onResume).toHaveBeenCalledTimes(2);
    stop();
    pass(100_000);
    expect(onResume).toHaveBeenCalledTimes(2);
  });
});

describe('serviceUnit', () => {
  const command = ['/usr/bin/node', '/opt/a b/"%$&<', 'agent'];

  it('quotes what systemd and launchd would read otherwise', () => {
    expect(serviceUnit('systemd', command, '/run/a.sock')).toContain(
      'ExecStart=/usr/bin/node "/opt/a b/\\"%%$$&<" agent\n',
    );
    expect(serviceUnit('launchd', command, '/run/a.sock')).toContain(
      '<string>/opt/a b/&#34;%$&#38;&#60;</string>',
    );
  });
});
