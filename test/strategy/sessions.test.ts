import express, { type Express } from 'express';
import type { PassportStatic } from 'passport';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type LiveKeyOptions, rememberKey, requireLiveKey } from '../../lib/strategy/live-key.ts';
import { ACCOUNT, AUDIENCE, fetchChallenge, newPassport, TestKey, TestParty } from './support.ts';

const KEY = new TestKey('Ed25519');
const KIT = `${'k'.repeat(42)}A`;

let party: TestParty;

beforeEach(() => {
  party = new TestParty();
  party.accounts.set(ACCOUNT, [KEY.registered]);
});

function guarded(
  changes: Partial<LiveKeyOptions> = {},
  more: (app: Express, passport: PassportStatic) => void = () => {},
) {
  return party.app({
    sessions: true,
    use: (app, passport) => {
      app.use(
        requireLiveKey({ ...party.options(), onError: (error) => party.errors.push(error), ...changes }),
      );
      more(app, passport);
    },
  });
}

/** A browser: keeps cookies between requests. */
async function logIn(app: Express, path = '/login') {
  const browser = request.agent(app);
  const proof = await KEY.login(await fetchChallenge(app));
  await browser.post(path).set('Origin', AUDIENCE).send({ proof }).expect(200);
  return browser;
}

describe('with express-session', () => {
  it('a login lasts', async () => {
    const browser = await logIn(guarded());
    expect((await browser.get('/me').expect(200)).body.user).toEqual({ account: ACCOUNT });
    expect((await request(guarded()).get('/me').expect(200)).body.user).toBeNull();
  });

  it('a login gives the session a new id, so that nobody can fix one in advance', async () => {
    const app = guarded({}, (inner) =>
      inner.get('/visit', (req, res) => {
        Object.assign(req.session, { cart: 1 });
        res.end();
      }),
    );
    const browser = request.agent(app);
    const before = (await browser.get('/visit')).get('Set-Cookie')?.[0];
    const proof = await KEY.login(await fetchChallenge(app));
    const answer = await browser.post('/login').send({ proof }).expect(200);
    expect(before).toBeDefined();
    expect(answer.get('Set-Cookie')?.[0]).toBeDefined();
    expect(answer.get('Set-Cookie')?.[0]).not.toBe(before);
  });

  it('a failed login opens no session', async () => {
    const app = guarded();
    const proof = await new TestKey('Ed25519').login(await fetchChallenge(app));
    const answer = await request(app).post('/login').send({ proof }).expect(403);
    expect(answer.get('Set-Cookie')).toBeUndefined();
  });

  it('a session that cannot be opened is unavailable, and nobody is logged in', async () => {
    const app = party.app({
      sessions: true,
      use: (inner) =>
        inner.use((req, _res, next) => {
          req.session.regenerate = (done) => {
            done(new Error('session store down'));
            return req.session;
          };
          next();
        }),
    });
    const proof = await KEY.login(await fetchChallenge(app));
    const answer = await request(app).post('/login').send({ proof }).expect(503);
    expect(answer.body.code).toBe('unavailable');
    expect(party.errors).toHaveLength(1);
  });

  it('an app without sessions that asks for one is told, and its user is not logged in', async () => {
    const app = party.app({ login: { session: true } });
    const proof = await KEY.login(await fetchChallenge(app));
    await request(app).post('/login').send({ proof }).expect(503);
    expect(String(party.errors[0])).toContain('session');
  });
});

describe('without sessions', () => {
  it('a login is good for its request alone', async () => {
    const app = party.app();
    const browser = request.agent(app);
    const proof = await KEY.login(await fetchChallenge(app));
    const answer = await browser.post('/login').send({ proof }).expect(200);
    expect(answer.body.user).toEqual({ account: ACCOUNT });
    expect(answer.get('Set-Cookie')).toBeUndefined();
    expect((await browser.get('/me')).body.user).toBeNull();
  });
});

describe('a session opened with a key', () => {
  it('ends when the key is disabled', async () => {
    const browser = await logIn(guarded());
    await browser.get('/me').expect(200);
    await party.disable(KEY.u);
    const { body } = await browser.get('/me').expect(403);
    expect(body.code).toBe('disabled');
    expect((await browser.get('/me').expect(200)).body.user).toBeNull();
  });

  it('ends when the key is disabled under a name that it gained later', async () => {
    const browser = await logIn(guarded());
    party.accounts.set(ACCOUNT, [{ ...KEY.registered, u: [KEY.u, KIT] }]);
    await party.disable(KIT);
    await browser.get('/me').expect(403);
    expect((await browser.get('/me')).body.user).toBeNull();
  });

  it('ends when the key is taken from the account', async () => {
    const browser = await logIn(guarded());
    party.accounts.set(ACCOUNT, [new TestKey('Ed25519').registered]);
    expect((await browser.get('/me').expect(403)).body.code).toBe('disabled');
    party.accounts.set(ACCOUNT, [KEY.registered]);
    expect((await browser.get('/me').expect(200)).body.user).toBeNull();
  });

  it('stays when another key is disabled', async () => {
    const other = new TestKey('Ed25519');
    party.accounts.set(ACCOUNT, [KEY.registered, other.registered]);
    const browser = await logIn(guarded());
    await party.disable(other.u);
    await browser.get('/me').expect(200);
  });

  it('waits, without being ended, while nobody can tell', async () => {
    let isDown = false;
    const answer = async <T>(value: T): Promise<T> => {
      if (isDown) throw new Error('down');
      return value;
    };
    const disabled = { isDisabled: () => answer(false) };
    for (const changes of [{ disabled }, { keysOf: (name: string) => answer(party.accounts.get(name)) }]) {
      const browser = await logIn(guarded(changes));
      isDown = true;
      expect((await browser.get('/me').expect(503)).body.code).toBe('unavailable');
      isDown = false;
      expect((await browser.get('/me').expect(200)).body.user).toEqual({ account: ACCOUNT });
    }
    expect(party.errors).toHaveLength(2);
  });
});

describe('a session opened without a key', () => {
  const withInvitation = (app: Express) =>
    app.post('/invited', (req, res, next) => {
      req.logIn({ account: ACCOUNT }, (error) => (error ? next(error) : res.end()));
    });

  it('is refused, or allowed where the app says so', async () => {
    for (const [withoutKey, status] of [
      [undefined, 403],
      ['refuse', 403],
      ['allow', 200],
    ] as const) {
      const app = guarded(withoutKey ? { withoutKey } : {}, withInvitation);
      const browser = request.agent(app);
      await browser.post('/invited').expect(200);
      await browser.get('/me').expect(status);
    }
  });

  it('is what passport.authenticate alone opens; rememberKey makes up for it', async () => {
    const { RoamingKeyStrategy } = await import('../../lib/strategy/strategy.ts');
    const app = guarded({}, (inner, passport) => {
      passport.use(new RoamingKeyStrategy(party.options(), (account) => ({ account })));
      const byHand = [express.json(), passport.authenticate('roaming-key')] as const;
      inner.post('/forgets', ...byHand, (_req, res) => void res.end());
      inner.post('/remembers', ...byHand, rememberKey(), (_req, res) => void res.end());
    });
    await (await logIn(app, '/forgets')).get('/me').expect(403);
    const browser = await logIn(app, '/remembers');
    await browser.get('/me').expect(200);
    await party.disable(KEY.u);
    await browser.get('/me').expect(403);
  });

  it('has no other choice', () => {
    expect(() => requireLiveKey({ ...party.options(), withoutKey: 'maybe' as 'allow' })).toThrow(
      'withoutKey',
    );
    expect(() => requireLiveKey({ ...party.options(), secret: '' })).toThrow('secret');
  });
});

describe('rememberKey', () => {
  it('leaves requests alone that were not authenticated with a key', async () => {
    const app = express();
    app.use(newPassport().initialize(), rememberKey(), (_req, res) => void res.end('passed'));
    expect((await request(app).get('/')).text).toBe('passed');
  });
});
