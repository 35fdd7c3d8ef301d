/** What opened a session, in Passport's own terms of user and login: where it puts the user, what a login replaces. */
import express, { type Express, type RequestHandler } from 'express';
import { Passport as Passport07, type PassportStatic } from 'passport';
// @ts-expect-error the alias has no types of its own
import passport06 from 'passport06';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { challenge } from '../../lib/strategy/challenge.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { mergeKey } from '../../lib/strategy/registered-key.ts';
import { registration } from '../../lib/strategy/registration.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { RoamingKeyStrategy } from '../../lib/strategy/strategy.ts';
import { ACCOUNT, AUDIENCE, session, TestKey, TestParty } from './support.ts';

const PASSPORTS = {
  'passport 0.7': Passport07,
  'passport 0.6': (passport06 as { Passport: typeof Passport07 }).Passport,
};
const passports = Object.entries(PASSPORTS);

interface Setting {
  readonly Passport?: typeof Passport07;
  readonly userProperty?: string;
  /** Passport's slot in the session. */
  readonly slot?: string;
  readonly withoutKey?: 'allow' | 'refuse';
  /** What stands between session and Passport. */
  readonly first?: RequestHandler[];
  /** More routes behind the guard. */
  readonly more?: (app: Express) => void;
  readonly guardFirst?: boolean;
}

/** An app with login by key, a login by name alone that keeps what the session holds, and routes that say who is there. */
function appWith(party: TestParty, setting: Setting = {}) {
  const { Passport = Passport07, userProperty, slot, withoutKey, first = [], more, guardFirst } = setting;
  const rp: RelyingPartyOptions = party.options({ ...(withoutKey && { withoutKey }) });
  const passport = new Passport() as unknown as PassportStatic;
  if (slot) {
    Object.assign(passport, { _key: slot });
    (passport as unknown as { init(): void }).init();
  }
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user as Express.User));
  passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
  const app = express();
  app.use(session(), ...first);
  if (userProperty) app.use(passport.initialize({ userProperty } as object));
  if (guardFirst) app.use(requireLiveKey(rp));
  app.use(passport.session());
  if (!guardFirst) app.use(requireLiveKey(rp));
  app.post(['/login/challenge', '/keys/challenge'], challenge(rp));
  app.post('/login', login(passport, party.reporting), (_req, res) => void res.json({}));
  app.post('/password/:name', (req, res, next) => {
    const user = { account: req.params.name as string };
    req.logIn(user, { session: true, keepSessionInfo: true }, (error) =>
      error ? next(error) : res.json({}),
    );
  });
  app.post('/logout', (req, res, next) => {
    req.logout({ keepSessionInfo: true } as object, (error) => (error ? next(error) : res.json({})));
  });
  app.post(
    '/keys',
    registration({
      ...rp,
      account: (req, claimed) =>
        (req as unknown as Record<string, { account?: string }>)[userProperty ?? 'user']?.account ?? claimed,
      save: (_req, key) =>
        party.accounts.set(key.account, mergeKey(party.accounts.get(key.account) ?? [], key)),
    }),
  );
  app.get('/me', (req, res) => {
    res.json((req as unknown as Record<string, unknown>)[userProperty ?? 'user'] ?? null);
  });
  more?.(app);
  return app;
}

function partyWith(...keys: TestKey[]): TestParty {
  const party = new TestParty();
  party.accounts.set(
    ACCOUNT,
    keys.map((key) => key.registered),
  );
  return party;
}

type Browser = ReturnType<typeof request.agent>;
async function enter(app: Express, key: TestKey, browser: Browser = request.agent(app)): Promise<Browser> {
  const { body } = await browser.post('/login/challenge').expect(200);
  const proof = await key.login(body.challenge);
  await browser.post('/login').set('Origin', AUDIENCE).send({ proof }).expect(200);
  return browser;
}

async function register(browser: Browser, app: Express, key: TestKey) {
  const { body } = await request(app).post('/keys/challenge').expect(200);
  return browser
    .post('/keys')
    .set('Origin', AUDIENCE)
    .send({ proof: await key.register(body.challenge) });
}

const key = new TestKey('Ed25519');
const thiefs = new TestKey('Ed25519');

describe.each([
  ['as it comes', {}],
  ['with the user elsewhere', { userProperty: 'currentUser' }],
  ['with another slot in the session', { slot: 'members' }],
  ['with both', { userProperty: 'member', slot: 'members' }],
  ['with the guard in front of passport.session()', { guardFirst: true }],
  ['with sessions without a key allowed', { withoutKey: 'allow', userProperty: 'currentUser' }],
] as const)('Passport %s', (_what, setting) => {
  it.each(passports)('keeps a live session and ends a dead one: %s', async (_name, Passport) => {
    const party = partyWith(key);
    const app = appWith(party, { ...setting, Passport });
    const browser = await enter(app, key);
    expect((await browser.get('/me').expect(200)).body).toEqual({ account: ACCOUNT });
    await party.disable(key.u);
    const answer = await browser.get('/me');
    expect([answer.status, answer.body.code]).toEqual([403, 'disabled']);
    const next = await browser.get('/me');
    if ('guardFirst' in setting) expect(next.status).toBe(403);
    else expect(next.body).toBeNull();
  });

  it('registers no key in a dead session', async () => {
    for (const kill of [
      (party: TestParty) => party.disable(key.u),
      async (party: TestParty) => void party.accounts.set(ACCOUNT, [new TestKey('Ed25519').registered]),
    ]) {
      const party = partyWith(key);
      const app = appWith(party, setting);
      const browser = await enter(app, key);
      await kill(party);
      const before = JSON.stringify(party.accounts.get(ACCOUNT));
      expect((await register(browser, app, thiefs)).body.code).toBe('disabled');
      expect(JSON.stringify(party.accounts.get(ACCOUNT))).toBe(before);
    }
  });
});

describe('a registration without any requireLiveKey in the app', () => {
  const bare = (party: TestParty, withoutKey?: 'allow') => {
    const rp = party.options({ ...(withoutKey && { withoutKey }) });
    return party.app({
      sessions: true,
      use: (app) => {
        app.post('/keys/challenge', challenge(rp));
        app.post('/password', (req, res, next) =>
          req.logIn({ account: ACCOUNT }, (error) => (error ? next(error) : res.end())),
        );
        app.post(
          '/keys',
          registration({
            ...rp,
            onError: (error) => party.errors.push(error),
            account: (req, claimed) => (req.user as { account?: string } | undefined)?.account ?? claimed,
            save: (_req, shown) =>
              party.accounts.set(shown.account, mergeKey(party.accounts.get(shown.account) ?? [], shown)),
          }),
        );
      },
    });
  };

  it('judges the session itself', async () => {
    const party = partyWith(key);
    const app = bare(party);
    const browser = await enter(app, key);
    await party.disable(key.u);
    const answer = await register(browser, app, thiefs);
    expect([answer.status, answer.body.code]).toEqual([403, 'disabled']);
    expect((await browser.get('/me')).body.user).toBeNull();
    expect(party.accounts.get(ACCOUNT)).toEqual([key.registered]);
  });

  it('refuses a session that no key opened, unless the app allows it', async () => {
    for (const [withoutKey, status] of [[undefined, 403] as const, ['allow', 201] as const]) {
      const party = partyWith(key);
      const app = bare(party, withoutKey);
      const browser = request.agent(app);
      await browser.post('/password').expect(200);
      expect((await register(browser, app, thiefs)).status).toBe(status);
    }
  });

  it('is unavailable, and keeps the session, while the list of disabled keys cannot be asked', async () => {
    const party = partyWith(key);
    const app = bare(party);
    const browser = await enter(app, key);
    party.store.isDisabled = () => Promise.reject(new Error('down'));
    expect((await register(browser, app, thiefs)).status).toBe(503);
    expect((await browser.get('/me')).body.user).toEqual({ account: ACCOUNT });
  });
});

describe('a session that goes on to another user by another login', () => {
  const other = 'bob';

  it.each(passports)('is no session of the first one’s key any more: %s', async (_name, Passport) => {
    const party = partyWith(key);
    const browser = await enter(appWith(party, { Passport }), key);
    await browser.post(`/password/${other}`).expect(200);
    const answer = await browser.get('/me');
    expect([answer.status, answer.body.code]).toEqual([403, 'refused']);
  });

  it.each(passports)('outlives the first one’s key where no key is needed: %s', async (_name, Passport) => {
    const party = partyWith(key);
    const browser = await enter(appWith(party, { Passport, withoutKey: 'allow' }), key);
    await browser.post(`/password/${other}`).expect(200);
    await party.disable(key.u);
    expect((await browser.get('/me').expect(200)).body).toEqual({ account: other });
  });

  it('is one of the new user’s key after a login by it', async () => {
    const party = partyWith(key);
    const bobs = new TestKey('Ed25519');
    party.accounts.set(other, [bobs.registered]);
    const app = appWith(party);
    const browser = await enter(app, key);
    const { body } = await browser.post('/login/challenge');
    const proof = await bobs.login(body.challenge, { claims: { sub: other } });
    await browser.post('/login').send({ proof }).expect(200);
    await party.disable(key.u);
    await browser.get('/me').expect(200);
    await party.disable(bobs.u);
    await browser.get('/me').expect(403);
  });
});

describe('a session of a user who logs in once more without the key', () => {
  it('is refused where a key is needed', async () => {
    const party = partyWith(key);
    const browser = await enter(appWith(party), key);
    await browser.post(`/password/${ACCOUNT}`).expect(200);
    expect((await browser.get('/me').expect(403)).body.code).toBe('refused');
  });

  it('still ends with the key where none is needed', async () => {
    const party = partyWith(key);
    const browser = await enter(appWith(party, { withoutKey: 'allow' }), key);
    await browser.post(`/password/${ACCOUNT}`).expect(200);
    await browser.get('/me').expect(200);
    await party.disable(key.u);
    expect((await browser.get('/me').expect(403)).body.code).toBe('disabled');
  });
});

describe('a session after logging out, with what it held', () => {
  it('has no user and no key', async () => {
    const party = partyWith(key);
    const browser = await enter(appWith(party), key);
    await browser.post('/logout').expect(200);
    await party.disable(key.u);
    expect((await browser.get('/me').expect(200)).body).toBeNull();
  });

  it('does not lend its key to the next user', async () => {
    const party = partyWith(key);
    const browser = await enter(appWith(party), key);
    await browser.post('/logout').expect(200);
    await browser.post('/password/bob').expect(200);
    await browser.get('/me').expect(403);
  });
});

describe('a session that the app copies into a new one', () => {
  /** Gives the session a new id, with what it held; `only` names the members to keep. */
  const regenerating = (only?: readonly string[]) => (app: Express) =>
    app.post('/regenerate', (req, res, next) => {
      const held = Object.fromEntries(Object.entries(req.session)) as Record<string, unknown>;
      req.session.regenerate((error) => {
        if (error) return next(error);
        for (const name of only ?? Object.keys(held)) {
          if (name !== 'cookie') (req.session as unknown as Record<string, unknown>)[name] = held[name];
        }
        res.json({});
      });
    });

  it.each([
    ['everything', undefined],
    ['Passport’s part alone', ['passport']],
  ] as const)('with %s ends with its key, also where no key is needed', async (_what, only) => {
    const party = partyWith(key);
    const app = appWith(party, { withoutKey: 'allow', more: regenerating(only) });
    const browser = await enter(app, key);
    await browser.post('/regenerate').expect(200);
    await party.disable(key.u);
    await browser.get('/me').expect(403);
    expect((await browser.get('/me').expect(200)).body).toBeNull();
  });
});

describe('a mark that is not understood', () => {
  it.each([
    ['none', undefined],
    ['of an older version', { account: ACCOUNT, jkt: 'x' }],
    ['text', 'ada'],
    ['null', null],
  ])('(%s) ends the session, also where no key is needed', async (_what, mark) => {
    const party = partyWith(key);
    const app = appWith(party, {
      withoutKey: 'allow',
      more: (inner) =>
        inner.post('/spoil', (req, res) => {
          Object.assign(req.session, { roamingKey: mark });
          if (mark === undefined) delete req.session.roamingKey;
          res.json({});
        }),
    });
    const browser = await enter(app, key);
    await browser.post('/spoil').expect(200);
    const answer = await browser.get('/me');
    expect([answer.status, answer.body.code]).toEqual([403, 'refused']);
    expect((await browser.get('/me').expect(200)).body).toBeNull();
  });
});

describe('the answer to a session that has ended', () => {
  it('goes to the app’s error handler where a page is asked for', async () => {
    const party = partyWith(key);
    const app = appWith(party);
    app.use(((error, _req, res, _next) => {
      res.status(error.status).send(`a page about ${error.code}`);
    }) as express.ErrorRequestHandler);
    const browser = await enter(app, key);
    await party.disable(key.u);
    const answer = await browser.get('/me').set('Accept', 'text/html,application/xhtml+xml,*/*;q=0.8');
    expect([answer.status, answer.text]).toEqual([403, 'a page about disabled']);
  });

  it('is the app’s own where it says so', async () => {
    const party = partyWith(key);
    const rp = party.options();
    const app = party.app({
      sessions: true,
      use: (inner) =>
        inner.use(
          requireLiveKey({
            ...rp,
            onEnded: (error, _req, res, _next) => res.redirect(`/login?${error.code}`),
          }),
        ),
    });
    const browser = await enter(app, key);
    await party.disable(key.u);
    const answer = await browser.get('/me').set('Accept', 'text/html');
    expect([answer.status, answer.get('Location')]).toEqual([302, '/login?disabled']);
    expect(() => requireLiveKey({ ...rp, onEnded: '/login' as never })).toThrow('onEnded');
  });
});
