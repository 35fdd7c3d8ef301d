/** What a hostile assistant, or whoever is on the way, may answer: the library's device believes none of it. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeviceRecord } from '../../lib/protocol/record.ts';
import { type DeviceParty, type Failure, failureOf, type Made, ourDevice, peerDevice } from './parties.ts';
import { isSkipped, listAttacks, startPeers } from './support.ts';

const DATA = new TextEncoder().encode('what is asked');
const FORGED = { code: 'bad_response' };

/** Of answers to whatever is asked. */
const ANSWERS = [
  'another op',
  'another jti',
  'another version',
  'a surplus member',
  'no failedSince',
  'a last use that is no time',
  'a failedSince below zero',
  'blanks in the payload',
  'a member named twice',
  'sealed under another secret',
  'not sealed',
  'not sealed inside response',
  'another typ',
  'a surplus header member',
  'zip',
  'another enc in the header',
  'no result',
  'a page',
];
const RESULTS = ['flipped', 'short', 'long', 'empty', 'zero', 'too great'].map((how) => `result ${how}`);
const PROOFS = [
  'another result, honest proof',
  'identity',
  'compressed result',
  'negated result',
  'another challenge',
  'another response',
  'a response of q and more',
  'a short challenge',
  'a surplus member in the proof',
  'no proof',
];
const SHARES = [
  'another share',
  'a share of 0',
  'a share of l and more',
  'a short share',
  'another hiding',
  'the identity for hiding',
  'a binding of order 8',
  'a hiding of mixed order',
  'commitments exchanged',
  'one commitment for both',
  'no share',
];
const RENEWALS = [
  'renewed to a key not listed',
  'renewed ticket of another kid',
  'renewed key under a kid that is not its own',
  'renewed and no ticket',
];
/** Errors, and what a device may make of them. */
const ERRORS: readonly (readonly [lie: string, failure: Failure])[] = [
  ['disabled, says the clear text', FORGED],
  ['retired, says the clear text', FORGED],
  ['stale, says the clear text', FORGED],
  ['wrong password, says the clear text', FORGED],
  ['locked, says the clear text', FORGED],
  ['disabled, sealed under another secret', FORGED],
  ['disabled, sealed for another request', FORGED],
  ['disabled, sealed with a surplus member', FORGED],
  ['a code that nobody knows, sealed', FORGED],
  ['disabled in clear, wrong password sealed', { code: 'wrong_password', attemptsLeft: 3 }],
  ['a page of an error', { code: 'unavailable' }],
  ['elsewhere', { code: 'network' }],
  ['far too much', FORGED],
];
const STALE = 'stale whatever the time';
const OF_RETIRING = ['not retired'];
const OF_DISABLING = [
  'not disabled',
  'another op',
  'another version',
  'a surplus member',
  'blanks in the payload',
  'a member named twice',
  'sealed under another secret',
  'not sealed',
  'another typ',
  'a page',
];

const attacks = listAttacks();

describe.skipIf(isSkipped)('a device that is lied to', () => {
  const peers = startPeers();
  let retrieved: Made;
  let shared: Made;
  let sealed: Made;
  let jwe: string;
  beforeAll(async () => {
    const assistant = peers.assistant.url;
    retrieved = await ourDevice.enroll({ assistant });
    shared = await ourDevice.enroll({ assistant, scheme: 'rsa', key: 'RSA-2048' });
    sealed = await ourDevice.enroll({ assistant, scheme: 'elgamal', key: 'P-256' });
    jwe = await ourDevice.encrypt(sealed.record.jwk, DATA);
  });

  const listened = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    await peers.assistant.do('lie', { name });
    try {
      return await act();
    } finally {
      await peers.assistant.do('lie');
    }
  };
  const helped = async (op: string) =>
    (await peers.assistant.do<{ count: number }>('count', { event: op })).count;

  const uses: readonly [string, (device: DeviceParty) => Promise<{ record: DeviceRecord }>][] = [
    ['retrieve', (device) => device.unlock(retrieved.record)],
    ['sign', (device) => device.sign(shared.record, 'PS256', DATA)],
    ['decrypt', (device) => device.decrypt(sealed.record, jwe)],
  ];
  const theirDevice = peerDevice(() => peers.device);

  it('has met every lie that the peer knows', () => {
    const errors = ERRORS.map(([lie]) => lie);
    const met = [ANSWERS, RESULTS, PROOFS, SHARES, RENEWALS, OF_RETIRING, OF_DISABLING, errors, STALE].flat();
    expect(attacks.lies.filter((lie) => !met.includes(lie))).toEqual([]);
  });

  describe.each([
    ['ours', ourDevice],
    ['theirs', theirDevice],
  ] as const)('%s', (_, device) => {
    // The peer's own device shows that these are lies to anybody; one operation of it will do.
    const tried = device === ourDevice ? uses : uses.filter(([op]) => op === 'decrypt');
    describe.each(tried)('%s', (op, use) => {
      it('believes the truth', async () => {
        await use(device);
      });

      it.each([...ANSWERS, ...RESULTS, ...(op === 'decrypt' ? PROOFS : [])])('not: %s', async (lie) => {
        const before = await helped(op);
        expect(await listened(lie, () => failureOf(use(device)))).toMatchObject(FORGED);
        // It asked once, and did not insist.
        expect((await helped(op)) - before).toBe(1);
      });

      it.each(RENEWALS)('moves to no other key: %s', async (lie) => {
        const { record } = await listened(lie, () => use(device));
        expect(record).toEqual({ retrieve: retrieved, sign: shared, decrypt: sealed }[op]?.record);
      });
    });

    describe('sign with Ed25519', () => {
      let made: Made;
      beforeAll(async () => {
        made = await ourDevice.enroll({ assistant: peers.assistant.url, scheme: 'ed25519' });
      });

      it.each(device === ourDevice ? [...ANSWERS, ...SHARES] : SHARES)('not: %s', async (lie) => {
        const sign = () => device.sign(made.record, 'Ed25519', DATA);
        await sign();
        const before = await helped('sign');
        expect(await listened(lie, () => failureOf(sign()))).toMatchObject(FORGED);
        expect((await helped('sign')) - before).toBe(1);
      });
    });

    it.each(OF_RETIRING)('a retiring that was none: %s', async (lie) => {
      const { record } = await device.enroll({ assistant: peers.assistant.url });
      expect(await listened(lie, () => failureOf(device.retire(record)))).toMatchObject(FORGED);
    });

    it('a ticket that was retired, and renewed with that', async () => {
      const { record } = await device.enroll({ assistant: peers.assistant.url });
      const [lie = ''] = RENEWALS;
      expect(await listened(lie, () => failureOf(device.retire(record)))).toMatchObject(FORGED);
    });

    it.each(OF_DISABLING)('a disabling that was none: %s', async (lie) => {
      const { kit } = await device.enroll({ assistant: peers.assistant.url });
      expect(await listened(lie, () => failureOf(device.disable(kit)))).toMatchObject(FORGED);
    });
  });

  it.each(attacks.keyLists)('seals nothing to %s', async (name) => {
    const { kit } = retrieved;
    const assistant = peers.assistant.url;
    const before = await helped('disable');
    await peers.assistant.do('publish', { name });
    try {
      for (const device of [ourDevice, theirDevice]) {
        // A disabling secret under a key that anybody knows would be anybody's.
        expect(await failureOf(device.disable(kit))).toEqual(FORGED);
        expect(await failureOf(device.enroll({ assistant }))).toEqual(FORGED);
        const { code } = await failureOf(device.unlock(retrieved.record, { assistant }));
        expect(['bad_response', 'bad_record']).toContain(code);
      }
    } finally {
      await peers.assistant.do('publish');
    }
    expect(await helped('disable')).toBe(before);
  });

  it.each(ERRORS)('an error: %s', async (lie, failure) => {
    const before = await helped('retrieve');
    const told = await listened(lie, () => failureOf(ourDevice.unlock(retrieved.record)));
    expect(told).toEqual(failure);
    // Neither a clock nor anything else makes it ask again.
    expect((await helped('retrieve')) - before).toBe(1);
  });

  it('corrects its clock once, not for ever', async () => {
    const before = await helped('retrieve');
    expect(await listened(STALE, () => failureOf(ourDevice.unlock(retrieved.record)))).toEqual({
      code: 'stale_request',
    });
    expect((await helped('retrieve')) - before).toBe(2);
    expect((await ourDevice.unlock(retrieved.record)).failedSince).toEqual({ count: 0, last: null });
  });
});
