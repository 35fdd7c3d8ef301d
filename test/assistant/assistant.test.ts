import { describe, expect, it } from 'vitest';
import { Assistant, type AssistantOptions, type PolicyRequest } from '../../lib/assistant/assistant.ts';
import type { AssistantEvent } from '../../lib/assistant/events.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import {
  assist,
  b64,
  lockOut,
  makeDisabling,
  makeRequest,
  makeTicket,
  openAnswer,
  post,
  random,
  unixNow,
} from '../attacks/support.ts';
import { startAssistant } from '../support/world.ts';

async function start(options: Partial<AssistantOptions> = {}) {
  const keys = await KeySet.generate();
  const store = new MemoryStore();
  const events: AssistantEvent[] = [];
  const assistant = new Assistant({ keys, store, onEvent: (event) => void events.push(event), ...options });
  return { assistant, keys, store, events, owner: await makeTicket(keys.active.jwk) };
}

describe('an assistant', () => {
  it('refuses options that are missing or of the wrong kind, when it is made', async () => {
    const keys = await KeySet.generate();
    const store = new MemoryStore();
    for (const options of [
      undefined,
      {},
      { keys },
      { store },
      { keys: keys.jwks(), store },
      { keys, store: { reserve: async () => {}, fail: async () => {}, settle: async () => {} } },
      { keys, store, allow: true },
      { keys, store, onEvent: 'log' },
      { keys, store, now: 5 },
      { keys, store, newIdsPerHour: 0 },
      { keys, store, policy: { free: 0 } },
      { keys, store, policy: { fre: 5 } },
      { keys, store, serve: { retrieve: 'yes' } },
      { keys, store, serve: { rsa: [1024] } },
      { keys, store, storeTimeout: 0 },
    ]) {
      expect(() => new Assistant(options as never)).toThrow(TypeError);
    }
    expect(() => new Assistant({ keys, store, policy: { free: 200 } })).toThrow(RangeError);
  });

  it('works without HTTP and without an address', async () => {
    const { assistant, owner } = await start();
    const { body, rho } = await makeRequest(owner);
    const { response } = await assistant.assist(body);
    expect(await openAnswer(response, rho)).toMatchObject({ op: 'retrieve', c: b64(owner.c) });
    for (const nonsense of [undefined, null, 1, 'x', [], {}, new Map(), () => {}]) {
      await expect(assistant.assist(nonsense)).rejects.toMatchObject({ code: 'invalid_request' });
      await expect(assistant.disable(nonsense)).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  it('tells of everything that happens, and of no secret', async () => {
    const { assistant, events, owner, keys } = await start();
    const ask = async (given: Parameters<typeof makeRequest>[1] = {}) =>
      assistant.assist((await makeRequest(owner, given)).body, { address: '192.0.2.1' }).catch(() => {});
    await ask();
    await ask({ beta: random(32) });
    await ask({ macKey: random(32) });
    await ask({ iat: 5 });
    await ask({ op: 'retire' });
    await ask();
    await assistant.disable((await makeDisabling(keys.active.jwk, { t: owner.t })).body, {
      address: '192.0.2.2',
    });
    await assistant.disable((await makeDisabling(keys.active.jwk, { t: owner.t })).body);
    await ask();
    const about = { id: owner.id, u: b64(owner.u), scheme: 'retrieve', address: '192.0.2.1' };
    expect(events).toEqual([
      {
        type: 'assisted',
        op: 'retrieve',
        failedSince: { count: 0, last: null },
        lastUsed: null,
        renewed: false,
        ...about,
      },
      { type: 'wrongPassword', op: 'retrieve', attemptsLeft: 4, retryAt: expect.any(Number), ...about },
      { type: 'rejected', code: 'bad_mac', reason: expect.any(String), address: '192.0.2.1' },
      { type: 'rejected', code: 'stale_request', reason: expect.any(String), address: '192.0.2.1' },
      {
        type: 'assisted',
        op: 'retire',
        failedSince: { count: 1, last: expect.any(Number) },
        lastUsed: expect.any(Number),
        renewed: false,
        ...about,
      },
      { type: 'retired', op: 'retire', ...about },
      { type: 'refusedRetired', op: 'retrieve', ...about },
      { type: 'disabled', u: b64(owner.u), isNew: true, address: '192.0.2.2' },
      { type: 'disabled', u: b64(owner.u), isNew: false },
      { type: 'refusedDisabled', op: 'retrieve', ...about },
    ]);
  });

  it('helps on when its audit log fails', async () => {
    const { assistant, owner } = await start({
      onEvent: () => {
        throw new Error('disk full');
      },
    });
    await assistant.assist((await makeRequest(owner)).body);
  });
});

describe('time', () => {
  it('may differ by five minutes, and no more', async () => {
    const now = unixNow();
    const { assistant, owner } = await start({ now: () => now });
    for (const [iat, good] of [
      [now - 300, true],
      [now + 300, true],
      [now - 301, false],
      [now + 301, false],
      [0, false],
      [Number.MAX_SAFE_INTEGER, false],
    ] as const) {
      const { body, rho } = await makeRequest(owner, { iat });
      const error = (await assistant.assist(body).catch((e: unknown) => e)) as RoamingKeyError;
      if (good) expect(error).toHaveProperty('response');
      else {
        expect(error.code).toBe('stale_request');
        expect(await openAnswer(error.response, rho)).toMatchObject({ code: 'stale_request', now });
      }
    }
  });

  it('ends a ticket when it says so', async () => {
    const now = unixNow();
    const { assistant, keys } = await start({ now: () => now });
    for (const [exp, good] of [
      [now + 1, true],
      [now, false],
      [now - 1, false],
      [0, false],
    ] as const) {
      const ticket = await makeTicket(keys.active.jwk, { payload: { exp } });
      const asked = assistant.assist((await makeRequest(ticket)).body);
      if (good) await asked;
      else await expect(asked).rejects.toMatchObject({ code: 'bad_ticket', response: undefined });
    }
  });

  it('that a ticket ends at survives its renewal', async () => {
    const { assistant, keys } = await start();
    const exp = unixNow() + 100;
    const ticket = await makeTicket(keys.active.jwk, { payload: { exp } });
    await keys.rotate();
    const { body, rho } = await makeRequest(ticket);
    const { renewed } = (await openAnswer((await assistant.assist(body)).response, rho)) as {
      renewed: { ticket: string };
    };
    const later = new Assistant({ keys, store: new MemoryStore(), now: () => exp });
    const again = await makeRequest(
      { ...ticket, jwk: keys.active.jwk, ticket: renewed.ticket },
      { iat: exp },
    );
    await expect(later.assist(again.body)).rejects.toMatchObject({ code: 'bad_ticket' });
  });
});

describe('the app’s own say', () => {
  it('comes after the MAC and before the count, and knows no secret', async () => {
    const seen: PolicyRequest[] = [];
    const { assistant, owner, events } = await start({
      allow: async (request) => {
        seen.push(request);
        return false;
      },
    });
    for (const beta of [owner.b, random(32)]) {
      const { body, rho } = await makeRequest(owner, { beta });
      const error = (await assistant
        .assist(body, { address: 'a' })
        .catch((e: unknown) => e)) as RoamingKeyError;
      expect(error).toMatchObject({ code: 'refused', status: 403 });
      expect(await openAnswer(error.response, rho)).toMatchObject({ code: 'refused' });
    }
    await assistant.assist((await makeRequest(owner, { macKey: random(32) })).body).catch(() => {});
    const told = { op: 'retrieve', scheme: 'retrieve', id: owner.id, u: b64(owner.u), address: 'a' };
    expect(seen).toEqual([told, told]);
    expect(events.map(({ type }) => type)).toEqual(['refusedByPolicy', 'refusedByPolicy', 'rejected']);
  });

  it('that fails, with whatever error, is the server’s failure and gives no help', async () => {
    for (const failure of [
      new Error('db'),
      new RoamingKeyError('network', 'x'),
      new RoamingKeyError('not_unlocked', 'x'),
      undefined,
      'no',
    ]) {
      const { assistant, owner, events } = await start({ allow: () => Promise.reject(failure) });
      const { body, rho } = await makeRequest(owner);
      const error = (await assistant.assist(body).catch((e: unknown) => e)) as RoamingKeyError;
      expect(error).toMatchObject({ code: 'unavailable', status: 503 });
      expect(await openAnswer(error.response, rho)).toMatchObject({ code: 'unavailable' });
      expect(events).toEqual([expect.objectContaining({ type: 'unavailable' })]);
    }
  });

  it('cannot change what it is asked about', async () => {
    const { assistant, owner, events } = await start({
      allow: (request) => {
        Object.assign(request, { id: 'x', u: 'x' });
        return true;
      },
    });
    await assistant.assist((await makeRequest(owner)).body);
    expect(events[0]).toMatchObject({ id: owner.id, u: b64(owner.u) });
  });
});

describe('renewal', () => {
  it('comes with a success alone, and never with a retirement or an error', async () => {
    const { assistant, keys, owner } = await start();
    await keys.rotate();
    const ask = async (given: Parameters<typeof makeRequest>[1] = {}) => {
      const { body, rho } = await makeRequest(owner, given);
      const told = (await assistant.assist(body).catch((e: unknown) => e)) as { response: string };
      return openAnswer(told.response, rho);
    };
    expect(await ask({ beta: random(32) })).not.toHaveProperty('renewed');
    expect(await ask({ iat: 1 })).not.toHaveProperty('renewed');
    expect(await ask()).toMatchObject({ renewed: { key: keys.active.jwk, ticket: expect.any(String) } });
    expect(await ask({ op: 'retire' })).not.toHaveProperty('renewed');
    expect(await ask()).toEqual(expect.objectContaining({ code: 'retired' }));
  });

  it('does not happen with the active key', async () => {
    const { assistant, owner } = await start();
    const { body, rho } = await makeRequest(owner);
    expect(await openAnswer((await assistant.assist(body)).response, rho)).not.toHaveProperty('renewed');
  });

  it('does not take a request for another of its keys than the ticket’s', async () => {
    const { assistant, keys, owner } = await start();
    await keys.rotate();
    const { body } = await makeRequest(owner, { jwk: keys.active.jwk });
    await expect(assistant.assist(body)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('of a ticket whose key is gone is impossible: the record is lost', async () => {
    const { assistant, keys, owner } = await start();
    await keys.rotate();
    keys.retire({ age: 0 });
    await expect(assistant.assist((await makeRequest(owner)).body)).rejects.toMatchObject({
      code: 'unknown_key',
    });
  });
});

describe('answers', () => {
  it('to a locked ticket say when, in the body, in the header and under rho', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    const { status, json, headers, opened } = await assist(world, await makeRequest(owner));
    expect([status, json.code]).toEqual([429, 'locked']);
    const retryAt = opened?.['retryAt'] as number;
    expect(json.retryAt).toBe(retryAt);
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(retryAt - unixNow());
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(30);
    expect(opened).toMatchObject({ attemptsLeft: 0, code: 'locked' });
  });

  it('are never kept by anybody', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const good = await assist(world, await makeRequest(owner));
    const bad = await assist(world, await makeRequest(owner, { beta: random(32) }));
    const disabled = await post(world, '/disable', (await makeDisabling(owner.jwk)).body);
    for (const { headers } of [good, bad, disabled]) expect(headers.get('cache-control')).toBe('no-store');
  });
});

describe('disabling', () => {
  it('needs no right clock, and any key of the assistant will do', async () => {
    const { assistant, keys, store } = await start();
    const old = keys.active.jwk;
    await keys.rotate();
    for (const jwk of [old, keys.active.jwk]) {
      for (const iat of [0, Number.MAX_SAFE_INTEGER]) {
        const t = random(16);
        const { body, rho } = await makeDisabling(jwk, { t, payload: { iat } });
        const { response } = await assistant.disable(body);
        expect(await openAnswer(response, rho)).toMatchObject({ op: 'disable', disabled: true });
        expect((await store.feed({ limit: 9 })).disabled).toContain(b64(t));
      }
    }
  });

  it('is told on the feed in order, page by page, to whoever asks', async () => {
    const { assistant, keys } = await start();
    const ts = [random(16), random(16), random(16)];
    const read = async (after?: string) => {
      const { json, isLasting } = await assistant.disabledFeed(after);
      return { ...(JSON.parse(String(json)) as { disabled: string[]; next: string }), isLasting };
    };
    const first = await read();
    expect(first).toEqual({ disabled: [], next: '', isLasting: false });
    for (const t of ts) await assistant.disable((await makeDisabling(keys.active.jwk, { t })).body);
    const page = await read(first.next);
    expect(page.disabled).toEqual(ts.map(b64));
    expect(await read(page.next)).toEqual({ disabled: [], next: page.next, isLasting: false });
  });
});
