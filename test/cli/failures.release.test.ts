import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import express from 'express';
import { beforeAll, describe, expect, it } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { CommandLineError, EXIT_STATUS, toFailure } from '../../lib/cli/failure.ts';
import { writeOutput } from '../../lib/cli/files.ts';
import { friendlyTime } from '../../lib/cli/history.ts';
import { localTime } from '../../lib/cli/output.ts';
import { Device } from '../../lib/device/device.ts';
import { parseRecord } from '../../lib/protocol/record.ts';
import { listen } from '../support/world.ts';
import { CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

const NOBODY = 'http://127.0.0.1:9';

/** A Node whose user has neither HOME nor an entry in the user database, as libuv reports it. */
const WITHOUT_HOME = `data:text/javascript,${encodeURIComponent(`
  import os from 'node:os';
  import { syncBuiltinESMExports } from 'node:module';
  os.homedir = () => { throw Object.assign(new Error('uv_os_homedir'), { code: 'ERR_SYSTEM_ERROR' }); };
  syncBuiltinESMExports();
`)}`;

const home = sandbox();
let url: string;
beforeAll(async () => {
  ({ url } = await serveAssistant(home));
});

describe('exit statuses', { timeout: 300_000 }, () => {
  it.concurrent.each([
    ['help'],
    ['help serve'],
    ['keys help'],
    ['keys help rotate'],
    ['--help'],
    ['--version'],
  ])('0: %s shows what was asked for', async (line) => {
    const { status, stdout, stderr } = await sandbox().run(line.split(' '));
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).not.toBe('');
  });

  it.concurrent('2: a wrong command line, told before anything is done', async () => {
    const box = sandbox({ ROAMING_KEY_ASSISTANT: NOBODY });
    const cases = [
      ['enrol'],
      ['enroll', '--no-such-option'],
      ['enroll', '--password', 'hunter2'],
      ['enroll', '--kdf-memory', '1024'],
      ['enroll', '--scheme', 'rsa', '--type', 'Ed25519'],
      ['enroll', '--name', 'a', '--record', 'b'],
      ['unlock'],
      ['login', '--account', 'ada'],
      ['store', 'unlock', 'short', '--store', 'sqlite:x.db'],
      ['store', 'prune', '--store', 'mysql:x'],
      ['store', 'prune', '--store', 'postgres://ada:hunter2@127.0.0.1:9/db'],
    ];
    const told = await Promise.all(cases.map((args) => box.failure(args)));
    expect(told.map(({ code, exitCode }) => [code, exitCode])).toEqual(cases.map(() => ['usage', 2]));
    expect(JSON.stringify(told)).not.toContain('hunter2');
    const { status, stdout, stderr } = await box.run(['keys']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: roaming-key keys');
    expect(await box.failure(['enroll'], { env: { ROAMING_KEY_PASSWORD: undefined } })).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('no terminal') as unknown,
    });
  });

  it.concurrent('3, 4, 5: a wrong password, then too many of them, then a disabled key', async () => {
    const box = sandbox();
    const { code } = await box.json([
      'enroll',
      '--scheme',
      'retrieve',
      '--assistant',
      url,
      '--record',
      'r.json',
      ...CHEAP,
    ]);
    const sign = ['sign', '--record', 'r.json'];
    writeFileSync(box.file('wrong'), 'not it\nnor this\n');
    const wrong = await box.run([...sign, '--password-file', 'wrong'], { input: 'x' });
    expect([wrong.status, wrong.stdout]).toEqual([3, '']);
    expect(wrong.stderr).toBe('roaming-key: the password is wrong; 4 tries left before waits begin\n');
    expect(await box.failure(sign, { input: 'x', env: { ROAMING_KEY_PASSWORD: 'bell\x07' } })).toMatchObject({
      code: 'bad_password',
      exitCode: 3,
    });

    const device = new Device(parseRecord(JSON.parse(readFileSync(box.file('r.json'), 'utf8'))), {
      assistant: url,
    });
    for (let left = 3; left >= 0; left--) {
      await expect(device.unlock('not it')).rejects.toMatchObject({
        code: 'wrong_password',
        attemptsLeft: left,
      });
    }
    const locked = await box.failure(sign, { input: 'x' });
    expect(locked).toMatchObject({ code: 'locked', exitCode: 4, retryAt: expect.any(Number) as unknown });
    expect((await box.run(sign, { input: 'x' })).stderr).toMatch(
      /; try again at \d{4}-\d\d-\d\d [\d:]+ [+-]\d\d:\d\d\n$/,
    );

    await box.json(['disable', '--assistant', url, '--code', (code as string).toLowerCase()]);
    expect(await box.failure(sign, { input: 'x' })).toMatchObject({ code: 'disabled', exitCode: 5 });
    expect(await box.failure(['record', 'check', '--record', 'r.json'])).toMatchObject({
      code: 'disabled',
      exitCode: 5,
    });
  });

  it('6, 9: nobody answers, or somebody who is no assistant', async () => {
    const box = sandbox();
    const liar = express();
    liar.use((_req, res) => void res.json({ keys: [], response: 'e30.e30.e30.e30.e30' }));
    const enroll = ['enroll', ...CHEAP, '--assistant'];
    const code = ['disable', '--code', '000G4-0R40M-30E20-9185G-R38E1-YZ4A', '--assistant'];
    const [none, lie, undone] = await Promise.all([
      box.failure([...enroll, NOBODY]),
      box.failure([...enroll, await listen(liar)]),
      box.failure([...code, await listen(liar)]),
    ]);
    expect(none).toMatchObject({ code: 'network', exitCode: 6 });
    expect([lie, undone]).toMatchObject([
      { code: 'bad_response', exitCode: 9 },
      { code: 'bad_response', exitCode: 9 },
    ]);
  });

  it.concurrent('7: damaged records, kits, codes, keys and marks', async () => {
    const box = sandbox();
    await box.json(['keys', 'generate', '--keys', 'keys.json']);
    await box.json(['enroll', '--assistant', url, '--record', 'r.json', '--kit', 'kit.json', ...CHEAP]);
    const record = JSON.parse(readFileSync(box.file('r.json'), 'utf8')) as Record<string, unknown>;
    const put = (file: string, value: unknown) =>
      writeFileSync(box.file(file), JSON.stringify(value), { mode: 0o600 });
    put('weak.json', { ...record, kdf: { name: 'argon2id', t: 1, m: 8, p: 1 } });
    put('kit-and-more.json', {
      ...(JSON.parse(readFileSync(box.file('kit.json'), 'utf8')) as object),
      more: 1,
    });
    put('marks', { kind: 'disabled', u: 'A'.repeat(43), t: 'A'.repeat(22), at: 1 });
    put('key.pem', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----');
    put('public.keys', {});
    chmodSync(box.file('keys.json'), 0o644);
    const cases: [string[], string][] = [
      [['sign', '--record', 'weak.json'], 'bad_record'],
      [['sign', '--record', 'keys.json'], 'bad_record'],
      [['sign', '--record', 'r.json', '--assistant', NOBODY], 'bad_record'],
      [['record', 'check', '--record', 'r.json', '--offline', '--assistant', NOBODY], 'bad_record'],
      [['disable', '--kit', 'kit-and-more.json'], 'bad_kit'],
      [['disable', '--kit', 'r.json'], 'bad_kit'],
      [['sign', '--record', 'kit.json'], 'bad_record'],
      [['sign', '--record', '.'], 'bad_record'],
      [['disable', '--assistant', url, '--code', '000G4-0R40M-30E20-9185G-R38E1-YZ4B'], 'bad_kit'],
      [['enroll', '--assistant', url, '--key', 'key.pem'], 'bad_key'],
      [['encrypt', '--to', 'public.keys'], 'bad_key'],
      [['keys', 'list', '--keys', 'keys.json'], 'bad_input'],
      [['keys', 'list', '--keys', 'public.keys'], 'bad_input'],
      [['store', 'import', '--store', 'sqlite:new.db', 'marks'], 'bad_input'],
    ];
    const told = await Promise.all(cases.map(([args]) => box.failure(args, { input: 'x' })));
    expect(told.map(({ code, exitCode }) => [code, exitCode])).toEqual(cases.map(([, code]) => [code, 7]));
    const messages = told.map(({ message }) => message);
    expect(messages).toContain('r.json is a device record, and a disabling kit is wanted');
    expect(messages).toContain('kit.json is a disabling kit, and a device record is wanted');
    expect(messages).toContain('. is a folder, and a device record is wanted');
  });

  it.concurrent('8: what the key or the assistant does not do', async () => {
    const box = sandbox();
    const { url } = await serveAssistant(box, '--rsa 3072');
    await box.json(['enroll', '--assistant', url, '--scheme', 'rsa', ...CHEAP]);
    const [unlock, sign] = await Promise.all([
      box.failure(['unlock', '--out', 'key.pem']),
      box.failure(['sign'], { input: 'x' }),
    ]);
    expect([unlock, sign]).toMatchObject([
      { code: 'unsupported', exitCode: 8 },
      { code: 'unsupported', exitCode: 8 },
    ]);
    expect(existsSync(box.file('key.pem'))).toBe(false);
  });

  it.concurrent('10: files that are missing, or there already and never overwritten unasked', async () => {
    const box = home;
    const enroll = ['enroll', '--scheme', 'retrieve', '--assistant', url, ...CHEAP];
    await box.json([...enroll, '--kit', 'kit.json']);
    mkdirSync(box.file('folder'));
    writeFileSync(box.file('kept'), 'kept');
    const cases: [string[], string][] = [
      [enroll, 'exists'],
      [[...enroll, '--force', '--kit', 'kit.json'], 'exists'],
      [[...enroll, '--record', 'kept'], 'exists'],
      [['unlock', '--out', 'kept'], 'exists'],
      [['sign', '--out', 'kept'], 'exists'],
      [['keys', 'generate', '--keys', 'keys.json'], 'exists'],
      [['store', 'export', '--store', 'sqlite:store.db', '--out', 'kept'], 'exists'],
      [['serve', '--port', new URL(url).port, '--keys', 'keys.json', '--store', 'sqlite:store.db'], 'exists'],
      [['sign', '--name', 'nobody'], 'not_found'],
      [['sign', 'nowhere'], 'not_found'],
      [['disable', '--kit', 'nowhere'], 'not_found'],
      [['serve', '--keys', 'nowhere', '--store', 'memory:'], 'not_found'],
      [['store', 'export', '--store', 'sqlite:nowhere.db', '--out', 'marks'], 'not_found'],
      [['store', 'unlock', 'A'.repeat(43), '--store', 'sqlite:store.db'], 'not_found'],
      [['store', 'forget', `-${'h'.repeat(42)}`, '--store', 'sqlite:store.db'], 'not_found'],
      [['unlock', '--out', 'nowhere/key.pem'], 'not_found'],
      [['unlock', '--force', '--out', 'folder'], 'io'],
    ];
    const told = await Promise.all(cases.map(([args]) => box.failure(args, { input: 'x' })));
    expect(told.map(({ code, exitCode }) => [code, exitCode])).toEqual(cases.map(([, code]) => [code, 10]));
    expect(readFileSync(box.file('kept'), 'utf8')).toBe('kept');
    expect(told[7]?.['message']).toContain(`127.0.0.1:${new URL(url).port}`);

    const kit = readFileSync(box.file('kit.json'), 'utf8');
    await box.json([...enroll, '--force', '--kit', 'second-kit.json']);
    expect(readFileSync(box.file('kit.json'), 'utf8')).toBe(kit);
    await box.json(['unlock', '--out', 'kept', '--force']);
    expect(readFileSync(box.file('kept'), 'utf8')).toContain('PRIVATE KEY');
  });
});

describe('toFailure', () => {
  it('says of unexpected errors no more than their name', () => {
    const quoting = new SyntaxError('Unexpected token in "correct horse"');
    expect(toFailure(quoting)).toEqual({
      code: 'unexpected',
      message: 'unexpected error: SyntaxError',
      exitCode: 1,
    });
    expect(toFailure('correct horse').message).not.toContain('correct horse');
  });

  it('gives every code one of the documented statuses', () => {
    const documented = EXIT_STATUS.map(([status]) => status);
    const codes = ['invalid_request', 'bad_mac', 'replayed', 'busy', 'unavailable', 'not_unlocked'] as const;
    for (const code of codes) expect(documented).toContain(toFailure(new RoamingKeyError(code, '')).exitCode);
    expect(toFailure(new CommandLineError('interrupted', '')).exitCode).toBe(130);
    expect(toFailure(Object.assign(new Error(), { code: 'ECONNREFUSED' })).exitCode).toBe(6);
    expect(toFailure(Object.assign(new Error(), { code: 'EACCES', path: '/x' }))).toMatchObject({
      code: 'io',
      exitCode: 10,
    });
  });
});

describe('surroundings', { timeout: 300_000 }, () => {
  it.concurrent('a user without a home is asked to say where, and gets help and version all the same', async () => {
    const box = sandbox({ NODE_OPTIONS: `--import=${WITHOUT_HOME}` });
    const env = { HOME: undefined, XDG_DATA_HOME: undefined };
    expect(await box.run(['--version'], { env })).toMatchObject({ status: 0, stderr: '' });
    expect(await box.run(['record', 'list'], { env })).toMatchObject({
      status: 2,
      stderr: 'roaming-key: this user has no home folder: set HOME or XDG_DATA_HOME\n',
    });
    expect(await box.failure(['keys', 'list'], { env })).toMatchObject({ code: 'usage' });
  });

  it.concurrent('a full file system is a message and no stack', async () => {
    const full = await sandbox().shell('roaming-key --help > /dev/full');
    expect([full.status, full.stderr]).toEqual([10, 'roaming-key: no space left on the device (ENOSPC)\n']);
  });

  it.concurrent('a command without -- gets the hint', async () => {
    const told = await sandbox().failure(['unlock', 'ssh-add', '-l']);
    expect(told).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('comes after --') as unknown,
    });
  });

  it.concurrent('--out replaces what a symbolic link points at, and not the link', async () => {
    const box = sandbox();
    writeFileSync(box.file('target'), 'old');
    symlinkSync('target', box.file('link'));
    await writeOutput(box.file('link'), 'new', { force: true });
    expect(readFileSync(box.file('target'), 'utf8')).toBe('new');
    expect(lstatSync(box.file('link')).isSymbolicLink()).toBe(true);
  });

  it.concurrent('times are local', () => {
    const at = 1_800_000_000;
    expect(new Date(localTime(at)).getTime()).toBe(at * 1000);
    const noon = new Date(2026, 10, 28, 12).getTime();
    expect(friendlyTime(noon / 1000 - 60, noon)).toBe('today, 11:59');
    expect(friendlyTime(noon / 1000 - 86_400, noon)).toBe('yesterday, 12:00');
    expect(friendlyTime(noon / 1000 - 3 * 86_400, noon)).toMatch(/^2026-11-25 12:00:00/);
  });
});
