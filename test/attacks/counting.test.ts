/** Attacks on the count of guesses (docs/protocol.md sections 3, 4 and 7): each succeeded against a draft without its rule. */
import { describe, expect, it } from 'vitest';
import { seal } from '../../lib/crypto/jwe/jwe.ts';
import { requestMac } from '../../lib/protocol/messages.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { FailAnswer, ReserveAnswer, SettleAnswer } from '../../lib/store/store.ts';
import { startAssistant } from '../support/world.ts';
import {
  assist,
  b64,
  countedSince,
  lockOut,
  makeDisabling,
  makeRequest,
  makeTicket,
  post,
  random,
  timeless,
  unixNow,
} from './support.ts';

describe('a stolen request', () => {
  it('beside a ticket of the thief’s own, with a MAC that is right for it, is no uncounted guess', async () => {
    const world = await startAssistant();
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    const { body, rho } = await makeRequest(owner);
    // The thief's ticket has any β as b that he wants to test: the answer would tell him whether the owner sent it.
    const thief = await makeTicket(jwk, { b: owner.b });
    const mac = b64(requestMac(thief.a, body.request, thief.ticket));
    const stolen = { ticket: thief.ticket, request: body.request, mac };
    const answer = await assist(world, { body: stolen, rho, jti: random(16) });
    expect(answer.status).toBe(401);
    expect(answer.json.code).toBe('bad_mac');
    expect(answer.opened).not.toHaveProperty('c');
  });

  it('is answered alike beside a thief’s ticket with the right verifier and with a wrong one', async () => {
    const world = await startAssistant();
    const { jwk } = world.keys.active;
    const owner = await makeTicket(jwk);
    const codes = [];
    for (const b of [owner.b, random(32)]) {
      const { body } = await makeRequest(owner);
      const thief = await makeTicket(jwk, { b });
      const mac = b64(requestMac(thief.a, body.request, thief.ticket));
      const { json } = await post(world, '/assist', { ticket: thief.ticket, request: body.request, mac });
      codes.push([json.code, json.attemptsLeft, json.retryAt]);
    }
    expect(codes[0]).toEqual(codes[1]);
    expect(world.events.map(({ type }) => type)).toEqual(['rejected', 'rejected']);
  });

  it('with a hash of the thief’s ticket in it must be opened to be bent, which the thief cannot', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const { body } = await makeRequest(owner);
    const parts = body.request.split('.');
    const first = parts[3]?.startsWith('A') ? 'B' : 'A';
    const request = [...parts.slice(0, 3), first + (parts[3] as string).slice(1), parts[4]].join('.');
    const mac = b64(requestMac(owner.a, request, owner.ticket));
    const answer = await post(world, '/assist', { ticket: owner.ticket, request, mac });
    expect(answer.json.code).toBe('invalid_request');
    expect(answer.json).not.toHaveProperty('response');
  });
});

describe('the counter of a ticket', () => {
  it('is not reset through a ticket of the thief’s own with the same a and u', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    const own = await makeTicket(owner.jwk, { a: owner.a, t: owner.t });
    expect((await assist(world, await makeRequest(own))).status).toBe(200);
    const guess = await assist(world, await makeRequest(owner, { beta: random(32) }));
    expect(guess.json.code).toBe('locked');
  });

  it('is not reset by one with the same a, u and c either', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    const own = await makeTicket(owner.jwk, { a: owner.a, t: owner.t, c: owner.c });
    expect((await assist(world, await makeRequest(own))).status).toBe(200);
    expect((await assist(world, await makeRequest(owner))).json.code).toBe('locked');
  });

  it('is the same for every spelling of a ticket', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const { payload } = owner;
    const spellings = [
      owner.ticket,
      await seal(payload, 'rk-ticket+jwe', owner.jwk),
      await seal(Object.fromEntries(Object.entries(payload).reverse()), 'rk-ticket+jwe', owner.jwk),
      await seal({ ...payload, iat: 5 }, 'rk-ticket+jwe', owner.jwk),
      await seal({ ...payload, exp: unixNow() + 1000 }, 'rk-ticket+jwe', owner.jwk),
    ];
    for (const ticket of spellings) {
      const wrong = await assist(world, await makeRequest({ ...owner, ticket }, { beta: random(32) }));
      expect(wrong.json.code).toBe('wrong_password');
    }
    for (const ticket of spellings) {
      expect((await assist(world, await makeRequest({ ...owner, ticket }))).json.code).toBe('locked');
    }
  });

  it('knows no spelling by base64url variants, padding, blanks or case: those open nothing', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const { ticket } = owner;
    const parts = ticket.split('.');
    const last = ticket.at(-1) as string;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // The tag's last character carries four bits that mean nothing: 15 other spellings of the same bytes.
    const strayBits = alphabet[alphabet.indexOf(last) ^ 1] as string;
    const variants = [
      `${ticket}=`,
      `${ticket}==`,
      `${ticket} `,
      ` ${ticket}`,
      `${ticket}\n`,
      `${ticket}.`,
      ticket.slice(0, -1) + strayBits,
      [parts[0], 'AA', ...parts.slice(2)].join('.'),
      `${parts[0]}=.${parts.slice(1).join('.')}`,
      ticket.replace(/-/g, '+').replace(/_/g, '/'),
    ].filter((variant) => variant !== ticket);
    for (const variant of variants) {
      const answer = await assist(
        world,
        await makeRequest({ ...owner, ticket: variant }, { beta: random(32) }),
      );
      expect(['bad_ticket', 'invalid_request']).toContain(answer.json.code);
    }
    expect(await countedSince(world, owner)).toBe(0);
  });

  it('and the disabled mark bite a ticket that is sealed again to another key of the assistant', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    await world.keys.rotate();
    const { jwk } = world.keys.active;
    const moved = { ...owner, jwk, ticket: await seal(owner.payload, 'rk-ticket+jwe', jwk) };
    expect((await assist(world, await makeRequest(moved))).json.code).toBe('locked');
    await post(world, '/disable', (await makeDisabling(jwk, { t: owner.t })).body);
    for (const copy of [owner, moved]) {
      expect((await assist(world, await makeRequest(copy))).json.code).toBe('disabled');
    }
  });
});

describe('whoever has not the device', () => {
  it('counts nothing with any number of wrong MACs, not even with the right password', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    for (let i = 0; i < 50; i++) {
      const beta = i % 2 ? owner.b : random(32);
      const answer = await assist(world, await makeRequest(owner, { beta, macKey: random(32) }));
      expect(answer.status).toBe(401);
      expect(answer.json.code).toBe('bad_mac');
      expect(answer.headers.get('www-authenticate')).toMatch(/^RoamingKey/);
      expect(answer.json).not.toHaveProperty('response');
    }
    expect(await countedSince(world, owner)).toBe(0);
  });

  it('who replays what the owner sent counts nothing, also in other orders and 300 times', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const typo = await makeRequest(owner, { beta: random(32) });
    const good = await makeRequest(owner);
    expect((await assist(world, typo)).json.code).toBe('wrong_password');
    expect((await assist(world, good)).status).toBe(200);
    const replays = await Promise.all(
      Array.from(
        { length: 300 },
        async (_, i) => (await post(world, '/assist', (i % 2 ? typo : good).body)).json,
      ),
    );
    expect(new Set(replays.map(({ code }) => code))).toEqual(new Set(['replayed']));
    expect(await countedSince(world, owner)).toBe(0);
  });

  it('who replays at the same moment as the owner does not make two failures of one typo', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const typo = await makeRequest(owner, { beta: random(32) });
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => (await post(world, '/assist', typo.body)).json.code),
    );
    expect(answers.filter((code) => code === 'wrong_password')).toHaveLength(1);
    expect(answers.filter((code) => code === 'replayed')).toHaveLength(39);
    expect(await countedSince(world, owner)).toBe(1);
  });
});

describe('a request that was answered is never answered again', () => {
  it('where the first answer was locked', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    const late = await makeRequest(owner, { beta: random(32) });
    expect((await assist(world, late)).json.code).toBe('locked');
    world.clock.offset += 60;
    expect((await assist(world, late)).json.code).toBe('replayed');
    expect(await countedSince(world, owner)).toBe(5);
  });

  it('where the first answer was busy', async () => {
    const world = await startAssistant({ policy: { free: 1 } });
    const owner = await makeTicket(world.keys.active.jwk);
    const requests = await Promise.all(
      Array.from({ length: 8 }, () => makeRequest(owner, { beta: random(32) })),
    );
    // One guess is reserved by somebody else, so the next must wait.
    await world.store.reserve(reservation(owner.id, b64(owner.u)));
    const refused = await Promise.all(requests.map((request) => assist(world, request)));
    expect(new Set(refused.map(({ json }) => json.code))).toEqual(new Set(['busy']));
    world.clock.offset += 120;
    for (const request of requests) {
      expect((await assist(world, request)).json.code).toBe('replayed');
    }
  });

  it('where the first answer was disabled, so that no operator’s slip makes it a guess', async () => {
    const store = new MemoryStore();
    const world = await startAssistant({ store });
    const owner = await makeTicket(world.keys.active.jwk);
    const typo = await makeRequest(owner, { beta: random(32) });
    await store.disable({ u: b64(owner.u), t: b64(owner.t) });
    expect((await assist(world, typo)).json.code).toBe('disabled');
    const seen = await store.reserve({ ...reservation(owner.id, b64(random(32))), jti: b64(typo.jti) });
    expect(seen.answer).toBe('replayed');
  });

  it('as long as its time is within the skew, and for minutes after', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const early = await makeRequest(owner, { beta: random(32), iat: unixNow() + 299 });
    expect((await assist(world, early)).json.code).toBe('wrong_password');
    for (const offset of [0, 299, 300, 590]) {
      world.clock.offset = offset;
      expect((await assist(world, early)).json.code).toBe('replayed');
    }
    world.clock.offset = 602;
    expect((await assist(world, early)).json.code).toBe('stale_request');
    const honest = await makeRequest(owner, { iat: unixNow() + 602 });
    expect((await assist(world, honest)).opened).toMatchObject({ failedSince: { count: 1 } });
  });
});

function reservation(id: string, u: string) {
  const policy = {
    free: 1,
    firstWait: 30,
    maxWait: 86_400,
    limit: 100,
    window: 2_592_000,
    reservationTimeout: 60,
    knownFor: 5_000,
  };
  return { id, u, jti: b64(random(16)), policy, seenUntil: unixNow() + 900, admitNew: true };
}

describe('1,000 wrong guesses at once', () => {
  it('on one ticket over HTTP get exactly five answers', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    const guesses = await Promise.all(
      Array.from({ length: 1000 }, () => makeRequest(owner, { beta: random(32) })),
    );
    const codes = await Promise.all(
      guesses.map(async ({ body }) => (await post(world, '/assist', body)).json.code as string),
    );
    expect(codes.filter((code) => code === 'wrong_password')).toHaveLength(5);
    expect(codes.filter((code) => code === 'busy' || code === 'locked')).toHaveLength(995);
    expect((await assist(world, await makeRequest(owner))).json.code).toBe('locked');
  });

  it('the right one among them is not told from the wrong ones once the policy has stopped', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await lockOut(world, owner);
    const wrong = await assist(world, await makeRequest(owner, { beta: random(32) }));
    const right = await assist(world, await makeRequest(owner));
    expect(timeless(right)).toEqual(timeless(wrong));
  });
});

/** A store that works, and of which one operation fails, as when a network does. */
class FailingStore extends MemoryStore {
  fails: 'fail' | 'settle' | 'release' | 'reserve' | 'disable' | undefined;
  /** Whether the operation has happened all the same and only its answer is lost. */
  late = false;

  async #maybe<T>(name: FailingStore['fails'], act: () => Promise<T>): Promise<T> {
    if (this.fails !== name) return act();
    if (this.late) await act();
    throw new Error('connection lost, password=hunter2');
  }
  override reserve(request: Parameters<MemoryStore['reserve']>[0]): Promise<ReserveAnswer> {
    return this.#maybe('reserve', () => super.reserve(request));
  }
  override fail(request: Parameters<MemoryStore['fail']>[0]): Promise<FailAnswer> {
    return this.#maybe('fail', () => super.fail(request));
  }
  override settle(request: Parameters<MemoryStore['settle']>[0]): Promise<SettleAnswer> {
    return this.#maybe('settle', () => super.settle(request));
  }
  override disable(request: Parameters<MemoryStore['disable']>[0]): Promise<{ readonly isNew: boolean }> {
    return this.#maybe('disable', () => super.disable(request));
  }
}

describe('a store that fails', () => {
  it.each([false, true])(
    'when a guess was wrong (the step took place: %s) releases no reservation',
    async (late) => {
      const clock = { offset: 0, now: () => unixNow() + clock.offset };
      const store = new FailingStore({ now: clock.now });
      const world = await startAssistant({ store, now: clock.now });
      const owner = await makeTicket(world.keys.active.jwk);
      store.fails = 'fail';
      store.late = late;
      for (let i = 0; i < 5; i++) {
        const answer = await assist(world, await makeRequest(owner, { beta: random(32) }));
        expect(answer.status).toBe(503);
        expect(answer.opened).toMatchObject({ code: 'unavailable' });
      }
      const sixth = await assist(world, await makeRequest(owner, { beta: random(32) }));
      expect(sixth.json.code).toBe(late ? 'locked' : 'busy');
      store.fails = undefined;
      clock.offset = 61 + 30;
      expect(await countedSince(world, owner)).toBe(5);
    },
  );

  it.each([false, true])(
    'when the password was right (the step took place: %s) gives no help',
    async (late) => {
      const store = new FailingStore();
      const world = await startAssistant({ store });
      const owner = await makeTicket(world.keys.active.jwk);
      store.fails = 'settle';
      store.late = late;
      const answer = await assist(world, await makeRequest(owner));
      expect(answer.json.code).toBe('unavailable');
      expect(answer.opened).not.toHaveProperty('c');
      expect(answer.text).not.toContain('hunter2');
      store.fails = undefined;
      expect((await assist(world, await makeRequest(owner))).status).toBe(200);
    },
  );

  it('before a guess is reserved looks at no password', async () => {
    const store = new FailingStore();
    const world = await startAssistant({ store });
    const owner = await makeTicket(world.keys.active.jwk);
    store.fails = 'reserve';
    const told = [];
    for (const beta of [owner.b, random(32)]) {
      told.push(timeless(await assist(world, await makeRequest(owner, { beta }))));
    }
    expect(told[0]).toEqual(told[1]);
    expect(told[0]).toMatchObject({ status: 503, code: 'unavailable' });
  });

  it('when a key is to be disabled confirms nothing', async () => {
    const store = new FailingStore();
    const world = await startAssistant({ store });
    const { body } = await makeDisabling(world.keys.active.jwk);
    store.fails = 'disable';
    const answer = await post(world, '/disable', body);
    expect(answer.status).toBe(503);
    expect(answer.json).not.toHaveProperty('response');
  });
});

describe('a failure after the password was found right', () => {
  it('releases the reservation and leaves the request seen', async () => {
    const world = await startAssistant();
    const owner = await makeTicket(world.keys.active.jwk);
    await world.keys.rotate();
    // Renewing fails: the active key is one that nothing can be sealed to.
    const broken = { kty: 'OKP', crv: 'X25519', x: b64(new Uint8Array(32)), kid: world.keys.active.jwk.kid };
    Object.defineProperty(world.keys, 'active', { configurable: true, get: () => ({ jwk: broken }) });
    // More than the policy would let wait at once, if they stayed open.
    const requests = await Promise.all(Array.from({ length: 7 }, () => makeRequest(owner)));
    for (const request of requests) {
      const answer = await assist(world, request);
      expect(answer.status).toBe(503);
      expect(answer.opened).toMatchObject({ code: 'unavailable' });
    }
    expect(world.events.at(-1)).toMatchObject({ type: 'unavailable' });
    expect((await assist(world, requests[0] as never)).json.code).toBe('replayed');
    Reflect.deleteProperty(world.keys, 'active');
    expect(await countedSince(world, owner)).toBe(0);
  });
});

describe('an address', () => {
  it('that makes tickets at will fills no store: beyond its budget new ids wait, known ones do not', async () => {
    const world = await startAssistant({ newIdsPerHour: 3 });
    const { jwk } = world.keys.active;
    const delayed = () => world.events.filter(({ type }) => type === 'delayed').length;
    const failed = await makeTicket(jwk);
    const owner = await makeTicket(jwk);
    await assist(world, await makeRequest(failed, { beta: random(32) }));
    expect((await assist(world, await makeRequest(owner))).status).toBe(200);
    await assist(world, await makeRequest(await makeTicket(jwk), { beta: random(32) }));
    // The budget is spent. Whose id has failed or succeeded before is judged by that alone.
    for (let i = 0; i < 5; i++) expect((await assist(world, await makeRequest(owner))).status).toBe(200);
    expect(await countedSince(world, failed)).toBe(1);
    expect(delayed()).toBe(0);
    const codes = [];
    for (let i = 0; i < 2; i++)
      codes.push(
        (await assist(world, await makeRequest(await makeTicket(jwk), { beta: random(32) }))).json.code,
      );
    expect(codes).toEqual(['wrong_password', 'wrong_password']);
    expect(delayed()).toBe(2);
    // A right password of a newcomer is answered, and leaves nothing.
    const newcomer = await makeTicket(jwk);
    expect((await assist(world, await makeRequest(newcomer))).status).toBe(200);
    expect((await assist(world, await makeRequest(newcomer))).opened).toMatchObject({ lastUsed: null });
    expect(delayed()).toBe(4);
  });

  it('over its budget leaves nothing for ever: no retirement of an id that is not known', async () => {
    const world = await startAssistant({ newIdsPerHour: 1 });
    const { jwk } = world.keys.active;
    const known = await makeTicket(jwk);
    expect((await assist(world, await makeRequest(known))).status).toBe(200);
    const unknown = await makeTicket(jwk);
    const refused = await assist(world, await makeRequest(unknown, { op: 'retire' }));
    expect([refused.status, refused.json.code]).toEqual([429, 'busy']);
    expect(refused.opened).toMatchObject({ code: 'busy', retryAt: expect.any(Number) });
    expect((await assist(world, await makeRequest(known, { op: 'retire' }))).status).toBe(200);
  });

  it('may try as many passwords as the policy says on a key whose id it made known', async () => {
    const world = await startAssistant({ newIdsPerHour: 1 });
    await lockOut(world, await makeTicket(world.keys.active.jwk));
  });
});
