/** A right password that is counted as a failure: by a store that fails or is late at any step (docs/protocol.md section 4). */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { until } from '../support/eventually.ts';
import { startAssistant } from '../support/world.ts';
import { assist, countedSince, makeRequest, makeTicket, random, timeless, unixNow } from './support.ts';

type Operation = 'reserve' | 'settle' | 'release';
/** What becomes of an operation: it fails before or after it took place, or is answered too late. */
type Fault = 'fails' | 'happens and fails' | 'is late' | 'happens and is late';

const STORE_TIMEOUT = 0.15;

/** A store of which operations fail, each so often. */
class FaultyStore extends MemoryStore {
  readonly faults = new Map<Operation, { fault: Fault; times: number }>();
  released = 0;

  async #act<T>(operation: Operation, act: () => Promise<T>): Promise<T> {
    const planned = this.faults.get(operation);
    if (!planned || planned.times === 0) return act();
    planned.times -= 1;
    const { fault } = planned;
    if (fault === 'is late') await sleep(2 * STORE_TIMEOUT * 1000);
    const happened = fault === 'fails' ? undefined : await act();
    if (fault === 'happens and is late') await sleep(2 * STORE_TIMEOUT * 1000);
    if (fault === 'fails' || fault === 'happens and fails') throw new Error('connection lost');
    return happened as T;
  }
  override reserve(request: Parameters<MemoryStore['reserve']>[0]) {
    return this.#act('reserve', () => super.reserve(request));
  }
  override settle(request: Parameters<MemoryStore['settle']>[0]) {
    return this.#act('settle', () => super.settle(request));
  }
  override release(request: Parameters<MemoryStore['release']>[0]) {
    return this.#act('release', async () => {
      await super.release(request);
      this.released += 1;
    });
  }
}

async function start() {
  const clock = { offset: 0, now: () => unixNow() + clock.offset };
  const store = new FaultyStore({ now: clock.now });
  const world = await startAssistant({ store, now: clock.now, storeTimeout: STORE_TIMEOUT });
  const owner = await makeTicket(world.keys.active.jwk);
  const ask = async (given: Parameters<typeof makeRequest>[1] = {}) =>
    assist(world, await makeRequest(owner, { iat: clock.now(), ...given }));
  /** What is on the owner's account once every reservation that was left open has lapsed. */
  const counted = async () => {
    clock.offset += 61;
    const { status, opened } = await ask();
    expect(status).toBe(200);
    return (opened as { failedSince: { count: number } }).failedSince.count;
  };
  return { store, world, owner, ask, counted };
}

describe('a right password', () => {
  it.each([
    ['settle', 'fails'],
    ['settle', 'happens and fails'],
    ['settle', 'is late'],
    ['settle', 'happens and is late'],
    ['reserve', 'is late'],
    ['reserve', 'happens and is late'],
  ] as const)('is no failure where %s %s, five times', async (operation, fault) => {
    const { store, ask, counted } = await start();
    store.faults.set(operation, { fault, times: 5 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask()));
    for (const { status, opened } of answers) {
      expect(status).toBe(503);
      expect(opened).not.toHaveProperty('c');
    }
    await until(() => store.released === 5);
    expect(await counted()).toBe(0);
  });

  it.each(['fails', 'is late'] as const)(
    'is no failure where the release %s too: it is tried again in the background',
    async (fault) => {
      const { store, ask, counted } = await start();
      store.faults.set('settle', { fault, times: 5 });
      store.faults.set('release', { fault, times: 12 });
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask()));
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);
      await until(() => store.released >= 5);
      expect(await counted()).toBe(0);
    },
  );

  it('leaves the request seen', async () => {
    const { store, world, owner } = await start();
    store.faults.set('settle', { fault: 'fails', times: 1 });
    const request = await makeRequest(owner);
    expect((await assist(world, request)).json.code).toBe('unavailable');
    expect((await assist(world, request)).json.code).toBe('replayed');
  });

  it('retires once, and whoever retires at the same moment has succeeded', async () => {
    const { store, ask } = await start();
    const settle = store.settle.bind(store);
    let waiting: (() => void) | undefined;
    const met = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    let arrived = 0;
    vi.spyOn(store, 'settle').mockImplementation(async (request) => {
      arrived += 1;
      if (arrived === 2) waiting?.();
      await met;
      return settle(request);
    });
    const answers = await Promise.all([ask({ op: 'retire' }), ask({ op: 'retire' })]);
    for (const { status, opened } of answers) {
      expect(status).toBe(200);
      expect(opened).toMatchObject({ op: 'retire', retired: true });
    }
    expect((await ask()).json.code).toBe('retired');
  });
});

describe('a wrong password', () => {
  it('is answered nothing where its reservation came late, and that is released uncompared', async () => {
    const { store, ask, counted } = await start();
    store.faults.set('reserve', { fault: 'is late', times: 2 });
    const answers = [await ask(), await ask({ beta: random(32) })].map(timeless);
    expect(answers[0]).toEqual(answers[1]);
    await until(() => store.released === 2);
    expect(await counted()).toBe(0);
  });

  it('is counted though a twin of its request is given up: that one releases nothing', async () => {
    const { store, world, owner } = await start();
    const request = await makeRequest(owner, { beta: random(32) });
    expect((await assist(world, request)).json.code).toBe('wrong_password');
    store.faults.set('reserve', { fault: 'is late', times: 1 });
    expect((await assist(world, request)).json.code).toBe('unavailable');
    await sleep(3 * STORE_TIMEOUT * 1000);
    expect(store.released).toBe(0);
    expect(await countedSince(world, owner)).toBe(1);
  });
});
