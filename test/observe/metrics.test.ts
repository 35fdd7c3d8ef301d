import { once } from 'node:events';
import { request } from 'node:http';
import { Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import { type MetricsOptions, prometheusMetrics } from '../../lib/telemetry/metrics.ts';
import { makeRequest, makeTicket, post } from '../attacks/support.ts';
import { eventually } from '../support/eventually.ts';
import { startAssistant } from '../support/world.ts';

const line = (text: string, pattern: RegExp) => text.split('\n').filter((one) => pattern.test(one));

async function watched(registry: Registry, name: string) {
  const store = new MemoryStore();
  const metrics = prometheusMetrics({ registry, name });
  const { instrument, onEvent } = metrics;
  const world = await startAssistant({
    store,
    instrument,
    onEvent,
    workers: { size: 2 },
    disablesPerMinute: 1,
  });
  await world.assistant.init();
  return { store, world, metrics, unwatch: metrics.watchAssistant(world.assistant) };
}

describe('two assistants in one registry', () => {
  it('are told apart by name, and one that is not watched any more is not told of', async () => {
    const registry = new Registry();
    const [one, two] = [await watched(registry, 'one'), await watched(registry, 'two')];
    const ticket = await makeTicket(one.world.keys.active.jwk);
    await post(one.world, '/assist', (await makeRequest(ticket)).body);
    const text = await registry.metrics();
    expect(line(text, /^roaming_key_requests_total/)).toEqual([
      'roaming_key_requests_total{name="one",route="assist",op="retrieve",scheme="retrieve",outcome="ok"} 1',
    ]);
    expect(line(text, /^roaming_key_(workers|store_up)\{/).sort()).toEqual([
      'roaming_key_store_up{name="one"} 1',
      'roaming_key_store_up{name="two"} 1',
      'roaming_key_workers{name="one"} 2',
      'roaming_key_workers{name="two"} 2',
    ]);
    two.unwatch();
    expect(line(await registry.metrics(), /^roaming_key_workers\{/)).toEqual([
      'roaming_key_workers{name="one"} 2',
    ]);
  });
});

describe('a store', () => {
  it.each([
    ['fails', () => Promise.reject(new Error('gone'))],
    ['hangs', () => new Promise<void>(() => {})],
  ])('that %s is down, and keeps no scrape waiting', async (_what, health) => {
    const registry = new Registry();
    const { store } = await watched(registry, 'one');
    vi.spyOn(store, 'health').mockImplementation(health);
    const started = Date.now();
    expect(line(await registry.metrics(), /^roaming_key_store_up\{/)).toEqual([
      'roaming_key_store_up{name="one"} 0',
    ]);
    expect(Date.now() - started).toBeLessThan(30_000);
  });
});

describe('requests that never reach an assistant', () => {
  it('are counted by route and status', async () => {
    const registry = new Registry();
    const { world } = await watched(registry, 'one');
    await post(world, '/disable', {});
    await post(world, '/disable', {});
    await fetch(`${world.url}/assist`, { method: 'POST', body: 'no JSON' });
    await fetch(`${world.url}/assist`);
    await fetch(`${world.url}/keys`);
    await eventually(async () =>
      expect(line(await registry.metrics(), /^roaming_key_http_responses_total/).sort()).toEqual(
        [
          ['assist', 400, 1],
          ['assist', 405, 1],
          ['disable', 400, 2],
          ['keys', 200, 1],
        ].map(
          ([route, status, times]) =>
            `roaming_key_http_responses_total{name="one",part="assistant",route="${route}",status="${status}"} ${times}`,
        ),
      ),
    );
  });

  it('is told of when its client goes away', async () => {
    const registry = new Registry();
    const { world } = await watched(registry, 'one');
    const headers = { 'content-type': 'application/json', 'content-length': 100, expect: '100-continue' };
    const asked = request(`${world.url}/assist`, { method: 'POST', headers });
    asked.on('error', () => {});
    asked.flushHeaders();
    // The server has the request by then, however busy the machine is.
    await once(asked, 'continue');
    asked.destroy();
    await eventually(async () =>
      expect(line(await registry.metrics(), /^roaming_key_http_responses_total/)).toHaveLength(1),
    );
  });
});

describe('a feed', () => {
  it('is stale before its first reading, then as old as that, then stale again', async () => {
    const registry = new Registry();
    const { world } = await watched(registry, 'one');
    let now = 1_795_000_000;
    const metrics = prometheusMetrics({ registry, name: 'app' });
    const feed = disabledFeed({ url: world.url, maxStale: 60, now: () => now, onEvent: metrics.onEvent });
    metrics.watchFeed(feed);
    const told = async () => line(await registry.metrics(), /^roaming_key_feed_(stale|last)\w*\{/);
    expect(await told()).toEqual(['roaming_key_feed_stale{name="app"} 1']);
    await feed.refresh();
    expect(await told()).toEqual([
      'roaming_key_feed_last_read_timestamp_seconds{name="app"} 1795000000',
      'roaming_key_feed_stale{name="app"} 0',
    ]);
    now += 61;
    expect((await told())[1]).toBe('roaming_key_feed_stale{name="app"} 1');
  });
});

it.each([
  ['registry', {}],
  ['name', { name: '' }],
  ['name', { name: 'a"b' }],
])('refuses a %s that is none', (option, options) => {
  const registry = option === 'registry' ? undefined : new Registry();
  expect(() => prometheusMetrics({ registry, ...options } as MetricsOptions)).toThrow(
    new RegExp(`^${option} must`),
  );
});
