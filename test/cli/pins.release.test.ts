/** A device record that was changed, by sync or by another user, gets no password out of its owner. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import express from 'express';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { eventually } from '../support/eventually.ts';
import { listen } from '../support/world.ts';
import { CHEAP, cleanUp, type Sandbox, type Started, sandbox, serveAssistant } from './support.ts';

cleanUp();

describe('pins', { timeout: 120_000 }, () => {
  const box = sandbox();
  let assistant: Started & { readonly url: string };
  beforeAll(async () => {
    assistant = await serveAssistant(box);
  });

  const enrol = (home: Sandbox, name: string) =>
    home.json(['enroll', '--assistant', `${assistant.url}/`, '--record', name, ...CHEAP]);
  const read = (home: Sandbox, name: string) =>
    JSON.parse(readFileSync(home.file(name), 'utf8')) as DeviceRecord;
  const put = (home: Sandbox, name: string, record: object) =>
    writeFileSync(home.file(name), JSON.stringify(record));

  it("are made at enrolment; a changed record's assistant is never asked", async () => {
    await enrol(box, 'r.json');
    const [pin] = readdirSync(box.file('data/roaming-key/pins'));
    expect(statSync(box.file('data/roaming-key/pins', pin as string)).mode & 0o777).toBe(0o600);
    const record = read(box, 'r.json');

    const thief = express();
    const asked = vi.fn();
    thief.use((req, res) => {
      asked(req.url);
      res.sendStatus(503);
    });
    const url = await listen(thief);
    put(box, 'r.json', { ...record, assistant: { ...record.assistant, url } });
    const commands = [['sign'], ['unlock', '--out', 'key'], ['login', '--url', url, '--account', 'a']];
    for (const [name, ...rest] of [...commands, ['record', 'check']] as [string, ...string[]][]) {
      const args =
        name === 'record' ? ['record', 'check', '--record', 'r.json'] : [name, '--record', 'r.json', ...rest];
      expect(await box.failure(args, { input: 'x' })).toMatchObject({
        code: 'bad_record',
        exitCode: 7,
        message: expect.stringContaining(url) as unknown,
      });
    }
    expect(asked).not.toHaveBeenCalled();

    const other = await box.json(['keys', 'generate', '--keys', 'other.json']);
    const [{ kid }] = other['keys'] as [{ kid: string }];
    const { keys } = JSON.parse(readFileSync(box.file('other.json'), 'utf8')) as {
      keys: [{ jwk: { x: string } }];
    };
    const jwk = { kty: 'OKP', crv: 'X25519', x: keys[0].jwk.x, kid };
    put(box, 'r.json', { ...record, assistant: { ...record.assistant, jwk } });
    expect(await box.failure(['sign', '--record', 'r.json'], { input: 'x' })).toMatchObject({
      code: 'bad_record',
      message: expect.stringContaining(kid) as unknown,
    });
    put(box, 'r.json', record);
    expect(await box.run(['sign', '--record', 'r.json'], { input: 'x' })).toMatchObject({ status: 0 });
  });

  it('are missing on another machine, until the user names the assistant', async () => {
    await enrol(box, 'moved.json');
    const away = sandbox();
    put(away, 'moved.json', read(box, 'moved.json'));
    const sign = ['sign', '--record', 'moved.json'];
    expect(await away.failure(sign, { input: 'x' })).toMatchObject({ code: 'bad_record' });
    expect(await away.run([...sign, '--assistant', assistant.url], { input: 'x' })).toMatchObject({
      status: 0,
    });
    const trust = ['record', 'trust', '--record', 'moved.json', '--assistant'];
    expect(await away.failure([...trust, 'https://other.example'])).toMatchObject({ code: 'bad_record' });
    await away.json([...trust, assistant.url]);
    expect(await away.run(sign, { input: 'x' })).toMatchObject({ status: 0 });

    const folder = away.file('data/roaming-key/pins');
    const [pin] = readdirSync(folder) as [string];
    chmodSync(`${folder}/${pin}`, 0o644);
    expect(await away.failure(sign, { input: 'x' })).toMatchObject({ code: 'bad_input', exitCode: 7 });
  });

  it("follow the assistant's rotation", async () => {
    await enrol(box, 'rotated.json');
    const before = read(box, 'rotated.json').assistant.jwk.kid;
    await box.json(['keys', 'rotate', '--keys', 'keys.json']);
    assistant.child.kill('SIGHUP');
    await eventually(async () => {
      const { keys } = (await (await fetch(`${assistant.url}/keys`)).json()) as { keys: unknown[] };
      expect(keys).toHaveLength(2);
    });
    const sign = () => box.run(['sign', '--record', 'rotated.json'], { input: 'x' });
    expect(await sign()).toMatchObject({ status: 0 });
    expect(read(box, 'rotated.json').assistant.jwk.kid).not.toBe(before);
    expect(await sign()).toMatchObject({ status: 0 });
  });
});

describe('doctor', { timeout: 120_000 }, () => {
  it('says what is good, and what to do about what is not', async () => {
    const box = sandbox();
    const { url, child, ended } = await serveAssistant(box);
    await box.json(['enroll', '--assistant', url, ...CHEAP]);
    const look = async () => {
      const { status, stdout } = await box.run(['doctor', '--json']);
      const { findings } = JSON.parse(stdout) as {
        findings: { about: string; state: string; says: string }[];
      };
      return {
        status,
        states: Object.fromEntries(findings.map(({ about, state }) => [about, state])),
        findings,
      };
    };
    expect(await look()).toMatchObject({
      status: 0,
      states: {
        permissions: 'good',
        record: 'good',
        kit: 'good',
        network: 'good',
        clock: 'good',
        assistant: 'good',
      },
    });
    chmodSync(box.file('data/roaming-key/records'), 0o755);
    const [pin] = readdirSync(box.file('data/roaming-key/pins')) as [string];
    const file = box.file('data/roaming-key/pins', pin);
    const old = { ...(JSON.parse(readFileSync(file, 'utf8')) as object), since: 1_700_000_000 };
    writeFileSync(file, JSON.stringify(old));
    child.kill('SIGTERM');
    await ended;
    const { status, states, findings } = await look();
    expect([status, states]).toEqual([
      6,
      { permissions: 'warning', record: 'good', kit: 'warning', assistant: 'bad' },
    ]);
    expect(JSON.stringify(findings)).toMatch(/chmod 700 .*see whether you are online/);
  });
});
