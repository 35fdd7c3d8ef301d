import type { Express } from 'express';
import express from 'express';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { mergeKey, type RegisteredKey, type Registration } from '../../lib/strategy/registered-key.ts';
import { type RegistrationOptions, registration } from '../../lib/strategy/registration.ts';
import { ACCOUNT, AUDIENCE, type Changes, fetchChallenge, NOW, post, TestKey, TestParty } from './support.ts';

const KEYS = {
  Ed25519: new TestKey('Ed25519'),
  ES256: new TestKey('ES256'),
  PS256: new TestKey('PS256'),
  RS256: new TestKey('RS256'),
};
const name = (letter: string) => `${letter.repeat(42)}A`;

let party: TestParty;
let key: TestKey;

beforeEach(() => {
  party = new TestParty();
  key = KEYS.Ed25519;
});

/** An app that knows by a header who is asking, and stores keys as the documentation says. */
function appWith(changes: Partial<RegistrationOptions> = {}): Express {
  return party.app({
    use: (app) =>
      app.use(
        '/keys',
        registration({
          ...party.options(),
          account: (req) => req.get('X-Invited'),
          save: (_req, registered) => {
            const { account } = registered;
            party.accounts.set(account, mergeKey(party.accounts.get(account) ?? [], registered));
          },
          onError: (error) => party.errors.push(error),
          ...changes,
        }),
      ),
  });
}

async function register(changes: Changes = {}, by = key, app = appWith()) {
  return post(app, await by.register(await fetchChallenge(app), changes), '/keys').set('X-Invited', ACCOUNT);
}

async function logIn(changes: Changes = {}, by = key) {
  const app = party.app();
  return post(app, await by.login(await fetchChallenge(app), changes));
}

/** What `mergeKey` makes of a key that was registered just now. */
async function stored(of: TestKey, disablingNames: readonly string[]): Promise<RegisteredKey> {
  return {
    jwk: of.jwk,
    alg: of.alg,
    jkt: await of.thumbprint(),
    disablingNames,
    at: NOW,
    named: { since: NOW, count: disablingNames.length },
  };
}

describe('a registration', () => {
  it.each(['Ed25519', 'ES256', 'PS256', 'RS256'] as const)('of a key for %s lets it log in', async (alg) => {
    key = KEYS[alg];
    expect((await logIn()).body.code).toBe('refused');
    const answer = await register();
    expect([answer.status, answer.body]).toEqual([201, { jkt: await key.thumbprint() }]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(party.accounts.get(ACCOUNT)).toEqual([await stored(key, [key.u])]);
    expect((await logIn()).status).toBe(200);
  });

  it('fixes the algorithm that it was proven with', async () => {
    key = KEYS.PS256;
    expect((await register({ alg: 'RS256', header: { alg: 'RS256' } })).status).toBe(201);
    expect((await logIn()).body.code).toBe('refused');
    expect((await register()).body.code).toBe('refused');
  });

  it('under the old name EdDSA is one for Ed25519', async () => {
    expect((await register({ header: { alg: 'EdDSA' } })).status).toBe(201);
    expect(party.accounts.get(ACCOUNT)?.[0]?.alg).toBe('Ed25519');
    expect((await logIn()).status).toBe(200);
  });

  it('of several keys gives the account all of them', async () => {
    for (const one of Object.values(KEYS)) expect((await register({}, one)).status).toBe(201);
    for (const one of Object.values(KEYS)) expect((await logIn({}, one)).status).toBe(200);
  });
});

describe('a registration proof', () => {
  it('is for the account that is authenticated, and for no other', async () => {
    party.accounts.set('bob', []);
    const { status, body } = await register({ claims: { sub: 'bob' } });
    expect([status, body.code]).toEqual([403, 'refused']);
  });

  it('without anybody authenticated is refused, however the app says so', async () => {
    for (const account of [
      () => undefined,
      async () => undefined,
      () => '',
      () => null as unknown as undefined,
    ]) {
      const { status, body } = await register({}, key, appWith({ account }));
      expect([status, body.code]).toEqual([403, 'refused']);
    }
    expect(party.lookups).toBe(0);
  });

  it('is good once', async () => {
    const app = appWith();
    const proof = await key.register(await fetchChallenge(app));
    await post(app, proof, '/keys').set('X-Invited', ACCOUNT).expect(201);
    const { body } = await post(app, proof, '/keys').set('X-Invited', ACCOUNT).expect(400);
    expect(body.code).toBe('replayed');
  });

  it('is no login proof, nor the other way round', async () => {
    party.accounts.set(ACCOUNT, [key.registered]);
    const app = appWith();
    const asLogin = await post(app, await key.register(await fetchChallenge(app)));
    expect(asLogin.body.code).toBe('invalid_request');
    const asRegistration = await post(app, await key.login(await fetchChallenge(app)), '/keys').set(
      'X-Invited',
      ACCOUNT,
    );
    expect(asRegistration.body.code).toBe('invalid_request');
  });

  it('for another origin, from another origin, or by a form is refused', async () => {
    expect((await register({ claims: { aud: 'https://evil.example' } })).body.code).toBe('refused');
    const app = appWith();
    const proof = await key.register(await fetchChallenge(app));
    const foreign = post(app, proof, '/keys').set({ 'X-Invited': ACCOUNT, Origin: 'https://evil.example' });
    expect((await foreign).body.code).toBe('refused');
    const form = request(app).post('/keys').set('X-Invited', ACCOUNT).type('form').send({ proof });
    expect((await form).body.code).toBe('invalid_request');
    await post(app, proof, '/keys').set('X-Invited', ACCOUNT).expect(201);
  });

  it.each([
    ['no key', { jwk: undefined }],
    ['a private key', { jwk: KEYS.Ed25519.privateJwk }],
    ['a key with a use', { jwk: { ...KEYS.Ed25519.jwk, use: 'sig' } }],
    ['a key with a kid', { jwk: { ...KEYS.Ed25519.jwk, kid: 'x' } }],
    ['a symmetric key', { jwk: { kty: 'oct', k: 'A'.repeat(43) } }],
    ['another key than its kid', { jwk: KEYS.ES256.jwk }],
    ['a padded coordinate', { jwk: { ...KEYS.Ed25519.jwk, x: `${'A'.repeat(43)}=` } }],
    ['the neutral element', { jwk: { kty: 'OKP', crv: 'Ed25519', x: `AQ${'A'.repeat(41)}` } }],
    ['a key as text', { jwk: JSON.stringify(KEYS.Ed25519.jwk) }],
    ['x5u', { x5u: 'https://evil.example' }],
  ])('may not bear %s', async (_what, header) => {
    const { status, body } = await register({ header });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('of the neutral element of the curve is refused, though its signatures verify', async () => {
    const { calculateJwkThumbprint } = await import('jose');
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: `AQ${'A'.repeat(41)}` };
    const app = appWith();
    const proof = await key.register(await fetchChallenge(app), {
      header: { jwk, kid: await calculateJwkThumbprint(jwk) },
    });
    const signature = new Uint8Array(64);
    signature[0] = 1;
    const forged = proof.replace(/[^.]+$/, Buffer.from(signature).toString('base64url'));
    const { body } = await post(app, forged, '/keys').set('X-Invited', ACCOUNT);
    expect(body.code).toBe('invalid_request');
  });

  it.each([1024, 2047])('may not be of RSA with %i bits', async (bits) => {
    const { status, body } = await register({}, new TestKey('PS256', bits));
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it.each([undefined, '', 'A', 'A'.repeat(44), 'B'.repeat(43), ['A'.repeat(43)], 7])(
    'must name how the key is disabled: u %o',
    async (u) => {
      const { status, body } = await register({ claims: { u } });
      expect([status, body.code]).toEqual([400, 'invalid_request']);
    },
  );

  it('must be signed by the key it bears', async () => {
    const header = { jwk: key.jwk, kid: await key.thumbprint() };
    const { status, body } = await register({ header }, new TestKey('Ed25519'));
    expect([status, body.code]).toEqual([403, 'refused']);
  });

  it('with an algorithm of another kind of key is malformed', async () => {
    const { status, body } = await register({ header: { alg: 'ES256' } });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a thief who has recovered the key', () => {
  it('cannot put the kit of its owner out of force by registering the key once more', async () => {
    await register();
    const own = name('t');
    expect((await register({ claims: { u: own } })).status).toBe(201);
    expect(party.accounts.get(ACCOUNT)).toEqual([await stored(key, [key.u, own])]);
    await party.disable(key.u);
    expect((await logIn()).body.code).toBe('disabled');
  });

  it('cannot do so either where the app overwrites what it had stored', async () => {
    const app = appWith({
      save: (_req, { account, jwk, alg, disablingNames }: Registration) =>
        void party.accounts.set(account, [{ jwk, alg, disablingNames }]),
    });
    await register({}, key, app);
    await register({ claims: { u: name('t') } }, key, app);
    await party.disable(key.u);
    expect((await logIn()).body.code).toBe('disabled');
  });

  it('cannot do so either where the app only ever appends', async () => {
    const app = appWith({
      save: (_req, { account, jwk, alg, u = [] }: Registration) =>
        void party.accounts.set(account, [...(party.accounts.get(account) ?? []), { jwk, alg, u }]),
    });
    await register({}, key, app);
    await register({ claims: { u: name('t') } }, key, app);
    await party.disable(name('t'));
    expect((await logIn()).body.code).toBe('disabled');
  });

  it('cannot bring a disabled key back under a new name', async () => {
    await register();
    await party.disable(key.u);
    const { status, body } = await register({ claims: { u: name('t') } });
    expect([status, body.code]).toEqual([403, 'disabled']);
    expect(party.accounts.get(ACCOUNT)?.[0]?.disablingNames).toEqual([key.u]);
  });

  it('cannot use up the names of a key: 32 new ones a day, and the next day more', async () => {
    await register();
    for (let i = 1; i < 32; i++) {
      const u = Buffer.alloc(32, i).toString('base64url');
      expect((await register({ claims: { u } })).status).toBe(201);
    }
    const { status, body } = await register({ claims: { u: name('t') } });
    expect([status, body.code, body.retryAt]).toEqual([429, 'busy', NOW + 86_400]);
    expect((await register({ claims: { u: key.u } })).status).toBe(201);
    party.clock += 86_400;
    const times = { iat: party.clock, exp: party.clock + 120 };
    for (let i = 100; i < 132; i++) {
      const u = Buffer.alloc(32, i).toString('base64url');
      expect((await register({ claims: { u, ...times } })).status).toBe(201);
    }
    expect((await register({ claims: { u: name('t'), ...times } })).body.code).toBe('busy');
    expect(party.accounts.get(ACCOUNT)?.[0]?.disablingNames).toHaveLength(64);
    await party.disable(key.u);
    expect((await logIn({ claims: times })).body.code).toBe('disabled');
  });
});

describe('a disabling name', () => {
  it('that is disabled already cannot be registered', async () => {
    await party.disable(key.u);
    expect((await register()).body.code).toBe('disabled');
    expect(party.accounts.get(ACCOUNT)).toBeUndefined();
  });

  it('that the owner adds after a change of password bites as well as the one before', async () => {
    await register();
    const u = name('n');
    await register({ claims: { u } });
    expect((await logIn()).body.info.key.disablingNames).toEqual([key.u, u]);
    await party.disable(u);
    expect((await logIn()).body.code).toBe('disabled');
  });
});

describe('an account', () => {
  it('has at most 32 keys', async () => {
    const many = Array.from({ length: 32 }, () => new TestKey('Ed25519').registered);
    party.accounts.set(ACCOUNT, many);
    expect((await register()).body.code).toBe('refused');
    const one = new TestKey('Ed25519');
    party.accounts.set(ACCOUNT, [...many.slice(1), one.registered]);
    expect((await register({}, one)).status).toBe(201);
  });
});

describe('mergeKey', () => {
  const shown = async (of: TestKey, u: readonly string[]): Promise<Registration> => ({
    account: ACCOUNT,
    jkt: await of.thumbprint(),
    jwk: of.jwk,
    alg: of.alg,
    disablingNames: u,
    provenAt: NOW,
    voucher: 'removed',
  });

  it('keeps what else an app has stored with a key, and other keys as they are', async () => {
    const [one, two] = [KEYS.Ed25519, KEYS.ES256];
    const stored = [
      { ...two.registered, label: 'tablet' },
      { ...one.registered, label: 'laptop', jwk: { ...one.jwk, kid: 'mine' } },
    ] as (RegisteredKey & { label: string })[];
    expect(mergeKey(stored, await shown(one, [name('n')]))).toEqual([
      stored[0],
      {
        jwk: { ...one.jwk, kid: 'mine' },
        alg: one.alg,
        label: 'laptop',
        jkt: await one.thumbprint(),
        disablingNames: [one.u, name('n')],
        named: { since: NOW, count: 1 },
      },
    ]);
    expect(stored[1]?.u).toBe(one.u);
  });

  it('refuses another algorithm, and more than it keeps', async () => {
    const one = KEYS.PS256;
    expect(() => mergeKey([{ ...one.registered, alg: 'RS256' }], { ...({} as Registration) })).toThrow();
    const again = await shown(one, [one.u]);
    expect(() => mergeKey([{ ...one.registered, alg: 'RS256' }], again)).toThrow(RoamingKeyError);
    const names = Array.from({ length: 33 }, (_, i) => Buffer.alloc(32, i).toString('base64url'));
    expect(() => mergeKey([], { ...again, disablingNames: names })).toThrow(RoamingKeyError);
  });
});

describe('when the app cannot answer', () => {
  it('a registration is unavailable, whichever part is down', async () => {
    const down = new Error('hunter2');
    const fails = () => Promise.reject(down);
    for (const changes of [
      { account: fails },
      { save: fails },
      { keysOf: fails },
      { store: { claimOnce: fails, isDisabled: async () => false } },
      { disabled: { isDisabled: fails } },
    ] satisfies Partial<RegistrationOptions>[]) {
      const { status, body } = await register({}, key, appWith(changes));
      expect([status, body.code]).toEqual([503, 'unavailable']);
      expect(JSON.stringify(body)).not.toContain('hunter2');
    }
    expect(party.errors).toHaveLength(5);
  });

  it('its own refusal is told as it is', async () => {
    const save = () => {
      throw new RoamingKeyError('refused', 'not on sundays');
    };
    const { status, body } = await register({}, key, appWith({ save }));
    expect([status, body.code]).toEqual([403, 'refused']);
  });

  it('its options are refused at construction', () => {
    const options = { ...party.options(), account: () => ACCOUNT, save: () => {} };
    expect(() => registration({ ...options, account: undefined as never })).toThrow('account');
    expect(() => registration({ ...options, save: undefined as never })).toThrow('save');
    expect(() => registration({ ...options, audience: 'x' })).toThrow('audience');
    expect(() => express().use(registration(options))).not.toThrow();
    expect(options.audience).toBe(AUDIENCE);
  });
});
