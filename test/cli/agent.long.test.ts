import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { isAbsent } from '../support/binaries.ts';
import { CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

const missing = ['ssh-keygen', 'ssh-add'].filter(isAbsent);

describe.skipIf(missing.length > 0)('unlock -- command', { timeout: 300_000 }, () => {
  const box = sandbox();
  let url: string;
  beforeAll(async () => {
    ({ url } = await serveAssistant(box));
    writeFileSync(box.file('message'), 'what is signed\n');
  });

  it.concurrent.each([
    ['ed25519', 'Ed25519', 'ED25519'],
    ['retrieve', 'Ed25519', 'ED25519'],
    ['retrieve', 'P-256', 'ECDSA'],
    ['retrieve', 'RSA-2048', 'RSA'],
    ['rsa', 'RSA-2048', 'RSA'],
  ])('signs for SSH with a key of scheme %s and type %s', async (scheme, type, ssh) => {
    const name = `${scheme}-${type}`;
    await box.json([
      'enroll',
      '--assistant',
      url,
      '--scheme',
      scheme,
      '--type',
      type,
      '--name',
      name,
      ...CHEAP,
    ]);
    writeFileSync(
      box.file(`${name}.sh`),
      `ssh-add -l
ssh-add -L > ${name}.pub
echo "me $(cat ${name}.pub)" > ${name}.signers
cp message ${name}.message
ssh-keygen -q -Y sign -f ${name}.pub -n file ${name}.message 2>&1
echo "$SSH_AUTH_SOCK" > ${name}.socket`,
    );
    const { status, stdout, stderr } = await box.run([
      'unlock',
      '--name',
      name,
      '--',
      'sh',
      '-e',
      `${name}.sh`,
    ]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^\\d+ SHA256:\\S+ ${name} u=[\\w-]{43} \\(${ssh}\\)\n`));
    const verify = `ssh-keygen -Y verify -f ${name}.signers -I me -n file -s ${name}.message.sig < message`;
    expect(await box.shell(verify)).toMatchObject({ status: 0 });
    const socket = readFileSync(box.file(`${name}.socket`), 'utf8').trim();
    expect(existsSync(path.dirname(socket))).toBe(false);
  });

  it('gives the command its own end and no password, and nobody else the socket', async () => {
    const env = { ROAMING_KEY_NEW_PASSWORD: 'x' };
    const unlock = (line: string) =>
      box.run(['unlock', '--name', 'retrieve-Ed25519', '--', 'sh', '-c', line], { env });
    const ended = await unlock('env | grep PASSWORD; stat -c %a "$(dirname "$SSH_AUTH_SOCK")"; exit 41');
    expect(ended).toMatchObject({ status: 41, stdout: '700\n' });
    expect(await unlock('kill -9 $$')).toMatchObject({ status: 128 + 9 });
    expect(await box.run(['unlock', '--', 'no-such-command', '--json'])).toMatchObject({ status: 10 });

    const wrong = box.run(['unlock', '--name', 'rsa-RSA-2048', '--', 'touch', 'started'], {
      env: { ROAMING_KEY_PASSWORD: 'wrong' },
    });
    expect(await wrong).toMatchObject({ status: 3 });
    expect(existsSync(box.file('started'))).toBe(false);
  });

  it('signs no login of this protocol and no foreign key, and outlives nonsense; flags choose the hash, none of them SHA-1', async () => {
    const head = Buffer.from('{"alg":"Ed25519","typ":"rk-login+jwt"}').toString('base64url');
    const script = `
      const { createConnection } = require('node:net');
      const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
      const str = (b) => Buffer.concat([u32(b.length), Buffer.from(b)]);
      const ask = (raw, name) => new Promise((done) => {
        const socket = createConnection(process.env.SSH_AUTH_SOCK, () => socket.write(raw));
        socket.once('data', (data) => { done(name ? data.subarray(13, 25).toString() : data[4]); socket.end(); });
        socket.once('close', () => done('closed'));
      });
      const blob = Buffer.from(${JSON.stringify(`$BLOB`)}, 'base64');
      const sign = (key, data, flags = 0) => str(Buffer.concat([Buffer.of(13), str(key), str(data), u32(flags)]));
      (async () => {
        console.log(JSON.stringify([
          await ask(sign(blob, 'data')),
          await ask(sign(blob, ${JSON.stringify(`${head}.e30`)})),
          await ask(sign(Buffer.concat([blob, Buffer.of(0)]), 'data')),
          await ask(str(Buffer.of(17, 1, 2, 3))),
          await ask(str(Buffer.of(13, 0, 0, 0, 99))),
          await ask(u32(0xffffffff)),
          await ask(str(Buffer.of(11))),
        ]));
      })();`;
    const ssh = await box.json(['record', 'show', '--name', 'retrieve-Ed25519', '--public', 'ssh']);
    writeFileSync(
      box.file('ask.cjs'),
      script.replace('$BLOB', (ssh['public'] as string).split(' ')[1] as string),
    );
    const asked = await box.run(['unlock', '--name', 'retrieve-Ed25519', '--', process.execPath, 'ask.cjs']);
    expect(JSON.parse(asked.stdout)).toEqual([14, 5, 5, 5, 5, 'closed', 12]);

    const rsa = await box.json(['record', 'show', '--name', 'retrieve-RSA-2048', '--public', 'ssh']);
    const sha1 = script
      .replace('$BLOB', (rsa['public'] as string).split(' ')[1] as string)
      .replace(
        /console\.log[\s\S]*\]\)\);/,
        "console.log(JSON.stringify(await Promise.all([0, 2, 4, 6].map((flags) => ask(sign(blob, 'data', flags), true)))));",
      );
    writeFileSync(box.file('sha1.cjs'), sha1);
    const flags = await box.run([
      'unlock',
      '--name',
      'retrieve-RSA-2048',
      '--',
      process.execPath,
      'sha1.cjs',
    ]);
    expect(JSON.parse(flags.stdout)).toEqual(['512', '256', '512', '256'].map((size) => `rsa-sha2-${size}`));
  });
});
