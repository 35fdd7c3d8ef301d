/** What hosts hear of disabled keys. */
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../lib/base/bytes.ts';
import { allowedSigners } from '../../lib/cli/hosts/allowed-signers.ts';
import { disabledSince, readKeyLines } from '../../lib/cli/hosts/key-lines.ts';
import { strings } from '../../lib/crypto/ssh/encoding.ts';
import { isAbsent } from '../support/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { missing, startSshd } from './sshd.ts';
import { CHEAP, cleanUp, type Sandbox, type Started, sandbox, serveAssistant } from './support.ts';

cleanUp();

/** Enrols a key, adds it to the file `keys`, and gives its code. */
async function enrol(box: Sandbox, url: string, name: string, ...options: string[]): Promise<string> {
  const { code } = await box.json(['enroll', '--assistant', url, '--name', name, ...CHEAP, ...options]);
  const line = await box.run(['record', 'show', '--name', name, '--public', 'ssh']);
  appendFileSync(box.file('keys'), `restrict,command="echo \\"a b\\"" ${line.stdout}`);
  return code as string;
}

describe('authorized-keys and revoked-keys', { timeout: 120_000 }, () => {
  const box = sandbox();
  let assistant: Started & { readonly url: string };
  const codes: string[] = [];
  const command = (name: string, ...options: string[]) => [
    name,
    '--keys',
    'keys',
    '--feed',
    assistant.url,
    ...options,
  ];
  beforeAll(async () => {
    assistant = await serveAssistant(box);
    for (const name of ['one', 'two']) codes.push(await enrol(box, assistant.url, name));
  });

  it('print the keys that are not disabled, and those that are', async () => {
    const lines = readFileSync(box.file('keys'), 'utf8').trimEnd().split('\n');
    appendFileSync(box.file('keys'), '# a comment\nssh-ed25519 AAAA nobody\nnonsense\n');
    const before = await box.run(command('authorized-keys'));
    expect([before.status, before.stdout.trimEnd().split('\n')]).toEqual([0, lines]);
    expect(before.stderr).toMatch(/keys:4 is not used: .*\n.*keys:5 is not used/);

    await box.json(['disable', '--assistant', assistant.url, '--code', codes[0] as string]);
    expect((await box.run(command('authorized-keys'))).stdout).toBe(before.stdout);
    const fresh = ['--fresh', '0'];
    expect(await box.json(command('authorized-keys', ...fresh))).toEqual({
      live: [lines[1]],
      disabled: [lines[0]],
    });
    const [, type, base64] = /(ssh-\S+) (\S+)/.exec(lines[0] as string) ?? [];
    expect((await box.run(command('revoked-keys', ...fresh))).stdout).toBe(`${type} ${base64}\n`);

    // The same key under the name that a change of password gave it, for which no code was used.
    const renamed = `${type} ${base64} ada u=${'A'.repeat(43)}`;
    writeFileSync(box.file('renamed'), `${renamed}\n${lines[0]}\n${lines[1]}\n`);
    const several = ['--keys', 'renamed', '--feed', assistant.url];
    expect(await box.json(['authorized-keys', ...several])).toEqual({
      live: [lines[1]],
      disabled: [renamed, lines[0]],
    });
    writeFileSync(
      box.file('signers'),
      `${renamed}\nada ${lines[0]}\n`.replace(/^.*(ssh-\S+ \S+) /gm, '$1 ada '),
    );
    const { signers } = (await box.json([
      'allowed-signers',
      '--keys',
      'signers',
      '--feed',
      assistant.url,
    ])) as {
      signers: { disabledAt?: number }[];
    };
    expect(signers.map(({ disabledAt }) => disabledAt)).toEqual([expect.any(Number), signers[0]?.disabledAt]);
  });

  it.skipIf(isAbsent('ssh-keygen'))(
    'revoke in a form that ssh-keygen reads, and keep a file in step',
    async () => {
      const watch = command('revoked-keys', '--fresh', '1', '--format', 'krl', '--out', 'krl', '--watch');
      const watching = box.start(`roaming-key ${watch.join(' ')}`);
      for (const name of ['one', 'two'])
        writeFileSync(
          box.file(`${name}.pub`),
          (await box.run(['record', 'show', '--name', name, '--public', 'ssh'])).stdout,
        );
      const revoked = async (name: string) => (await box.shell(`ssh-keygen -Q -f krl ${name}.pub`)).stdout;
      await eventually(async () => expect(await revoked('one')).toContain('REVOKED'));
      expect(await revoked('two')).toContain('ok');
      await box.json(['disable', '--assistant', assistant.url, '--code', codes[1] as string]);
      await eventually(async () => expect(await revoked('two')).toContain('REVOKED'));
      watching.child.kill('SIGTERM');
      expect(await watching.ended).toMatchObject({ status: 0 });
    },
  );

  it('go on for a while without the assistant, then fail closed', async () => {
    const own = sandbox();
    const { url, child, ended } = await serveAssistant(own);
    await enrol(own, url, 'three');
    const ask = [
      'authorized-keys',
      '--keys',
      'keys',
      '--feed',
      url,
      '--fresh',
      '0',
      '--cache',
      'cache/feed.json',
    ];
    const { stdout } = await own.run(ask);
    expect(stdout).not.toBe('');
    child.kill('SIGTERM');
    await ended;
    expect(await own.run(ask)).toMatchObject({ status: 0, stdout });

    const cache = JSON.parse(readFileSync(own.file('cache/feed.json'), 'utf8')) as { readAt: number };
    const put = (value: object) => writeFileSync(own.file('cache/feed.json'), JSON.stringify(value));
    put({ ...cache, readAt: cache.readAt - 301 });
    expect(await own.failure(ask)).toMatchObject({ code: 'unavailable', exitCode: 6 });
    put({ ...cache, names: [] });
    expect(await own.failure(ask)).toMatchObject({ code: 'unavailable' });
    put(cache);
    chmodSync(own.file('cache/feed.json'), 0o622);
    expect(await own.run(ask)).toMatchObject({ status: 6, stdout: '' });

    const watch = own.start(`roaming-key ${ask.join(' ')} --max-stale 1 --out live --watch`);
    await watch.until(/lets no key in/);
    await eventually(() => expect(readFileSync(own.file('live'), 'utf8')).toBe(''));
  });
});

describe('disabledSince', () => {
  const key = strings(utf8('ssh-ed25519'), new Uint8Array(32).fill(1));
  const other = strings(utf8('ssh-ed25519'), new Uint8Array(32).fill(2));
  const certificate = strings(
    utf8('ssh-ed25519-cert-v01@openssh.com'),
    new Uint8Array(32),
    new Uint8Array(32).fill(1),
  );

  it('takes the earliest time over all names, lines and certificates of a key', () => {
    const lines = [
      { blob: key, names: ['one'] },
      { blob: certificate, names: ['two', 'three'] },
      { blob: other, names: ['four'] },
      { blob: key, names: ['five'] },
    ];
    const judge = (disabled: object) => lines.map(disabledSince(lines, new Map(Object.entries(disabled))));
    expect(judge({})).toEqual([undefined, undefined, undefined, undefined]);
    expect(judge({ one: 8 })).toEqual([8, 8, undefined, 8]);
    expect(judge({ three: 7, five: 9 })).toEqual([7, 7, undefined, 7]);
    expect(judge({ four: 6 })).toEqual([undefined, undefined, 6, undefined]);
  });

  it('keeps the earliest date that stands in a file of signers', () => {
    const line = (date: string) => `ada namespaces="git",valid-before="${date}Z" ssh-ed25519 AAAAC3 c`;
    const before = ['20260102000000', '20260101000000', '20260103000000'].map(line).join('\n');
    const signer = { principal: 'ada', key: 'ssh-ed25519 AAAAC3', comment: 'c', disabledAt: undefined };
    expect(allowedSigners([signer], ['git'], before)).toBe(`${line('20260101000000')}\n`);
  });
});

describe('readKeyLines', () => {
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm';
  const u = 'A'.repeat(43);

  it.each([
    [`${key} ada u=${u}`, 'ada'],
    [`restrict ${key} u=${u},${u} ada of home`, 'ada of home'],
    [`from="*.example,ssh-ed25519 x",command="a \\" b" ${key} u=${u}`, ''],
  ])('reads %s', (line, comment) => {
    const { keys, complaints } = readKeyLines(`${line}\r\n`);
    expect(complaints).toEqual([]);
    expect(keys).toMatchObject([{ text: line, key, comment, names: expect.arrayContaining([u]) as unknown }]);
  });

  it.each([
    [`${key} ada`, /no u=NAME/],
    [`${key} u=short`, /not a disabling name/],
    [`${key} u=${u.slice(1)}B`, /not a disabling name/],
    [`ssh-rsa ${key.split(' ')[1]} u=${u}`, /damaged/],
    [`command="${key} u=${u}`, /not a public key/],
  ])('does not use %s', (line, problem) => {
    const { keys, complaints } = readKeyLines(line);
    expect(keys).toEqual([]);
    expect(complaints).toEqual([{ line: 1, problem: expect.stringMatching(problem) as unknown }]);
  });
});

const isRoot = process.getuid?.() === 0;
describe.skipIf(missing.length > 0 || !isRoot)('the code ends access', { timeout: 300_000 }, () => {
  // sshd runs only commands whose folders root alone can change.
  const folder = isRoot ? mkdtempSync('/run/roaming-key-') : '';
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('in the middle of a session: the next login is refused', async () => {
    const box = sandbox();
    const { url } = await serveAssistant(box);
    const code = await enrol(box, url, 'ssh');
    writeFileSync(box.file('keys'), readFileSync(box.file('keys'), 'utf8').replace(/^.*(?=ssh-ed25519)/, ''));
    const script = `#!/bin/sh
PATH=${process.env['PATH']} exec ${box.file('bin', 'roaming-key')} authorized-keys --keys ${box.file('keys')} --feed ${url} --fresh 0 --cache ${box.file('feed.json')}
`;
    const file = path.join(folder, 'authorized-keys');
    writeFileSync(file, script);
    chmodSync(file, 0o755);
    const sshd = await startSshd(box, [
      'AuthorizedKeysFile none',
      `AuthorizedKeysCommand ${file}`,
      'AuthorizedKeysCommandUser root',
    ]);
    const socket = box.file('agent.sock');
    await box.start(`roaming-key agent --foreground --socket ${socket}`).until(/SSH_AUTH_SOCK/);
    const session = sshd.run("'read line; echo still here'", socket);
    await eventually(() => expect(sshd.log()).toContain('Starting session'));
    expect(await sshd.run('echo in', socket)).toMatchObject({ status: 0, stdout: 'in\n' });
    await box.json(['disable', '--assistant', url, '--code', code]);
    expect(await sshd.run('echo in', socket)).toMatchObject({ status: 255, stdout: '' });
    expect(await session).toMatchObject({ stdout: 'still here\n' });
  });
});
