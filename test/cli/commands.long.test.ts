import { createPrivateKey, createPublicKey, sign as nodeSign, verify } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { CompactEncrypt, compactVerify, importJWK, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { parseRecord } from '../../lib/protocol/record.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { eventually } from '../support/eventually.ts';
import { PASSWORD, startRelyingParty } from '../support/world.ts';
import { CHEAP, cleanUp, sandbox, serveAssistant } from './support.ts';

cleanUp();

const bytes = (base64url: unknown) => Buffer.from(base64url as string, 'base64url');

const home = sandbox();
let url: string;
beforeAll(async () => {
  ({ url } = await serveAssistant(home));
});

describe('a device on the command line', { timeout: 300_000 }, () => {
  it('enrols, registers, logs in, changes its password and is disabled', async () => {
    const box = sandbox();
    const store = new SqliteStore(home.file('store.db'));
    const { origin } = await startRelyingParty(store);
    const app = ['--url', `${origin}/login`, '--account', 'ada', '--record', 'ada.json'];

    const enrolled = await box.json([
      'enroll',
      '--scheme',
      'retrieve',
      '--assistant',
      url,
      '--record',
      'ada.json',
      '--kit',
      'kit.json',
      ...CHEAP,
    ]);
    expect(enrolled).toEqual({
      record: 'ada.json',
      scheme: 'retrieve',
      kid: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      jwk: { kty: 'OKP', crv: 'Ed25519', x: expect.any(String) as unknown },
      u: expect.any(String) as unknown,
      assistant: url,
      code: expect.stringMatching(/^([0-9A-Z]{4}-){7}[0-9A-Z]{4}$/) as unknown,
      kit: 'kit.json',
    });
    for (const file of ['ada.json', 'kit.json']) expect(statSync(box.file(file)).mode & 0o777).toBe(0o600);

    const register = ['register', '--url', `${origin}/register`, '--account', 'ada', '--record', 'ada.json'];
    expect(await box.failure(register)).toMatchObject({ code: 'refused', exitCode: 8 });
    writeFileSync(box.file('invitation.txt'), 'X-Invited: ada\n', { mode: 0o600 });
    const registered = await box.json([...register, '--headers', 'invitation.txt']);
    expect(registered).toMatchObject({ account: 'ada' });

    const loggedIn = await box.json(['login', ...app]);
    expect(loggedIn).toEqual({
      account: 'ada',
      cookies: [expect.stringMatching(/^connect\.sid=/) as unknown],
      answer: { user: { account: 'ada' } },
    });
    const cookie = (loggedIn['cookies'] as string[])[0] as string;
    expect((await fetch(`${origin}/me`, { headers: { cookie } })).status).toBe(200);

    const before = readFileSync(box.file('ada.json'), 'utf8');
    const change = [
      'change-password',
      '--record',
      'ada.json',
      '--register',
      `${origin}/register`,
      '--account',
      'ada',
    ];
    const env = { ROAMING_KEY_NEW_PASSWORD: 'another battery' };
    expect(await box.failure(change, { env })).toMatchObject({ code: 'usage' });
    const changed = await box.json([...change, '--headers', 'invitation.txt', '--kit', 'new-kit.json'], {
      env,
    });
    expect(changed).toEqual({
      record: 'ada.json',
      kit: 'new-kit.json',
      u: expect.not.stringMatching(enrolled['u'] as string) as unknown,
      oldRetired: true,
    });
    expect(await box.failure(['login', ...app])).toMatchObject({ code: 'wrong_password', attemptsLeft: 4 });
    expect(
      await box.json(['login', ...app], { env: { ROAMING_KEY_PASSWORD: 'another battery' } }),
    ).toBeTruthy();
    writeFileSync(box.file('ada.json'), before);
    expect(await box.failure(['login', ...app])).toMatchObject({ code: 'retired', exitCode: 5 });

    expect(await box.json(['disable', '--kit', 'new-kit.json'])).toEqual({
      disabled: true,
      assistant: url,
    });
    expect((await fetch(`${origin}/me`, { headers: { cookie } })).status).toBe(403);
    await store.close();
  });

  it.concurrent('signs with a recovered key in every format, and gives the key out', async () => {
    const box = sandbox();
    const { jwk, kid } = await box.json(['enroll', '--assistant', url, '--type', 'P-256', ...CHEAP]);
    const key = createPublicKey({ key: jwk as { kty: string }, format: 'jwk' });
    const message = Buffer.from('what is signed');
    writeFileSync(box.file('message'), message);
    const isGood = (signature: Buffer) =>
      verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);

    const signed = await box.json(['sign', 'message']);
    expect(signed).toEqual({ format: 'base64url', kid, signature: expect.any(String) as unknown });
    expect(isGood(bytes(signed['signature']))).toBe(true);

    expect(await box.json(['sign', '--format', 'raw', '--out', 'sig'], { input: message })).toEqual({
      format: 'raw',
      kid,
      out: 'sig',
    });
    expect(isGood(readFileSync(box.file('sig')))).toBe(true);
    expect(statSync(box.file('sig')).mode & 0o077).not.toBe(0);

    const { stdout: jws } = await box.run(['sign', '--format', 'jws', '--typ', 'note', 'message']);
    const verified = await compactVerify(jws.trim(), await importJWK(jwk as JWK, 'ES256'));
    expect([Buffer.from(verified.payload), verified.protectedHeader]).toEqual([
      message,
      { alg: 'ES256', typ: 'note', kid },
    ]);

    const pem = await box.json(['unlock', '--out', '-']);
    expect(pem).toEqual({ format: 'pem', key: expect.stringContaining('BEGIN PRIVATE KEY') as unknown });
    const whole = createPrivateKey(pem['key'] as string);
    expect(verify('sha256', message, key, nodeSign('sha256', message, whole))).toBe(true);
    expect(await box.json(['unlock', '--format', 'jwk', '--out', 'key.jwk'])).toEqual({
      format: 'jwk',
      out: 'key.jwk',
    });
    expect(JSON.parse(readFileSync(box.file('key.jwk'), 'utf8'))).toMatchObject(jwk as object);
    expect(statSync(box.file('key.jwk')).mode & 0o777).toBe(0o600);
  });

  it.concurrent('changes the password of a shared key, whose kit stays good', async () => {
    const box = sandbox();
    const { scheme, code } = await box.json(['enroll', '--assistant', url, ...CHEAP]);
    expect(scheme).toBe('ed25519');
    const file = box.file('data/roaming-key/records/key-default.json');
    const before = readFileSync(file);
    const env = { ROAMING_KEY_NEW_PASSWORD: 'another battery' };
    expect(await box.failure(['change-password', '--kit', 'kit.json'], { env })).toMatchObject({
      code: 'usage',
    });
    const changed = await box.json(['change-password'], { env });
    expect(changed).toEqual({ name: 'default', u: expect.any(String) as unknown, oldRetired: true });
    expect(await box.json(['record', 'list'])).toMatchObject({ names: ['default'] });
    const sign = (password: string) => ({ input: 'x', env: { ROAMING_KEY_PASSWORD: password } });
    expect(await box.failure(['sign'], sign(PASSWORD))).toMatchObject({ code: 'wrong_password' });
    const [jws] = (
      await box.run(['sign', '--format', 'jws', '--alg', 'EdDSA'], sign('another battery'))
    ).stdout.split('.');
    expect(JSON.parse(Buffer.from(jws as string, 'base64url').toString())).toMatchObject({ alg: 'EdDSA' });

    writeFileSync(box.file('data/roaming-key/records/key-old.json'), before, { mode: 0o600 });
    expect(await box.failure(['sign', '--name', 'old'], { input: 'x' })).toMatchObject({ code: 'retired' });
    await box.json(['disable', '--assistant', url, '--code', code as string]);
    expect(await box.failure(['sign'], sign('another battery'))).toMatchObject({ code: 'disabled' });
  });

  it.concurrent('retires a record, and one that a change of password has left behind', async () => {
    const box = sandbox();
    await box.json(['enroll', '--assistant', url, '--record', 'r.json', ...CHEAP]);
    const first = readFileSync(box.file('r.json'));
    const keepOld = () => writeFileSync(box.file('r.json.old'), first, { mode: 0o600 });
    const NEW_PASSWORD = 'another battery';
    const change = (from: string, to: string) =>
      [
        ['change-password', '--record', 'r.json'],
        { env: { ROAMING_KEY_PASSWORD: from, ROAMING_KEY_NEW_PASSWORD: to } },
      ] as const;
    // As a change leaves it that dies before it has replaced the record: the record in force must not go.
    keepOld();
    expect(await box.failure(['retire', '--record', 'r.json', '--old'])).toMatchObject({ code: 'not_found' });
    const { stderr } = await box.run(['sign', '--record', 'r.json'], {
      input: 'x',
      env: { ROAMING_KEY_PASSWORD: 'wrong' },
    });
    expect(stderr).toContain('wrong');
    const changed = await box.run(...change(PASSWORD, NEW_PASSWORD));
    expect(changed).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('wrong passwords tried on this key since its last use: 1') as unknown,
    });
    expect(existsSync(box.file('r.json.old'))).toBe(false);

    // As a change leaves it that could not retire: it is the only copy, and stays.
    keepOld();
    expect(await box.failure(...change(NEW_PASSWORD, PASSWORD))).toMatchObject({
      code: 'exists',
      message: expect.stringContaining('retire --old') as unknown,
    });
    expect(readFileSync(box.file('r.json.old'))).toEqual(first);
    expect(await box.json(['retire', '--record', 'r.json', '--old'])).toEqual({ retired: true });
    expect(existsSync(box.file('r.json.old'))).toBe(false);
    const env = { ROAMING_KEY_PASSWORD: NEW_PASSWORD };
    expect(await box.json(['retire', '--record', 'r.json'], { env })).toEqual({ retired: true });
    expect(await box.failure(['sign', '--record', 'r.json'], { input: 'x', env })).toMatchObject({
      code: 'retired',
    });
  });

  it.concurrent('never signs what would pass for a login', async () => {
    const box = sandbox();
    await box.json(['enroll', '--assistant', url, ...CHEAP]);
    const head = Buffer.from('{"alg":"Ed25519","typ":"rk-login+jwt"}').toString('base64url');
    for (const args of [['sign'], ['sign', '--format', 'jws', '--typ', 'rk-login+jwt']]) {
      expect(await box.failure(args, { input: `${head}.e30` })).toMatchObject({
        code: 'refused',
        exitCode: 8,
      });
    }
  });

  it.concurrent('decrypts with a shared key what it or a JOSE library encrypted', async () => {
    const box = sandbox();
    const { jwk } = await box.json(['enroll', '--assistant', url, '--scheme', 'elgamal', ...CHEAP]);
    const plaintext = Buffer.from([0, 255, 10, 13]);

    const { jwe } = await box.json(['encrypt', '--name', 'default'], { input: plaintext });
    const decrypted = await box.json(['decrypt'], { input: jwe as string });
    expect(decrypted).toEqual({ plaintext: plaintext.toString('base64url') });

    const theirs = await new CompactEncrypt(plaintext)
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A128GCM' })
      .encrypt(await importJWK(jwk as JWK, 'ECDH-ES'));
    writeFileSync(box.file('theirs.jwe'), `${theirs}\n`);
    expect(await box.json(['decrypt', 'theirs.jwe', '--out', 'plain'])).toEqual({ out: 'plain' });
    expect(readFileSync(box.file('plain'))).toEqual(plaintext);
    expect(statSync(box.file('plain')).mode & 0o777).toBe(0o600);

    writeFileSync(box.file('public.jwk'), JSON.stringify(jwk));
    expect(await box.json(['encrypt', '--to', 'public.jwk', '--out', 'c'], { input: 'x' })).toEqual({
      out: 'c',
    });
  });

  it.concurrent('follows the assistant to a new key, and tells what it knows of a record', async () => {
    const box = sandbox();
    const { url, child, until } = await serveAssistant(box, '--path /help');
    const assistant = ['--assistant', url];
    await box.json(['enroll', ...assistant, '--name', 'work', ...CHEAP]);
    expect(await box.json(['record', 'list'])).toEqual({
      folder: box.file('data', 'roaming-key', 'records'),
      names: ['work'],
    });
    const before = await box.json(['record', 'show', '--name', 'work']);
    expect(Object.keys(before)).toEqual(['name', 'scheme', 'kid', 'jwk', 'u', 'assistant', 'kdf']);
    expect(JSON.stringify(before)).not.toContain('salt');
    const check = ['record', 'check', '--name', 'work', ...assistant];
    expect(await box.json(check)).toEqual({ name: 'work', ok: true, assistantKey: 'active', warnings: [] });

    const { keys } = await box.json(['keys', 'rotate', '--keys', 'keys.json']);
    expect(keys).toEqual([
      {
        kid: expect.any(String) as unknown,
        type: 'X25519',
        state: 'active',
        since: expect.any(Number) as unknown,
      },
      {
        kid: (before['assistant'] as { kid: string }).kid,
        type: 'X25519',
        state: 'retiring',
        since: expect.any(Number) as unknown,
      },
    ]);
    child.kill('SIGHUP');
    await eventually(async () => {
      const { keys: published } = (await (await fetch(`${url}/keys`)).json()) as { keys: unknown[] };
      expect(published).toHaveLength(2);
    });
    expect(await box.json(check)).toMatchObject({
      assistantKey: 'retiring',
      warnings: [expect.stringContaining('retiring')],
    });
    await box.json(['sign', '--name', 'work', ...assistant], { input: 'x' });
    await until(/"renewed":true/);
    expect(await box.json(check)).toMatchObject({ assistantKey: 'active', warnings: [] });

    const retired = await box.json(['keys', 'retire', '--keys', 'keys.json', '--older-than', '0']);
    expect(retired['dropped']).toEqual([(before['assistant'] as { kid: string }).kid]);
    expect((await box.json(['keys', 'list', '--keys', 'keys.json']))['keys']).toHaveLength(1);
  });

  it.concurrent('takes a key that exists, from a file or stdin, and leaves nothing of it', async () => {
    const box = sandbox();
    await box.shell(
      'openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out public.pem',
    );
    const input = readFileSync(box.file('key.pem'));
    await box.json(['enroll', '--scheme', 'retrieve', '--assistant', url, '--key', '-', ...CHEAP], { input });
    const shown = await box.run(['record', 'show', '--public', 'pem']);
    expect(shown.stdout).toBe(readFileSync(box.file('public.pem'), 'utf8'));

    const record = parseRecord(
      JSON.parse(readFileSync(box.file('data/roaming-key/records/key-default.json'), 'utf8')),
    );
    expect(await new Device(record, { assistant: url }).exportPrivateKey(PASSWORD, 'pkcs8-pem')).toBe(
      input.toString(),
    );
    expect(existsSync(box.file('kit.json'))).toBe(false);
  });
});
