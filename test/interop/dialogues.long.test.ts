/** Whole dialogues between two implementations, in both directions: the library and a peer that shares no code with it. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { CompactEncrypt, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { thumbprint } from '../../lib/crypto/keys/public-jwk.ts';
import type { SignatureAlg } from '../../lib/device/login-proof.ts';
import { disablingCode } from '../../lib/protocol/disabling.ts';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import {
  type AssistantParty,
  type DeviceParty,
  failureOf,
  ourAssistant,
  ourDevice,
  peerAssistant,
  peerDevice,
} from './parties.ts';
import { isGenuineToOpenssl, isSkipped, startPeers } from './support.ts';

const DATA = new TextEncoder().encode('what is signed, sealed and delivered\n');
const WRONG = { password: 'another horse' };
const now = () => Math.floor(Date.now() / 1000);

/** That a time lies between one that was taken before it and now; clocks of two processes may differ by a second. */
function expectSince(start: number, time: unknown): void {
  expect(time).toBeGreaterThanOrEqual(start - 1);
  expect(time).toBeLessThanOrEqual(now() + 1);
}

describe.skipIf(isSkipped)('two implementations', () => {
  const peers = startPeers();

  const theirDevice = peerDevice(() => peers.device);
  const directions: [string, DeviceParty, DeviceParty, () => Promise<AssistantParty>][] = [
    ['our device, their assistant', ourDevice, theirDevice, () => peerAssistant(peers.assistant)],
    ['their device, our assistant', theirDevice, ourDevice, ourAssistant],
  ];

  describe.each(directions)('%s', (_, device, otherDevice, startAssistant) => {
    /** Wrong passwords from somebody who holds the record. */
    const guess = (record: DeviceRecord, times: number, clock = 0) =>
      peers.device.do<{ answers: { code: string }[] }>('guess', { record, times, clock });

    it.each<[string, SignatureAlg[]]>([
      ['Ed25519', ['Ed25519']],
      ['P-256', ['ES256']],
      ['RSA-2048', ['PS256', 'RS512']],
    ])('recover a key: %s', async (key, algs) => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, key });
      const start = now();
      expect(await failureOf(device.unlock(record, WRONG))).toMatchObject({
        code: 'wrong_password',
        attemptsLeft: 4,
      });
      const { pkcs8, failedSince } = await device.unlock(record, { assistant: url });
      expect(failedSince.count).toBe(1);
      expectSince(start, failedSince.last);
      const recovered = createPrivateKey({ key: Buffer.from(pkcs8), type: 'pkcs8', format: 'der' });
      expect(createPublicKey(recovered).export({ format: 'jwk' })).toEqual(record.jwk);
      for (const alg of algs) {
        const { signature } = await device.sign(record, alg, DATA);
        expect(isGenuineToOpenssl(record.jwk, alg, DATA, signature)).toBe(true);
        expect(isGenuineToOpenssl(record.jwk, alg, DATA.subarray(1), signature)).toBe(false);
      }
      // A record says the same to whoever reads it, and what it says of failures is over.
      const elsewhere = await otherDevice.unlock(record, { assistant: url });
      expect(Buffer.from(elsewhere.pkcs8).equals(pkcs8)).toBe(true);
      expect(elsewhere.failedSince).toEqual({ count: 0, last: null });
    });

    it.each<[string, SignatureAlg[]]>([
      ['RSA-2048', ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']],
      ['RSA-3072', ['PS512']],
    ])('sign with a shared key: %s', async (key, algs) => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, scheme: 'rsa', key });
      expect(await failureOf(device.sign(record, 'PS256', DATA, WRONG))).toMatchObject({
        code: 'wrong_password',
      });
      for (const alg of algs) {
        const { signature } = await device.sign(record, alg, DATA, { assistant: url });
        expect(isGenuineToOpenssl(record.jwk, alg, DATA, signature)).toBe(true);
      }
      const { signature } = await otherDevice.sign(record, 'RS256', DATA);
      expect(isGenuineToOpenssl(record.jwk, 'RS256', DATA, signature)).toBe(true);
    });

    it('sign with a shared key: Ed25519', async () => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, scheme: 'ed25519' });
      expect(await failureOf(device.sign(record, 'Ed25519', DATA, WRONG))).toMatchObject({
        code: 'wrong_password',
      });
      for (const data of [DATA, new Uint8Array(1), new Uint8Array(8192).fill(7)]) {
        const { signature } = await device.sign(record, 'Ed25519', data, { assistant: url });
        expect(isGenuineToOpenssl(record.jwk, 'Ed25519', data, signature)).toBe(true);
        const other = await otherDevice.sign(record, 'Ed25519', data);
        expect(isGenuineToOpenssl(record.jwk, 'Ed25519', data, other.signature)).toBe(true);
        expect(Buffer.from(other.signature)).not.toEqual(Buffer.from(signature));
      }
    });

    it.each([
      ['ed25519', undefined],
      ['elgamal', 'P-256'],
      ['elgamal', 'ffdhe2048'],
    ] as const)('change a password: %s %s', async (scheme, key) => {
      const { url } = await startAssistant();
      const made = await device.enroll({ assistant: url, scheme, ...(key && { key }) });
      const old = made.record;
      const { record } = await device.changePassword(old, 'another horse', { assistant: url });
      expect([record.u, record.jwk]).toEqual([old.u, old.jwk]);
      expect([record.a, record.salt]).not.toEqual([old.a, old.salt]);
      const use = async (of: DeviceRecord, given: object) => {
        if (scheme === 'ed25519') return otherDevice.sign(of, 'Ed25519', DATA, given);
        return otherDevice.decrypt(of, await otherDevice.encrypt(of.jwk, DATA), given);
      };
      await use(record, { password: 'another horse', assistant: url });
      expect(await failureOf(use(record, {}))).toMatchObject({ code: 'wrong_password' });
      expect(await failureOf(use(old, {}))).toMatchObject({ code: 'retired' });
      // The kit of the first record is the kit of the second.
      await otherDevice.disable(made.kit);
      expect(await failureOf(use(record, { password: 'another horse' }))).toMatchObject({ code: 'disabled' });
    });

    it('decrypt with a shared key on P-256 what others encrypt', async () => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, scheme: 'elgamal', key: 'P-256' });
      const publicKey = await importJWK(record.jwk as never, 'ECDH-ES');
      const joseForms = [
        ['ECDH-ES', 'A256GCM'],
        ['ECDH-ES', 'A128CBC-HS256'],
        ['ECDH-ES+A128KW', 'A128GCM'],
        ['ECDH-ES+A192KW', 'A192GCM'],
        ['ECDH-ES+A256KW', 'A256CBC-HS512'],
      ] as const;
      for (const [alg, enc] of joseForms) {
        const jwe = await new CompactEncrypt(DATA)
          .setProtectedHeader({ alg, enc, kid: await thumbprint(record.jwk) })
          .setKeyManagementParameters({
            apu: new TextEncoder().encode('Alice'),
            apv: new TextEncoder().encode('Bob'),
          })
          .encrypt(publicKey);
        expect((await device.decrypt(record, jwe, { assistant: url })).plaintext).toEqual(DATA);
      }
      const jwe = await otherDevice.encrypt(record.jwk, DATA);
      expect((await device.decrypt(record, jwe)).plaintext).toEqual(DATA);
      expect((await otherDevice.decrypt(record, jwe)).plaintext).toEqual(DATA);
      expect(await failureOf(device.decrypt(record, jwe, WRONG))).toMatchObject({ code: 'wrong_password' });
    });

    it.each(['ffdhe2048', 'ffdhe3072'])('decrypt with a shared key on %s', async (key) => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, scheme: 'elgamal', key });
      const forth = await device.encrypt(record.jwk, DATA);
      expect((await otherDevice.decrypt(record, forth, { assistant: url })).plaintext).toEqual(DATA);
      const back = await otherDevice.encrypt(record.jwk, DATA);
      expect((await device.decrypt(record, back, { assistant: url })).plaintext).toEqual(DATA);
    });

    it('lock after five wrong passwords, for a while', async () => {
      const { url, shift } = await startAssistant();
      const { record } = await device.enroll({ assistant: url });
      const start = now();
      const { answers } = await guess(record, 5);
      expect(answers.map(({ code }) => code)).toEqual(Array(5).fill('wrong_password'));
      const locked = await failureOf(device.unlock(record));
      expect(locked).toMatchObject({ code: 'locked', attemptsLeft: 0 });
      expectSince(start, (locked.retryAt as number) - 30);
      await shift(40);
      const { failedSince } = await device.unlock(record);
      expect(failedSince.count).toBe(5);
      expect((await device.unlock(record)).failedSince).toEqual({ count: 0, last: null });
    });

    it('wait twice as long after each further failure, and stop for good at a hundred', async () => {
      const { url, shift } = await startAssistant();
      const { record } = await device.enroll({ assistant: url });
      await guess(record, 5);
      let clock = 0;
      for (let failures = 5; failures < 100; failures++) {
        const wait = Math.min(86_400, 30 * 2 ** (failures - 5));
        await shift(clock + wait - 10);
        const [early] = (await guess(record, 1, clock + wait - 10)).answers;
        expect([failures, early?.code]).toEqual([failures, 'locked']);
        clock += wait + 10;
        await shift(clock);
        const [due] = (await guess(record, 1, clock)).answers;
        expect([failures, due?.code]).toEqual([failures, 'wrong_password']);
      }
      const year = 366 * 86_400;
      await shift(clock + year);
      const stopped = await failureOf(device.unlock(record, { clock: clock + year }));
      expect(stopped).toMatchObject({ code: 'locked', attemptsLeft: 0 });
      expect(stopped).not.toHaveProperty('retryAt');
    });

    it.each([-3600, 3600])('correct a clock that is %i s off', async (clock) => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url });
      expect((await device.unlock(record, { clock })).failedSince.count).toBe(0);
    });

    it('end with the ticket', async () => {
      const { url, shift } = await startAssistant();
      const { record } = await device.enroll({ assistant: url, exp: now() + 100 });
      await device.unlock(record);
      await shift(110);
      expect(await failureOf(device.unlock(record))).toMatchObject({ code: 'bad_ticket' });
    });

    it.each(['X25519', 'P-256', 'RSA-OAEP-256'] as const)(
      'move to a new key of kind %s, and keep name and counters',
      async (type) => {
        const { url, rotate, dropRetiring } = await startAssistant();
        const { record, kit } = await device.enroll({ assistant: url });
        const { record: ending } = await device.enroll({ assistant: url });
        const before = record.assistant.jwk.kid;
        expect((await device.unlock(record)).record).toEqual(record);
        await rotate(type);
        const { record: renewed } = await device.unlock(record, { assistant: url });
        expect(renewed.assistant.jwk.kid).not.toBe(before);
        expect(renewed).toEqual({ ...record, ticket: renewed.ticket, assistant: renewed.assistant });
        expect((await otherDevice.unlock(renewed, { assistant: url })).record).toEqual(renewed);
        // A ticket that ends is not renewed as it does: either device would take that for a lie.
        await device.retire(ending);
        await guess(record, 2);
        await guess(renewed, 1);
        expect((await device.unlock(renewed)).failedSince.count).toBe(3);

        const { record: left } = await device.enroll({ assistant: url });
        await dropRetiring();
        // A device that asks which keys are published finds it out before the assistant does.
        const { code } = await failureOf(device.unlock(record));
        expect(['unknown_key', 'bad_record']).toContain(code);
        expect(await failureOf(device.unlock(record, { assistant: url }))).toMatchObject({
          code: 'bad_record',
        });
        await device.unlock(renewed);
        await device.unlock(left);

        // The kit is older than the key, and disables all the same.
        await device.disable(kit);
        expect(await failureOf(device.unlock(renewed))).toMatchObject({ code: 'disabled' });
      },
    );

    it('disable with kit or code, from either side, and then refuse everything', async () => {
      const { url } = await startAssistant();
      const made = [
        await device.enroll({ assistant: url }),
        await device.enroll({ assistant: url, scheme: 'rsa', key: 'RSA-2048' }),
        await device.enroll({ assistant: url, scheme: 'elgamal', key: 'P-256' }),
        await device.enroll({ assistant: url }),
      ] as const;
      const [retrieved, shared, sealed, kept] = made;
      const jwe = await device.encrypt(sealed.record.jwk, DATA);
      await device.disable(retrieved.kit);
      await otherDevice.disable(shared.kit);
      await otherDevice.disable(shared.kit);
      await otherDevice.disableByCode(sealed.code.toLowerCase().replaceAll('0', 'o'), url);
      const refused = [
        ...[device, otherDevice].map((who) => () => who.unlock(retrieved.record)),
        () => device.unlock(retrieved.record, WRONG),
        ...[device, otherDevice].map((who) => () => who.sign(shared.record, 'PS256', DATA)),
        ...[device, otherDevice].map((who) => () => who.decrypt(sealed.record, jwe)),
        ...made.slice(0, 3).map((of) => () => device.retire(of.record)),
      ];
      for (const use of refused) expect(await failureOf(use())).toMatchObject({ code: 'disabled' });
      await device.unlock(kept.record);
      const { names } = await peers.device.do<{ names: string[] }>('feed', { assistant: url });
      const expected = made.slice(0, 3).map(({ record }) => record.u);
      expect(names.filter((name) => made.some(({ record }) => record.u === name))).toEqual(expected);
    });

    it('retire a ticket, which takes the password', async () => {
      const { url } = await startAssistant();
      const { record, kit } = await device.enroll({ assistant: url });
      expect(await failureOf(device.retire(record, WRONG))).toMatchObject({ code: 'wrong_password' });
      await device.retire(record);
      expect(await failureOf(device.unlock(record))).toMatchObject({ code: 'retired' });
      expect(await failureOf(otherDevice.unlock(record, WRONG))).toMatchObject({ code: 'retired' });
      // Either device may take a ticket that is retired already for success.
      await device.retire(record).catch((error) => expect(error).toMatchObject({ code: 'retired' }));
      // To be retired is no name's end.
      await device.disable(kit);
    });

    it('refuse a record that was made to harvest what unlocks it', async () => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url });
      const { url: elsewhere } = await ourAssistant();
      const { record: thiefs } = await device.enroll({ assistant: elsewhere });
      const swapped = { ...record, assistant: { url, jwk: thiefs.assistant.jwk }, ticket: thiefs.ticket };
      expect(await failureOf(device.unlock(swapped, { assistant: url }))).toMatchObject({
        code: 'bad_record',
      });
      const use = (async () => device.unlock(thiefs, { assistant: url }))();
      expect(await failureOf(use)).toMatchObject({ code: 'bad_record' });
      for (const kdf of [
        { m: 19_455, t: 4, p: 1 },
        { m: 19_456, t: 1, p: 1 },
        { m: 2 ** 20, t: 5, p: 1 },
        { m: 65_536, t: 1, p: 17 },
      ]) {
        const weak = { ...record, kdf: { name: 'argon2id' as const, ...kdf } };
        expect(await failureOf((async () => device.unlock(weak))())).toMatchObject({ code: 'bad_record' });
      }
    });

    it('take each other’s passwords for the same', async () => {
      const { url } = await startAssistant();
      const { record } = await device.enroll({ assistant: url });
      const { record: same } = await peers.device.do<{ record: DeviceRecord }>('enroll', {
        assistant: url,
        password: 'P\u{e1}ss w\u{f6}rd \u{1f511}',
        kdf: record.kdf,
      });
      const decomposed = { password: 'Pa\u{301}ss\u{a0}wo\u{308}rd\u{2003}\u{1f511}' };
      await device.unlock(same, decomposed);
      await otherDevice.unlock(same, decomposed);
      for (const password of ['', 'a\tb', '\u{7f}', '\u{85}', '\ud83d', 'x'.repeat(1025), 'é'.repeat(513)]) {
        expect(await failureOf(device.unlock(same, { password }))).toMatchObject({ code: 'bad_password' });
      }
    });

    it('write records, kits and codes alike', async () => {
      const { url } = await startAssistant();
      const made = [await device.enroll({ assistant: url }), await otherDevice.enroll({ assistant: url })];
      const formOf = (value: unknown): unknown =>
        typeof value === 'object' && value !== null
          ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, formOf(member)]))
          : typeof value;
      const [ours, theirs] = made.map(({ record, kit }) => formOf({ record, kit }));
      expect(ours).toEqual(theirs);
      for (const { kit, code } of made) {
        const t = Buffer.from(kit.t, 'base64url').toString('hex');
        expect(await peers.device.do('code', { t, url: kit.assistant.url })).toEqual({ code });
        expect(disablingCode(kit)).toBe(code);
      }
    });
  });
});
