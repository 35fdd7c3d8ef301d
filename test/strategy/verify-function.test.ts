import express, { type ErrorRequestHandler, type Express } from 'express';
import type { PassportStatic, Strategy } from 'passport';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { login } from '../../lib/strategy/login.ts';
import { RoamingKeyStrategy, type VerifyLogin } from '../../lib/strategy/strategy.ts';
import { ACCOUNT, fetchChallenge, newPassport, post, TestKey, TestParty } from './support.ts';

const KEY = new TestKey('Ed25519');
const USER = { account: ACCOUNT, role: 'reader' };

let party: TestParty;
let seen: { error: unknown }[];

beforeEach(() => {
  party = new TestParty();
  party.accounts.set(ACCOUNT, [KEY.registered]);
  seen = [];
});

/** An app with its own calls of Passport: `/login` by login(), `/plain` by passport.authenticate. */
function appWith(strategy: Strategy, passport: PassportStatic = newPassport()): Express {
  passport.use(strategy);
  const app = express();
  app.post('/login/challenge', challenge(party.options()));
  app.post('/login', login(passport, { session: false, ...party.reporting }), (req, res) => {
    res.json({ user: req.user, info: req.authInfo });
  });
  app.post('/plain', express.json(), passport.authenticate('roaming-key', { session: false }), (req, res) => {
    res.json({ user: req.user, info: req.authInfo });
  });
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    seen.push({ error });
    res.status(500).json({ app: 'error' });
  };
  return app.use(onError);
}

async function attempt(verify: VerifyLogin, path = '/login') {
  const app = appWith(new RoamingKeyStrategy(party.options(), verify));
  return post(app, await KEY.login(await fetchChallenge(app)), path);
}

describe('a verify function', () => {
  it.each<[string, VerifyLogin]>([
    ['returns the user', () => USER],
    ['returns a promise of the user', async () => USER],
    ['takes the account alone', async (account) => ({ ...USER, account })],
    ['calls back', (_account, done) => done(null, USER)],
    ['calls back later', (_account, done) => void setTimeout(() => done(null, USER), 5)],
    ['is async and calls back', async (_account, done) => done(null, USER)],
    ['takes done and returns a promise', async (_account, _done) => USER],
    [
      'learns which key was used',
      async (account, _done, info) => ({ ...USER, account: info.account && account }),
    ],
  ])('that %s logs in', async (_what, verify) => {
    for (const path of ['/login', '/plain']) {
      const { status, body } = await attempt(verify, path);
      expect([status, body.user]).toEqual([200, USER]);
      expect(body.info).toEqual({
        account: ACCOUNT,
        key: { jkt: await KEY.thumbprint(), disablingNames: [KEY.u], u: [KEY.u] },
      });
    }
  });

  it('adds to what the request learns, but does not change what was proven', async () => {
    const { body } = await attempt((_account, done) => done(null, USER, { scope: 'all', account: 'root' }));
    expect(body.info).toMatchObject({ scope: 'all', account: ACCOUNT });
  });

  it.each<[string, VerifyLogin]>([
    ['returns false', () => false],
    ['resolves with null', async () => null],
    ['resolves with nothing', async () => {}],
    ['calls back false', (_account, done) => done(null, false)],
    ['calls back false and why', (_account, done) => done(null, false, { message: 'banned' })],
    ['calls back nothing', (_account, done) => done(null)],
    [
      'throws a refusal',
      () => {
        throw new RoamingKeyError('refused', 'banned');
      },
    ],
  ])('that %s refuses', async (_what, verify) => {
    const { status, body } = await attempt(verify);
    expect([status, body.code]).toEqual([403, 'refused']);
    expect(JSON.stringify(body)).not.toContain('banned');
    expect((await attempt(verify, '/plain')).status).toBe(403);
    expect(party.errors).toEqual([]);
  });

  const down = new Error('hunter2');
  it.each<[string, VerifyLogin]>([
    [
      'throws',
      () => {
        throw down;
      },
    ],
    ['rejects', () => Promise.reject(down)],
    ['rejects though it takes done', (_account, _done) => Promise.reject(down)],
    ['calls back an error', (_account, done) => done(down)],
    ['calls back an error and a user', (_account, done) => done(down, USER)],
    [
      'throws after a while',
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        throw down;
      },
    ],
  ])('that %s fails nothing but its request', async (_what, verify) => {
    const { status, body } = await attempt(verify);
    expect([status, body.code]).toEqual([503, 'unavailable']);
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(party.errors).toEqual([down]);
    expect((await attempt(verify, '/plain')).status).toBe(500);
    expect(seen).toEqual([{ error: down }]);
  });

  it('that rejects with nothing is an error all the same', async () => {
    for (const nothing of [undefined, null, 0, false])
      expect((await attempt((): Promise<undefined> => Promise.reject(nothing))).status).toBe(503);
  });

  it('may call done twice to no avail', async () => {
    const { body } = await attempt((_account, done) => {
      done(null, USER);
      done(null, { ...USER, role: 'admin' });
      done(down);
    });
    expect(body.user).toEqual(USER);
  });

  it('is not asked about a proof that is not accepted', async () => {
    let asked = 0;
    const app = appWith(new RoamingKeyStrategy(party.options(), () => ({ ...USER, asked: ++asked })));
    await post(app, await new TestKey('Ed25519').login(await fetchChallenge(app))).expect(403);
    expect(asked).toBe(0);
  });

  it('gets the request first where it asks for it', async () => {
    const options = { ...party.options(), passReqToCallback: true } as const;
    for (const strategy of [
      new RoamingKeyStrategy(options, async (req, account) => ({ account, path: req.path })),
      new RoamingKeyStrategy(options, (req, account, done) => done(null, { account, path: req.path })),
    ]) {
      const app = appWith(strategy);
      const { body } = await post(app, await KEY.login(await fetchChallenge(app))).expect(200);
      expect(body.user).toEqual({ account: ACCOUNT, path: '/login' });
    }
  });

  it('must be one', () => {
    expect(() => new RoamingKeyStrategy(party.options(), undefined as never)).toThrow(TypeError);
    expect(() => new RoamingKeyStrategy({ ...party.options(), secret: 'x' }, () => USER)).toThrow('secret');
  });
});

describe('with passport.authenticate, as an app may call it', () => {
  it('failures have the status of their code and an info that names it', async () => {
    const passport = newPassport();
    const app = appWith(new RoamingKeyStrategy(party.options(), () => USER), passport);
    await request(app).post('/plain').expect(400);
    await request(app).post('/plain').type('form').send({ proof: 'x' }).expect(400);
    await post(app, 'x', '/plain').set('Origin', 'https://evil.example').expect(403);

    const told: unknown[] = [];
    const custom = express();
    custom.post('/', express.json(), (req, res, next) => {
      passport.authenticate(
        'roaming-key',
        (error: unknown, user: unknown, info: unknown, status: unknown) => {
          told.push({ error, user, info, status });
          res.end();
        },
      )(req, res, next);
    });
    await request(custom).post('/').send({ proof: 'x' });
    expect(told).toEqual([
      { error: null, user: false, info: expect.objectContaining({ code: 'invalid_request' }), status: 400 },
    ]);
  });

  it('a store that is down is an error with its own code', async () => {
    const store = { claimOnce: () => Promise.reject(new Error('down')), isDisabled: async () => false };
    const app = appWith(new RoamingKeyStrategy(party.options({ store }), () => USER));
    await post(app, await KEY.login(await fetchChallenge(app)), '/plain').expect(500);
    expect(seen).toEqual([{ error: expect.objectContaining({ code: 'unavailable', status: 503 }) }]);
  });

  it('a second strategy gets its turn after this one failed', async () => {
    const passport = newPassport();
    passport.use('guest', {
      authenticate(this: { success(user: object): void }) {
        this.success({ guest: true });
      },
    } as unknown as Strategy);
    passport.use(new RoamingKeyStrategy(party.options(), () => USER));
    const app = express();
    app.post(
      '/',
      express.json(),
      passport.authenticate(['roaming-key', 'guest'], { session: false }),
      (req, res) => {
        res.json(req.user);
      },
    );
    expect((await post(app, 'x', '/')).body).toEqual({ guest: true });
  });

  it('given the strategy itself, requests at the same time do not get each other’s users', async () => {
    const people = Array.from({ length: 20 }, (_, i) => ({
      account: `user${i}`,
      key: new TestKey('Ed25519'),
    }));
    for (const { account, key } of people) party.accounts.set(account, [key.registered]);
    const strategy = new RoamingKeyStrategy(party.options(), async (account) => {
      await new Promise((resolve) => setTimeout(resolve, 20 - Number(account.slice(4))));
      return { account };
    });
    const passport = newPassport();
    const app = appWith(strategy, passport);
    const direct = passport.authenticate(strategy as unknown as string, { session: false });
    app.post('/direct', express.json(), direct, (req, res) => {
      res.json(req.user);
    });
    const answers = await Promise.all(
      people.map(async ({ account, key }) => {
        const proof = await key.login(await fetchChallenge(app), { claims: { sub: account } });
        return (await post(app, proof, '/direct')).body as unknown;
      }),
    );
    expect(answers).toEqual(people.map(({ account }) => ({ account })));
  });
});

describe('types', () => {
  it('infer what a verify function is given', () => {
    const strategies: Strategy[] = [
      new RoamingKeyStrategy(party.options(), (account) => ({ name: account.toUpperCase() })),
      new RoamingKeyStrategy(party.options(), (account, done) => done(null, { name: account.toUpperCase() })),
      new RoamingKeyStrategy({ ...party.options(), passReqToCallback: true }, (req, account, done, info) =>
        done(null, { ip: req.ip, name: account.toUpperCase(), jkt: info.key.jkt }),
      ),
    ];
    expect(strategies.map(({ name }) => name)).toEqual(['roaming-key', 'roaming-key', 'roaming-key']);
  });
});
