/** `roaming-key` on one side and the peer on the other, as the processes that people run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { CHEAP, cleanUp, type Sandbox, sandbox, serveAssistant } from '../cli/support.ts';
import { failureOf, peerDevice } from './parties.ts';
import { type CaseAnswers, isGenuineToOpenssl, isSkipped, startPeers, wrongAnswers } from './support.ts';

cleanUp();

const DATA = 'the contents of a file\n';
const WRONG = { env: { ROAMING_KEY_PASSWORD: 'another horse' } };
/** Those in which a process and its store on disk have a part; attacks.test.ts has all of them, on the router. */
const GROUPS = ['helped', 'body', 'mac', 'count', 'disable', 'feed'];

describe.skipIf(isSkipped)('the command line', { timeout: 120_000 }, () => {
  const peers = startPeers();
  const theirDevice = peerDevice(() => peers.device);

  const readRecord = (box: Sandbox, name: string): DeviceRecord =>
    JSON.parse(readFileSync(box.file(name), 'utf8'));

  describe('as a device of the peer’s assistant', () => {
    let box: Sandbox;
    beforeAll(() => {
      box = sandbox();
      writeFileSync(box.file('data.txt'), DATA);
    });
    const enroll = (name: string, ...options: string[]) =>
      box.json(['enroll', '--assistant', peers.assistant.url, '--record', name, ...CHEAP, ...options]);
    const signed = async (name: string, alg: string) => {
      const answer = await box.json(['sign', '--record', name, '--alg', alg, 'data.txt']);
      return Buffer.from(answer['signature'] as string, 'base64url');
    };

    it('recovers a key, follows a rotation, and is told of the peer’s wrong guesses', async () => {
      await enroll('retrieve.json', '--type', 'P-256', '--kit', 'retrieve.kit');
      const record = readRecord(box, 'retrieve.json');
      expect(
        isGenuineToOpenssl(record.jwk, 'ES256', Buffer.from(DATA), await signed('retrieve.json', 'ES256')),
      ).toBe(true);
      const unlocked = await box.shell(
        'roaming-key unlock --record retrieve.json --out - | openssl pkey -noout -check',
      );
      expect(unlocked).toMatchObject({ status: 0 });
      expect(await box.failure(['sign', '--record', 'retrieve.json', 'data.txt'], WRONG)).toMatchObject({
        code: 'wrong_password',
        exitCode: 3,
        attemptsLeft: 4,
      });
      await peers.assistant.do('rotate', { kind: 'P-256' });
      await box.json(['unlock', '--record', 'retrieve.json', '--out', 'key.pem']);
      const renewed = readRecord(box, 'retrieve.json');
      expect(renewed.assistant.jwk.kty).toBe('EC');
      expect(renewed).toEqual({ ...record, ticket: renewed.ticket, assistant: renewed.assistant });

      // The kit that it wrote is good in other hands, and then for nothing more.
      await theirDevice.disable(JSON.parse(readFileSync(box.file('retrieve.kit'), 'utf8')));
      expect(await box.failure(['sign', '--record', 'retrieve.json', 'data.txt'])).toMatchObject({
        code: 'disabled',
        exitCode: 5,
      });
    });

    it('signs with a shared key, until its code disables it', async () => {
      const { code } = await enroll('rsa.json', '--scheme', 'rsa');
      const { jwk } = readRecord(box, 'rsa.json');
      for (const alg of ['PS256', 'RS512']) {
        expect(isGenuineToOpenssl(jwk, alg, Buffer.from(DATA), await signed('rsa.json', alg))).toBe(true);
      }
      await peers.assistant.do('lie', { name: 'result flipped' });
      expect(await box.failure(['sign', '--record', 'rsa.json', 'data.txt'])).toMatchObject({
        code: 'bad_response',
        exitCode: 9,
      });
      await peers.assistant.do('lie', { name: 'not disabled' });
      const disabling = ['disable', '--code', code as string, '--assistant', peers.assistant.url];
      expect(await box.failure(disabling)).toMatchObject({ code: 'bad_response', exitCode: 9 });
      await peers.assistant.do('lie');
      await box.json(disabling);
      expect(
        await failureOf(theirDevice.sign(readRecord(box, 'rsa.json'), 'PS256', Buffer.from(DATA))),
      ).toEqual({
        code: 'disabled',
      });
    });

    it('decrypts what the peer encrypted, and the other way round', async () => {
      for (const type of ['P-256', 'ffdhe2048']) {
        await enroll(`${type}.json`, '--scheme', 'elgamal', '--type', type);
        const record = readRecord(box, `${type}.json`);
        writeFileSync(box.file('letter.jwe'), await theirDevice.encrypt(record.jwk, Buffer.from(DATA)));
        const read = await box.run(['decrypt', '--record', `${type}.json`, 'letter.jwe']);
        expect(read).toMatchObject({ status: 0, stdout: DATA });
        const { jwe } = await box.json(['encrypt', '--record', `${type}.json`, 'data.txt']);
        const { plaintext } = await theirDevice.decrypt(record, jwe as string);
        expect(Buffer.from(plaintext).toString()).toBe(DATA);
      }
    });

    it.each([
      ['ed25519', []],
      ['retrieve', ['--kit', 'new.kit']],
    ])('registers and logs in with %s, changes its password, and is locked out', async (scheme, kit) => {
      const name = `${scheme}-login.json`;
      await enroll(name, '--scheme', scheme);
      const old = readRecord(box, name);
      const url = (path: string) => `${peers.assistant.url}/${path}`;
      const at = (path: string) => ['--record', name, '--url', url(path), '--account', scheme];
      await box.json(['register', ...at('register')]);
      const { answer } = await box.json(['login', ...at('login')]);
      expect(answer).toMatchObject({ account: scheme });
      const changed = await box.json(['change-password', '--record', name, ...kit], {
        env: { ROAMING_KEY_NEW_PASSWORD: 'a newer horse' },
      });
      expect(changed).toMatchObject({ oldRetired: true });
      expect(await failureOf(theirDevice.sign(old, 'Ed25519', Buffer.from(DATA)))).toEqual({
        code: 'retired',
      });
      const record = readRecord(box, name);
      const { attemptsLeft } = await box.failure(['login', ...at('login')], WRONG);
      expect(attemptsLeft).toBe(4);
      const { answer: again } = await box.json(['login', ...at('login')], {
        env: { ROAMING_KEY_PASSWORD: 'a newer horse' },
      });
      expect(again).toMatchObject({ account: scheme });
      await peers.device.do('guess', { record, times: 5 });
      expect(await box.failure(['login', ...at('login')])).toMatchObject({ code: 'locked', exitCode: 4 });
    });
  });

  describe('as the peer’s assistant', () => {
    it('answers hostile requests as the text says', async () => {
      const box = sandbox();
      const { url } = await serveAssistant(box);
      for (const group of GROUPS) {
        const { results } = await peers.device.do<CaseAnswers>('assault', { assistant: url, group });
        expect(results).not.toEqual({});
        expect(wrongAnswers(results)).toEqual({});
      }
    });

    it('serves every scheme, and moves the peer to a new key', async () => {
      const box = sandbox();
      const { url, child } = await serveAssistant(box);
      const retrieved = await theirDevice.enroll({ assistant: url });
      const shared = await theirDevice.enroll({ assistant: url, scheme: 'rsa', key: 'RSA-3072' });
      const sealed = await theirDevice.enroll({ assistant: url, scheme: 'elgamal', key: 'ffdhe3072' });
      const data = Buffer.from(DATA);
      await theirDevice.unlock(retrieved.record);
      const { signature } = await theirDevice.sign(shared.record, 'PS384', data);
      expect(isGenuineToOpenssl(shared.record.jwk, 'PS384', data, signature)).toBe(true);
      const jwe = await theirDevice.encrypt(sealed.record.jwk, data);
      expect((await theirDevice.decrypt(sealed.record, jwe)).plaintext).toEqual(new Uint8Array(data));

      await box.json(['keys', 'rotate', '--keys', 'keys.json', '--type', 'RSA-OAEP-256']);
      child.kill('SIGHUP');
      const listed = async () => {
        const { keys } = (await (await fetch(`${url}/keys`)).json()) as { keys: object[] };
        return keys.length;
      };
      await expect.poll(listed).toBe(2);
      const { record } = await theirDevice.unlock(retrieved.record, { assistant: url });
      expect(record.assistant.jwk.kty).toBe('RSA');
      await theirDevice.unlock(record, { assistant: url });

      await box.json(['disable', '--code', sealed.code, '--assistant', url]);
      expect(await failureOf(theirDevice.decrypt(sealed.record, jwe))).toEqual({ code: 'disabled' });
      await theirDevice.disable(shared.kit);
      expect(await failureOf(theirDevice.sign(shared.record, 'PS384', data))).toEqual({ code: 'disabled' });
      const { names } = await peers.device.do<{ names: string[] }>('feed', { assistant: url });
      expect(names).toEqual([sealed.record.u, shared.record.u]);
    });
  });
});
