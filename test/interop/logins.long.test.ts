/** Proofs that one implementation makes and the other takes, or refuses (section 8). */
import { describe, expect, it } from 'vitest';
import { Device } from '../../lib/device/device.ts';
import { disablingName } from '../../lib/protocol/disabling.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { argon2idOnce, PASSWORD, startAssistant, startRelyingParty } from '../support/world.ts';
import { failureOf, ourDevice, peerDevice } from './parties.ts';
import { type CaseAnswers, isSkipped, startPeers, wrongAnswers } from './support.ts';

const KINDS = [
  ['retrieve', 'Ed25519', 'Ed25519'],
  ['retrieve', 'P-256', 'ES256'],
  ['retrieve', 'RSA-2048', 'PS256'],
  ['retrieve', 'RSA-2048', 'RS256'],
  ['rsa', 'RSA-2048', 'PS256'],
  ['rsa', 'RSA-2048', 'RS256'],
] as const;

interface Visit {
  readonly status: number;
  readonly answer: { readonly code?: string };
}

describe.skipIf(isSkipped)('proofs', () => {
  const peers = startPeers();
  const theirDevice = peerDevice(() => peers.device);

  const visit = (record: object, url: string, alg: string, more: object = {}) =>
    peers.device.do<Visit>('visit', { record, password: PASSWORD, url, account: 'ada', alg, ...more });
  const registering = { typ: 'rk-register+jwt', headers: { 'x-invited': 'ada' } };

  describe('of the peer are taken by the strategy', () => {
    it.each(KINDS)('scheme %s, %s, %s', async (scheme, key, alg) => {
      const { url, store } = await startAssistant();
      const { origin, accounts } = await startRelyingParty(store);
      const { record, kit } = await theirDevice.enroll({ assistant: url, scheme, key });
      // Nobody has invited it yet.
      expect(await visit(record, `${origin}/register`, alg, { typ: 'rk-register+jwt' })).not.toMatchObject({
        status: 200,
      });
      const login = () => visit(record, `${origin}/login`, alg);
      expect(await login()).toMatchObject({ status: 403, answer: { code: 'refused' } });
      expect((await visit(record, `${origin}/register`, alg, registering)).status).toBeLessThan(300);
      expect(accounts.get('ada')).toMatchObject([{ jwk: record.jwk, alg, disablingNames: [record.u] }]);
      expect(await login()).toMatchObject({ status: 200, answer: { user: { account: 'ada' } } });
      await theirDevice.disable(kit);
      // A shared key has no use any more; a thief who has recovered the other is stopped at the app.
      if (scheme === 'rsa') expect(await failureOf(login())).toMatchObject({ code: 'disabled' });
    });

    it('until the key is disabled at an assistant the app has heard of by its feed alone', async () => {
      const marks = disabledFeed({ url: peers.assistant.url });
      class StoreOfTheApp extends MemoryStore {
        override isDisabled(names: readonly string[]): Promise<boolean> {
          return marks.isDisabled(names);
        }
      }
      const { origin } = await startRelyingParty(new StoreOfTheApp());
      const { record, kit } = await ourDevice.enroll({ assistant: peers.assistant.url });
      const device = new Device(record, { assistant: record.assistant.url, argon2id: argon2idOnce });
      await device.unlock(PASSWORD);
      const party = { url: `${origin}/login`, account: 'ada' };
      const invited = { headers: { 'x-invited': 'ada' } };
      await device.register({ ...party, ...invited, url: `${origin}/register` });
      await device.login(party);
      const others = await Promise.all(
        [1, 2, 3, 4, 5].map(() => theirDevice.enroll({ assistant: peers.assistant.url })),
      );
      for (const other of others) await theirDevice.disable(other.kit);
      await device.login(party);
      await theirDevice.disable(kit);
      await marks.refresh();
      // It still holds the key, and that helps it no more.
      expect(await failureOf(device.login(party))).toMatchObject({ code: 'disabled' });
      for (const other of others) expect(await marks.isDisabled([other.record.u])).toBe(true);
      const { pages } = await peers.device.do<{ pages: number }>('feed', { assistant: peers.assistant.url });
      expect(pages).toBe(1);
    });
  });

  describe('of ours are taken by the peer', () => {
    it.each(KINDS)('scheme %s, %s, %s', async (scheme, key, alg) => {
      const { url } = await startAssistant();
      const { record } = await ourDevice.enroll({ assistant: url, scheme, key });
      const device = new Device(record, { assistant: record.assistant.url, argon2id: argon2idOnce });
      const account = `${scheme} ${key} ${alg}`;
      const party = { account, password: PASSWORD, alg };
      expect(await failureOf(device.login({ ...party, url: `${peers.assistant.url}/login` }))).toMatchObject({
        code: 'refused',
      });
      const { body } = await device.register({ ...party, url: `${peers.assistant.url}/register` });
      expect(body).toMatchObject({ account, u: record.u });
      expect((await device.login({ ...party, url: `${peers.assistant.url}/login` })).body).toMatchObject({
        account,
      });
      // Proofs are for an origin, and the device's own configuration says for which.
      const elsewhere = { ...party, url: `${peers.assistant.url}/login`, audience: 'https://app.example' };
      expect(await failureOf(device.login(elsewhere))).toMatchObject({ code: 'refused' });
    });
  });

  it.each([
    ['Ed25519', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
    ['P-256', 'ES256'],
    ['RSA-2048', 'PS256'],
    ['RSA-2048', 'RS256'],
  ])('of the account’s own key are refused by both where they break one rule: %s, %s', async (key, alg) => {
    const { url, store } = await startAssistant();
    const { origin } = await startRelyingParty(store);
    const { record } = await theirDevice.enroll({ assistant: url, key });
    for (const app of [origin, peers.assistant.url]) {
      // What is registered under the new name of an algorithm may log in under the old one.
      const registered = await visit(record, `${app}/register`, alg === 'EdDSA' ? key : alg, registering);
      expect(registered.status).toBeLessThan(300);
      const { results } = await peers.device.do<CaseAnswers>('attack-login', {
        record,
        password: PASSWORD,
        url: `${app}/login`,
        account: 'ada',
        alg,
      });
      expect(Object.keys(results).length).toBeGreaterThan(40);
      expect(wrongAnswers(results)).toEqual({});
    }
  });

  it('name a key by what its kit hashes to', async () => {
    const { url } = await startAssistant();
    const { record, kit } = await theirDevice.enroll({ assistant: url });
    const t = Buffer.from(kit.t, 'base64url');
    expect(Buffer.from(disablingName(t)).toString('base64url')).toBe(record.u);
  });
});
