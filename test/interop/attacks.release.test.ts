/**
 * Malformed and hostile requests by the peer, against the library's router and the peer's own assistant: what the text
 * refuses, both refuse, with the same code, and neither counts what is no guess. `roaming-key serve` has its turn in
 * command-line.test.ts.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { startAssistant } from '../support/world.ts';
import { failureOf, ourDevice, peerDevice } from './parties.ts';
import {
  type CaseAnswers,
  isSkipped,
  listAttacks,
  PeerAssistant,
  startPeers,
  wrongAnswers,
} from './support.ts';

const { assaults } = listAttacks();

/** The groups whose outcome hangs on the kind of the assistant's key. */
const OF_KEYS = /^ticket/;

describe.skipIf(isSkipped)('what the peer sends', () => {
  const peers = startPeers();

  const theirDevice = peerDevice(() => peers.device);

  const groupsOf = (type: string) => Object.entries(assaults[type] ?? {});
  const attack = async (url: string, group: string, size: number) => {
    const { results } = await peers.device.do<CaseAnswers>('assault', { assistant: url, group });
    expect(Object.keys(results)).toHaveLength(size);
    expect(wrongAnswers(results)).toEqual({});
  };

  it('is a lot', () => {
    const all = groupsOf('X25519').reduce((sum, [, size]) => sum + size, 0);
    expect(all).toBeGreaterThan(250);
  });

  it.each(groupsOf('X25519'))('is answered by the router as the text says: %s (%i)', async (group, size) => {
    const { url, events } = await startAssistant();
    await attack(url, group, size);
    expect(events.filter(({ type }) => type === 'unavailable')).toEqual([]);
  });

  describe.each(['P-256', 'RSA-OAEP-256'] as const)('the router with a key of kind %s', (type) => {
    it.each(groupsOf(type).filter(([group]) => OF_KEYS.test(group)))(
      'answers as the text says: %s (%i)',
      async (group, size) => {
        const { url } = await startAssistant({ keys: await KeySet.generate({ type }) });
        await attack(url, group, size);
      },
    );
  });

  it('waits for its turn beyond a limit, and is done all the same', async () => {
    const { url, store, events } = await startAssistant({ newIdsPerHour: 3, disablesPerMinute: 3 });
    const count = (type: string) => events.filter((event) => event.type === type).length;
    for (const _ of Array(5)) {
      const { record } = await ourDevice.enroll({ assistant: url });
      const { answers } = await peers.device.do<{ answers: { code: string }[] }>('guess', {
        record,
        times: 2,
      });
      expect(answers.map(({ code }) => code)).toEqual(['wrong_password', 'wrong_password']);
    }
    // The second wrong password of an id finds it known, and goes on at once.
    expect(count('delayed')).toBe(2);
    const kits = await Promise.all(Array.from({ length: 4 }, () => ourDevice.enroll({ assistant: url })));
    for (const { kit, record } of kits) {
      await theirDevice.disable(kit);
      expect(await store.isDisabled([record.u])).toBe(true);
    }
    expect(count('disablingDelayed')).toBe(1);
  });

  it('waits for its turn at the peer too, but for ids that it knows and what leaves marks', async () => {
    const theirs = await PeerAssistant.start();
    onTestFinished(() => theirs.stop());
    const { url } = theirs;
    const enrol = async () => (await ourDevice.enroll({ assistant: url })).record;
    const delayed = async () => (await theirs.do<{ count: number }>('count', { event: 'delayed' })).count;
    const known = await enrol();
    await theirDevice.unlock(known);
    await theirs.do('limit', { ids: 1 });
    await theirDevice.unlock(known);
    expect(await delayed()).toBe(0);
    for (const times of [1, 2]) {
      // A success beyond the budget leaves its id unknown; a failure does not.
      const record = await enrol();
      await theirDevice.unlock(record);
      const { answers } = await peers.device.do<{ answers: { code: string }[] }>('guess', {
        record,
        times: 2,
      });
      expect(answers.map(({ code }) => code)).toEqual(['wrong_password', 'wrong_password']);
      expect(await delayed()).toBe(2 * times);
    }
    expect(await failureOf(theirDevice.retire(await enrol()))).toMatchObject({ code: 'busy' });
    expect(await delayed()).toBe(4);
  });

  it.each(groupsOf('X25519'))('is answered by the peer in the same way: %s (%i)', async (group, size) => {
    await attack(peers.assistant.url, group, size);
  });
});
