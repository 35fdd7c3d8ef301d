/**
 * What a thief registers in the owner's session falls with the key that he used (docs/protocol.md section 8), and what
 * an owner registers there stands by itself after a while.
 */
import type { Express } from 'express';
import fc from 'fast-check';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { challenge } from '../../lib/strategy/challenge.ts';
import type { RelyingPartyEvent } from '../../lib/strategy/events.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import {
  confirmKey,
  findKey,
  mergeKey,
  type RegisteredKey,
  type Registration,
  removeKey,
} from '../../lib/strategy/registered-key.ts';
import { registration } from '../../lib/strategy/registration.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { isLive, keysKilledBy, listKeys, stands } from '../../lib/strategy/standing.ts';
import { ACCOUNT, AUDIENCE, NOW, TestKey, TestParty } from './support.ts';

const DAYS = 86_400;
let party: TestParty;
let events: RelyingPartyEvent[];
let changes: Partial<RelyingPartyOptions>;

const owners = new TestKey('Ed25519');
const thiefs = new TestKey('ES256');
const third = new TestKey('Ed25519');

beforeEach(() => {
  party = new TestParty();
  events = [];
  changes = {};
});

const options = (): RelyingPartyOptions =>
  party.options({
    onEvent: (event) => events.push(event),
    updateKeys: (account, change) =>
      void party.accounts.set(account, change(party.accounts.get(account) ?? [])),
    ...changes,
  });
const stored = () => party.accounts.get(ACCOUNT) ?? [];
const entry = async (key: TestKey) => {
  const jkt = await key.thumbprint();
  return stored().find((one) => one.jkt === jkt);
};

/** An app where an invitation or a session registers keys. */
function makeApp(): Express {
  const rp = options();
  return party.app({
    sessions: true,
    options: rp,
    use: (app) => {
      app.use(requireLiveKey(rp));
      app.post('/keys/challenge', challenge(rp));
      app.post(
        '/keys',
        registration({
          ...rp,
          account: (req) => (req.user as { account?: string } | undefined)?.account ?? req.get('X-Invited'),
          save: (_req, key) => void party.accounts.set(key.account, mergeKey(stored(), key)),
        }),
      );
    },
  });
}

type Browser = ReturnType<typeof request.agent> & { app?: unknown };
const times = () => ({ iat: party.clock, exp: party.clock + 120 });

async function register(browser: Browser, key: TestKey, claims: object = {}) {
  const { body } = await request(browser.app as Express)
    .post('/keys/challenge')
    .expect(200);
  const proof = await key.register(body.challenge, { claims: { ...times(), ...claims } });
  return browser.post('/keys').set('Origin', AUDIENCE).send({ proof });
}
async function invited(app: Express, key: TestKey) {
  const { body } = await request(app).post('/keys/challenge').expect(200);
  const proof = await key.register(body.challenge, { claims: times() });
  return request(app)
    .post('/keys')
    .set({ Origin: AUDIENCE, 'X-Invited': ACCOUNT })
    .send({ proof })
    .expect(201);
}
async function enter(app: Express, key: TestKey) {
  const browser = request.agent(app);
  const { body } = await browser.post('/login/challenge').expect(200);
  const proof = await key.login(body.challenge, { claims: times() });
  const answer = await browser.post('/login').set('Origin', AUDIENCE).send({ proof });
  return { browser, code: answer.body.code as string | undefined };
}
const codeAt = async (app: Express, key: TestKey) => (await enter(app, key)).code ?? 'in';

/** The thief has logged in with the owner's key and registered his own. */
async function stolen() {
  const app = makeApp();
  await invited(app, owners);
  const { browser } = await enter(app, owners);
  expect((await register(browser, thiefs)).status).toBe(201);
  return { app, browser };
}

describe('a key that was registered in a session of another', () => {
  it('names its voucher, in the store and in the event', async () => {
    await stolen();
    expect(await entry(thiefs)).toMatchObject({ by: await owners.thumbprint(), at: NOW });
    expect(await entry(owners)).not.toHaveProperty('by');
    const added = events.filter(({ type }) => type === 'registered');
    expect(added.map((event) => ('by' in event ? event.by : undefined))).toEqual([
      undefined,
      await owners.thumbprint(),
    ]);
  });

  it('is suspended when that one is disabled: at login, and its sessions end', async () => {
    const { app } = await stolen();
    const { browser: thief, code } = await enter(app, thiefs);
    expect(code).toBeUndefined();
    await party.disable(owners.u);
    const me = await thief.get('/me');
    expect([me.status, me.body.code]).toEqual([403, 'suspended']);
    expect((await thief.get('/me')).body.user).toBeNull();
    expect(events.at(-1)).toMatchObject({ type: 'sessionEnded', reason: 'suspended' });
    expect(await codeAt(app, thiefs)).toBe('suspended');
  });

  it('is suspended for who has signed alone; others are refused as ever', async () => {
    const { app } = await stolen();
    await party.disable(owners.u);
    const { body } = await request(app).post('/login/challenge');
    const kid = await thiefs.thumbprint();
    const proof = await new TestKey('ES256').login(body.challenge, { header: { kid } });
    expect((await request(app).post('/login').send({ proof })).body.code).toBe('refused');
  });

  it('takes with it what was registered in its own sessions, and registers nothing more', async () => {
    const { app } = await stolen();
    const { browser: thief } = await enter(app, thiefs);
    expect((await register(thief, third)).status).toBe(201);
    const { browser: thirds } = await enter(app, third);
    await party.disable(owners.u);
    expect(await codeAt(app, third)).toBe('suspended');
    expect((await register(thirds, new TestKey('Ed25519'))).body.code).toBe('suspended');
    expect(stored()).toHaveLength(3);
  });

  it('is not saved by removing the key that vouches, nor by registering that one again', async () => {
    const { app } = await stolen();
    const jkt = await owners.thumbprint();
    party.accounts.set(ACCOUNT, removeKey(stored(), jkt));
    expect(await entry(owners)).toMatchObject({ isRemoved: true, disablingNames: [owners.u] });
    expect(await codeAt(app, owners)).toBe('refused');
    expect(await codeAt(app, thiefs)).toBe('in');
    await party.disable(owners.u);
    expect(await codeAt(app, thiefs)).toBe('suspended');
  });

  it('stands by itself after a login thirty days later, and not before', async () => {
    const { app } = await stolen();
    party.clock += 30 * DAYS - 1;
    expect(await codeAt(app, thiefs)).toBe('in');
    expect(await entry(thiefs)).toHaveProperty('by');
    party.clock += 1;
    expect(await codeAt(app, thiefs)).toBe('in');
    expect(await entry(thiefs)).not.toHaveProperty('by');
    await party.disable(owners.u);
    expect(await codeAt(app, thiefs)).toBe('in');
  });

  it('does not outgrow its voucher by a login after that one is disabled, nor by waiting', async () => {
    const { app } = await stolen();
    party.clock += 60 * DAYS;
    await party.disable(owners.u);
    expect(await codeAt(app, thiefs)).toBe('suspended');
    expect(await entry(thiefs)).toHaveProperty('by');
  });

  it('keeps a voucher that another process has set meanwhile', async () => {
    const { app } = await stolen();
    party.clock += 40 * DAYS;
    changes = {
      updateKeys: (account, change) => {
        const others = stored().map((key) => (key.by ? { ...key, at: party.clock } : key));
        party.accounts.set(account, change(others));
      },
    };
    expect(await codeAt(makeApp(), thiefs)).toBe('in');
    expect(await entry(thiefs)).toMatchObject({ by: await owners.thumbprint(), at: party.clock });
    expect(app).toBeDefined();
  });

  it('logs in though its voucher cannot be taken away', async () => {
    await stolen();
    party.clock += 40 * DAYS;
    changes = { updateKeys: () => Promise.reject(new Error('down')) };
    expect(await codeAt(makeApp(), thiefs)).toBe('in');
    expect(events.some(({ type }) => type === 'unavailable')).toBe(true);
  });

  it('is confirmed by other means: by hand, or by registering it once more', async () => {
    for (const confirm of [
      async () => void party.accounts.set(ACCOUNT, confirmKey(stored(), await thiefs.thumbprint())),
      async (app: Express) => void (await invited(app, thiefs)),
    ]) {
      party = new TestParty();
      const { app } = await stolen();
      await party.disable(owners.u);
      expect(await codeAt(app, thiefs)).toBe('suspended');
      await confirm(app);
      expect(await codeAt(app, thiefs)).toBe('in');
      expect(await entry(thiefs)).not.toHaveProperty('by');
    }
  });

  it('gets another voucher only when it does not stand, in a session of one that does', async () => {
    const { app, browser } = await stolen();
    await invited(app, third);
    const { browser: thirds } = await enter(app, third);
    await register(thirds, thiefs);
    expect(await entry(thiefs)).toMatchObject({ by: await owners.thumbprint() });
    await register(browser, owners);
    expect(await entry(owners)).not.toHaveProperty('by');
    await party.disable(owners.u);
    party.clock += DAYS;
    expect((await register(thirds, thiefs)).status).toBe(201);
    expect(await entry(thiefs)).toMatchObject({ by: await third.thumbprint(), at: party.clock });
    expect(await codeAt(app, thiefs)).toBe('in');
    await party.disable(third.u);
    expect(await codeAt(app, thiefs)).toBe('suspended');
  });

  it('has none where the app wants none', async () => {
    changes = { vouchFor: 0 };
    const { app } = await stolen();
    expect(await entry(thiefs)).not.toHaveProperty('by');
    await party.disable(owners.u);
    expect(await codeAt(app, thiefs)).toBe('in');
  });
});

describe('a registration in a session of a key of another account', () => {
  it('is refused, unless sessions without a key are allowed: then it has no voucher', async () => {
    for (const [withoutKey, status] of [['refuse', 403] as const, ['allow', 201] as const]) {
      party = new TestParty();
      changes = { withoutKey };
      const app = makeApp();
      await invited(app, owners);
      const rp = options();
      const { browser } = await enter(app, owners);
      app.post(
        '/for-bob',
        registration({
          ...rp,
          account: () => 'bob',
          save: (_req, key) => void party.accounts.set('bob', mergeKey([], key)),
        }),
      );
      const { body } = await browser.post('/keys/challenge');
      const proof = await thiefs.register(body.challenge, { claims: { sub: 'bob' } });
      expect((await browser.post('/for-bob').send({ proof })).status).toBe(status);
      expect(party.accounts.get('bob')?.[0]?.by).toBeUndefined();
    }
  });
});

describe('removeKey', () => {
  it('keeps a tombstone while it vouches, and its voucher if it comes back', async () => {
    const { app } = await stolen();
    const { browser: thief } = await enter(app, thiefs);
    await register(thief, third);
    const [o, t, x] = await Promise.all([owners, thiefs, third].map((key) => key.thumbprint()));
    const without = removeKey(stored(), t as string);
    expect(without.map(({ jkt, isRemoved }) => [jkt, isRemoved])).toEqual([
      [o, undefined],
      [t, true],
      [x, undefined],
    ]);
    expect(removeKey(without, x as string).map(({ jkt }) => jkt)).toEqual([o]);
    party.accounts.set(ACCOUNT, without);
    const { browser: owner } = await enter(app, owners);
    await register(owner, thiefs);
    expect(await entry(thiefs)).toMatchObject({ by: o, disablingNames: [thiefs.u] });
    expect(await entry(thiefs)).not.toHaveProperty('isRemoved');
  });

  it('does not let a session fill the account with tombstones', async () => {
    const { app, browser } = await stolen();
    const filler: RegisteredKey[] = Array.from({ length: 64 }, (_, i) => ({
      ...new TestKey('Ed25519').registered,
      jkt: `${i}`,
      isRemoved: true,
    }));
    party.accounts.set(ACCOUNT, [...stored(), ...filler]);
    expect((await register(browser, third)).body.code).toBe('refused');
    await invited(app, third);
  });
});

describe('what an app asks about its keys', () => {
  it('says which count, and what a code has killed', async () => {
    await stolen();
    await invited(makeApp(), third);
    const states = async () =>
      Object.fromEntries((await listKeys(options(), ACCOUNT)).map(({ jkt, state }) => [jkt, state]));
    const [o, t, x] = await Promise.all([owners, thiefs, third].map((key) => key.thumbprint()));
    expect(await states()).toEqual({ [o as string]: 'live', [t as string]: 'live', [x as string]: 'live' });
    expect(await keysKilledBy(options(), ACCOUNT, owners.u)).toEqual([]);
    await party.disable(owners.u);
    expect(await states()).toEqual({
      [o as string]: 'disabled',
      [t as string]: 'suspended',
      [x as string]: 'live',
    });
    const killed = await keysKilledBy(options(), ACCOUNT, owners.u);
    expect(killed.map(({ jkt, state }) => [jkt, state])).toEqual([
      [o, 'disabled'],
      [t, 'suspended'],
    ]);
    expect(await keysKilledBy(options(), ACCOUNT, third.u)).toEqual([]);
    const live = (jkt = '') => isLive(options(), { account: ACCOUNT, jkt });
    expect(await Promise.all([live(o), live(t), live(x), live('none')])).toEqual([false, false, true, false]);
    await expect(
      isLive(party.options({ keysOf: () => Promise.reject(new Error('down')) }), {
        account: ACCOUNT,
        jkt: 'x',
      }),
    ).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('whether a key stands', () => {
  const NAMES = Array.from({ length: 6 }, (_, i) => Buffer.alloc(32, i + 1).toString('base64url'));
  const KEYS = NAMES.map(() => new TestKey('Ed25519'));

  it('is what the definition says, for any vouchers and any disabled keys', async () => {
    const jkts = await Promise.all(KEYS.map((key) => key.thumbprint()));
    const index = fc.option(fc.nat(NAMES.length), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        fc.array(index, { minLength: 6, maxLength: 6 }),
        fc.uniqueArray(fc.nat(5)),
        fc.uniqueArray(fc.nat(5)),
        async (vouchers, dead, removed) => {
          // 6: a key that the account does not have.
          const keys = KEYS.map((key, i): RegisteredKey => {
            const by = vouchers[i];
            return {
              jwk: key.jwk,
              jkt: jkts[i] as string,
              disablingNames: [NAMES[i] as string],
              ...(by !== undefined && { by: jkts[by] ?? 'gone', at: NOW }),
              ...(removed.includes(i) && { isRemoved: true as const }),
            };
          });
          const disabled = {
            isDisabled: async (names: readonly string[]) =>
              names.some((u) => dead.includes(NAMES.indexOf(u))),
          };
          /** It stands if it is not disabled and has no voucher, or the voucher stands; a key met twice: no. */
          const model = (i: number, met: readonly number[]): boolean => {
            const by = vouchers[i];
            if (dead.includes(i) || met.includes(i) || i > 5) return false;
            return by === undefined || model(by, [...met, i]);
          };
          for (const [i, jkt] of jkts.entries()) {
            const key = findKey(keys, jkt);
            if (!key || dead.includes(i)) continue;
            expect(await stands({ disabled, vouchFor: 1 }, keys, key)).toBe(model(i, []));
            expect(await stands({ disabled, vouchFor: 0 }, keys, key)).toBe(true);
          }
        },
      ),
    );
  });

  it('never changes for the better by what a session of a fallen key can do', async () => {
    const jkts = await Promise.all(KEYS.map((key) => key.thumbprint()));
    const shown = (i: number, by: number | undefined): Registration => ({
      account: ACCOUNT,
      jkt: jkts[i] as string,
      jwk: (KEYS[i] as TestKey).jwk,
      alg: 'Ed25519',
      disablingNames: [NAMES[i] as string],
      provenAt: NOW,
      voucher: by === undefined ? 'removed' : 'kept',
      ...(by !== undefined && { by: jkts[by] as string }),
    });
    const step = fc.record({ key: fc.integer({ min: 1, max: 5 }), isRemoval: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        // Key 0 is the owner's; its thief acts with it and with whatever he has registered.
        let keys = mergeKey([], shown(0, undefined));
        let last = 0;
        for (const { key, isRemoval } of steps) {
          if (isRemoval) keys = removeKey(keys, jkts[key] as string);
          else if (findKey(keys, jkts[last] as string)) {
            keys = mergeKey(keys, shown(key, last));
            last = key;
          } else last = 0;
        }
        keys = removeKey(keys, jkts[0] as string);
        const disabled = {
          isDisabled: async (names: readonly string[]) => names.includes(NAMES[0] as string),
        };
        for (const jkt of jkts.slice(1)) {
          const key = findKey(keys, jkt);
          if (key) expect(await stands({ disabled, vouchFor: 1 }, keys, key)).toBe(false);
        }
      }),
    );
  });
});
