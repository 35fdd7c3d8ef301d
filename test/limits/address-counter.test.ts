import { describe, expect, it, vi } from 'vitest';
import { AddressCounter, type AddressCounterOptions } from '../../lib/limits/address-counter.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { CountAnswer } from '../../lib/store/store.ts';

const START = 1_800_000_000;

function world(options: Partial<AddressCounterOptions> = {}) {
  const clock = { now: START };
  const store = new MemoryStore({ now: () => clock.now });
  const asked = vi.spyOn(store, 'count');
  const another = (more: Partial<AddressCounterOptions> = {}) =>
    new AddressCounter({
      purpose: 'test',
      limit: 3,
      seconds: 60,
      store,
      clock: () => clock.now,
      ...options,
      ...more,
    });
  return { clock, store, asked, another, counter: another() };
}

const hits = (counter: AddressCounter, address: string, times: number) =>
  Array.from({ length: times }, () => 0).reduce<Promise<number[]>>(
    async (before) => [...(await before), (await counter.count(address, 1)).count],
    Promise.resolve([]),
  );

describe('hits of an address', () => {
  it('are counted together by all who share a store, and end with their window', async () => {
    const { another, clock } = world();
    const [one, other] = [another(), another()];
    expect(await hits(one, '192.0.2.1', 2)).toEqual([1, 2]);
    clock.now += 59;
    expect(await other.count('192.0.2.1', 1)).toEqual({ count: 3, retryAt: START + 60 });
    clock.now += 1;
    expect(await hits(other, '192.0.2.1', 1)).toEqual([1]);
  });

  it('are counted by each for itself where there is no store', async () => {
    const { another, asked, clock } = world({ store: undefined });
    const [one, other] = [another(), another()];
    expect(await hits(one, '192.0.2.1', 2)).toEqual([1, 2]);
    expect(await hits(other, '192.0.2.1', 2)).toEqual([1, 2]);
    clock.now += 60;
    expect(await hits(one, '192.0.2.1', 1)).toEqual([1]);
    expect(asked).not.toHaveBeenCalled();
  });

  it('cost the store nothing once there are none left, until the window ends', async () => {
    const { counter, asked, clock } = world();
    expect(await hits(counter, '192.0.2.1', 500)).toEqual([
      1,
      2,
      ...Array.from({ length: 498 }, (_, i) => Math.min(3 + i, 4)),
    ]);
    expect(asked).toHaveBeenCalledTimes(3);
    expect(counter.spent('192.0.2.1')).toEqual(expect.objectContaining({ retryAt: START + 60 }));
    expect(counter.spent('192.0.2.2')).toBeUndefined();
    clock.now += 60;
    expect(counter.spent('192.0.2.1')).toBeUndefined();
    expect(await hits(counter, '192.0.2.1', 1)).toEqual([1]);
    expect(asked).toHaveBeenCalledTimes(4);
  });

  it('that others have used up are found used up by the first hit here', async () => {
    const { another, asked } = world();
    const [one, other] = [another(), another()];
    await hits(one, '192.0.2.1', 3);
    expect(other.spent('192.0.2.1')).toBeUndefined();
    expect(await hits(other, '192.0.2.1', 100)).toEqual([4, ...Array.from({ length: 99 }, () => 5)]);
    expect(asked).toHaveBeenCalledTimes(4);
  });

  it('are dated by the clock of this process, whatever the store’s says', async () => {
    const { another } = world({ clock: () => 5000.7 });
    expect(await another().count('192.0.2.1', 1)).toEqual({ count: 1, retryAt: 5060 });
    const late = { count: async () => ({ now: 1000, count: 9, resetAt: 2_000_000_000 }) };
    expect(await another({ store: late }).count('192.0.2.1', 1)).toEqual({ count: 9, retryAt: 5060 });
    const early = { count: async () => ({ now: 1000, count: 9, resetAt: 5 }) };
    expect(await another({ store: early }).count('192.0.2.1', 1)).toEqual({ count: 9, retryAt: 5001 });
  });

  it('are asked about anew where the clock was set back', async () => {
    const { counter, clock, asked } = world();
    await hits(counter, '192.0.2.1', 3);
    clock.now -= 7200;
    expect(counter.spent('192.0.2.1')).toBeUndefined();
    expect(await counter.count('192.0.2.1', 1)).toEqual({ count: 4, retryAt: clock.now + 60 });
    expect(asked).toHaveBeenCalledTimes(4);
  });

  it('are remembered of so many addresses and no more', async () => {
    const { counter, asked } = world({ limit: 1 });
    const addresses = Array.from({ length: 70_000 }, (_, i) => `2001:db8:${i.toString(16)}::/56`);
    for (const address of addresses) await counter.count(address, 1);
    asked.mockClear();
    for (const address of addresses) expect((await counter.count(address, 1)).count).toBe(2);
    expect(asked).toHaveBeenCalledTimes(70_000 - 65_536);
  });
});

describe('what the store is told', () => {
  const named = async (options: Partial<AddressCounterOptions>, address = '192.0.2.1') => {
    const { another, asked } = world(options);
    await another().count(address, 1);
    return asked.mock.calls[0]?.[0].name as string;
  };

  it('is no address, and another name for every purpose, realm and address', async () => {
    const name = await named({});
    expect(name).toMatch(/^limit:test:[\w-]{43}$/);
    const others = [
      await named({ purpose: 'other' }),
      await named({ realm: 'https://app.example' }),
      await named({ realm: 'https://other.example' }),
      await named({ realm: '192.0.2.1' }, ''),
      await named({ realm: '192.0.2' }, '.1'),
      await named({}, '192.0.2.2'),
    ];
    expect(new Set([name, ...others]).size).toBe(7);
    expect(await named({ purpose: 'other' })).toMatch(/^limit:other:/);
    expect(await named({})).toBe(name);
  });
});

describe('a store that does not count', () => {
  it('makes hits unavailable, and is asked again', async () => {
    const down = new Error('connection refused');
    const count = vi.fn<() => Promise<CountAnswer>>().mockRejectedValue(down);
    const { another } = world({ store: { count } });
    const counter = another();
    for (let i = 0; i < 2; i++)
      await expect(counter.count('192.0.2.1', 1)).rejects.toMatchObject({ code: 'unavailable', cause: down });
    expect(count).toHaveBeenCalledTimes(2);
    count.mockResolvedValue({ now: START, count: 1, resetAt: START + 60 });
    expect((await counter.count('192.0.2.1', 1)).count).toBe(1);
  });

  it.each([
    undefined,
    null,
    1,
    {},
    { now: START, count: Number.NaN, resetAt: START + 60 },
    { now: START, count: '1', resetAt: START + 60 },
    { now: START, count: 0, resetAt: START + 60 },
    { now: START, count: -5, resetAt: START + 60 },
    { now: START, count: 1 },
    { now: Number.NaN, count: 1, resetAt: START + 60 },
  ])('but answers %o is not believed', async (answer) => {
    const { another } = world({ store: { count: async () => answer as CountAnswer } });
    await expect(another().count('192.0.2.1', 1)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('hits that are taken back', () => {
  it('are those that were counted, not those beyond the limit', async () => {
    const { counter } = world();
    expect(await hits(counter, 'a', 5)).toEqual([1, 2, 3, 4, 4]);
    for (let i = 0; i < 2; i++) await counter.count('a', -1);
    expect((await counter.count('a', 0)).count).toBe(3);
    await counter.count('a', -1);
    expect(await hits(counter, 'a', 1)).toEqual([3]);
  });
});
