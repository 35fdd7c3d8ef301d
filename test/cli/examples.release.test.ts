import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { startApp } from '../../examples/support/start.ts';
import { isAbsent } from '../support/binaries.ts';
import { examples, leaves } from './help.ts';
import { CHEAP, cleanUp, type Started, sandbox } from './support.ts';

cleanUp();

const missing = ['ssh-keygen', 'ssh-add', 'openssl', 'curl'].filter(isAbsent);

describe.skipIf(missing.length > 0)('the examples of the help', { timeout: 600_000 }, () => {
  const box = sandbox({ ROAMING_KEY_NEW_PASSWORD: 'another battery' });
  const ran = new Set<string>();
  const replaced: Record<string, string> = {};
  const urls: Record<string, string> = {};
  let app: Awaited<ReturnType<typeof startApp>>;

  beforeAll(async () => {
    app = await startApp('quickstart.ts');
    urls['https://app.example'] = app.origin;
    for (const folder of ['stick', '.ssh']) mkdirSync(box.file(folder));
    replaced['/media/stick'] = box.file('stick');
    replaced['roaming-key enroll'] = ['roaming-key', 'enroll', ...CHEAP].join(' ');
    writeFileSync(box.file('report.pdf'), 'a report\n');
    writeFileSync(box.file('letter.txt'), 'a letter\n');
    writeFileSync(box.file('notes.txt'), 'notes\n');
    await box.shell(`ssh-keygen -q -t ed25519 -N '' -f ${box.file('.ssh', 'id_ed25519')}`);
    return () => app.stop();
  });

  function lines(name: string): string[] {
    const command = leaves.find(([full]) => full === `roaming-key ${name}`)?.[1] as Command;
    return examples(command).map((line) => {
      ran.add(line);
      const all = Object.entries({ ...replaced, ...urls });
      return all.reduce((text, [from, to]) => text.replaceAll(from, to), line);
    });
  }

  async function run(...names: string[]): Promise<string[]> {
    const out: string[] = [];
    for (const line of names.flatMap(lines)) {
      const { status, stdout, stderr } = await box.shell(line);
      expect(`${line}: ${status} ${stderr}`).toMatch(/: 0 /);
      out.push(stdout);
    }
    return out;
  }

  it('work, one after the other', async () => {
    await run('keys generate', 'keys rotate', 'keys list', 'keys retire');

    let server: Started | undefined;
    for (const line of lines('serve')) {
      server?.child.kill('SIGINT');
      expect((await server?.ended)?.status ?? 0).toBe(0);
      server = box.start(line.replace(/(port) \d+/g, '$1 0').replace(app.origin, 'https://app.example'));
      urls['https://assistant.example'] = (await server.until(/listening on (\S+)\n/))[1] as string;
    }
    const assistant = server as Started;

    const enrolled = await run('enroll');
    expect(enrolled).toEqual(
      enrolled.map(() => expect.stringMatching(/\ncode +([0-9A-Z]{4}-?){8}\nKeep/) as unknown),
    );
    const [names, , line, jwk] = await run('record list', 'record show');
    expect(names).toBe('default\nmail\nsigning\nssh\n');
    expect(readFileSync(box.file('.ssh', 'id_ed25519.pub'), 'utf8')).toContain(
      (line as string).replace(/ u=.*/, '').trim(),
    );
    expect(jwk).toBe('');
    await run('record check', 'record trust', 'doctor');

    const [listed] = await run('unlock');
    expect(listed).toMatch(/^256 SHA256:\S+ ssh u=\S{43} \(ED25519\)\n/);
    expect(readFileSync(box.file('id_ed25519'), 'utf8')).toContain('OPENSSH PRIVATE KEY');
    const [start, unit] = lines('agent') as [string, string];
    expect(await box.shell(`${start}; ssh-add -l; kill $SSH_AGENT_PID`)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Agent pid \d+\n256 /) as unknown,
    });
    expect(await box.shell(unit)).toMatchObject({ status: 0 });
    await box.shell('roaming-key record show --name ssh --public ssh > hosts-keys');
    const [live] = await run('authorized-keys', 'revoked-keys', 'allowed-signers');
    expect(live).toBe(readFileSync(box.file('hosts-keys'), 'utf8'));

    const [, jws] = await run('sign');
    expect(Buffer.from((jws as string).split('.')[1] as string, 'base64url').toString()).toBe(
      '{"hello":"world"}\n',
    );
    await box.shell('echo "me $(roaming-key record show --public ssh)" > signers');
    const verify = 'ssh-keygen -Y verify -f signers -I me -n file -s report.pdf.sig < report.pdf';
    expect(await box.shell(verify)).toMatchObject({ status: 0 });
    expect(await run('encrypt', 'decrypt')).toEqual(['', '', 'a letter\n']);

    // The second example of register needs the session that the first one leads to.
    const [first, second] = lines('register') as [string, string];
    expect(await box.shell(first)).toMatchObject({ status: 0, stdout: 'registered ada\n' });
    const [me] = await run('login');
    expect(JSON.parse(me as string)).toEqual({ account: 'ada' });
    await box.shell(
      `echo "Cookie: $(roaming-key login --url ${app.origin}/login --account ada)" > session.txt`,
    );
    expect(await box.shell(second)).toMatchObject({ status: 0, stdout: 'registered ada\n' });
    const [changed, again] = await run('change-password');
    expect(changed).toBe('the password is changed\n');
    expect(again).toContain('the password is changed\n');
    replaced['$CODE'] = /code +(\S+)/.exec(enrolled[0] as string)?.[1] as string;
    const disabled = `the key is disabled at ${urls['https://assistant.example']}\n`;
    expect(await run('disable', 'retire')).toEqual([disabled, disabled, 'the record is retired\n']);

    await box.run(['sign', '--name', 'ssh'], { input: 'x', env: { ROAMING_KEY_PASSWORD: 'wrong' } });
    const [, id] = await assistant.until(/"type":"wrongPassword".*"id":"([\w-]{43})"/);
    replaced['$TICKET_ID'] = id as string;
    const [exported, , unlocked] = await run('store export', 'store prune', 'store unlock');
    expect([exported, unlocked]).toEqual(['5 marks\n', 'unlocked\n']);
    expect(await run('store forget', 'store import')).toEqual(['forgotten\n', '5 marks, 0 of them new\n']);
    expect([...ran].sort()).toEqual(leaves.flatMap(([, command]) => examples(command)).sort());
  });
});
