/** What a relying party tells of itself: keys, codes and addresses, never accounts. */
import type { Express } from 'express';
import request from 'supertest';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RoamingKeyError } from '../../lib/base/errors.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { disabledFeed } from '../../lib/strategy/disabled-feed.ts';
import type { FeedEvent, RelyingPartyEvent } from '../../lib/strategy/events.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { mergeKey } from '../../lib/strategy/registered-key.ts';
import { type RegistrationOptions, registration } from '../../lib/strategy/registration.ts';
import { RoamingKeyStrategy, type VerifyLogin } from '../../lib/strategy/strategy.ts';
import { ACCOUNT, fetchChallenge, post, TestKey, TestParty } from './support.ts';

const KEY = new TestKey('Ed25519');
const OTHER = new TestKey('Ed25519');
const address = expect.stringMatching(/127\.0\.0\.1|::/);

let party: TestParty;
let jkt: string;
let events: RelyingPartyEvent[];
let onEvent: (event: RelyingPartyEvent) => void;

beforeEach(async () => {
  party = new TestParty();
  party.accounts.set(ACCOUNT, [KEY.registered]);
  jkt = await KEY.thumbprint();
  events = [];
  onEvent = (event) => void events.push(event);
});

function appWith(changes: Partial<RegistrationOptions> = {}, verify?: VerifyLogin): Express {
  const options = { ...party.options(), onEvent, onError: (error: unknown) => party.errors.push(error) };
  return party.app({
    options: { onEvent },
    sessions: true,
    use: (app, passport) => {
      if (verify) passport.use('roaming-key-own', new RoamingKeyStrategy(options, verify));
      app.use(requireLiveKey(options));
      app.use(
        '/keys',
        registration({
          ...options,
          account: (req) => req.get('X-Invited'),
          save: (_req, key) => {
            party.accounts.set(key.account, mergeKey(party.accounts.get(key.account) ?? [], key));
          },
          ...changes,
        }),
      );
    },
    login: verify ? { strategy: 'roaming-key-own' } : {},
  });
}

const logIn = async (app: Express, key = KEY, changes = {}) =>
  post(app, await key.login(await fetchChallenge(app), changes));
const register = async (app: Express, key = OTHER, changes = {}) =>
  post(app, await key.register(await fetchChallenge(app), changes), '/keys').set('X-Invited', ACCOUNT);

describe('a login', () => {
  it('whose body cannot be read is told of with a reason, as a challenge by another method', async () => {
    const app = appWith();
    await request(app).post('/login').type('text/plain').send('x').expect(400);
    await request(app).post('/login').type('json').send('no json').expect(400);
    await request(app)
      .post('/login')
      .send({ proof: 'x'.repeat(20_000) })
      .expect(413);
    app.use('/elsewhere', challenge({ ...party.options(), onEvent }));
    await request(app).get('/elsewhere').expect(405);
    const told = (reason: string) => ({ type: 'loginRefused', code: 'invalid_request', reason, address });
    expect(events).toEqual([
      told('type'),
      told('form'),
      told('size'),
      { type: 'rejected', part: 'relyingParty', code: 'invalid_request', reason: 'method', address },
    ]);
  });

  it('is told of with its key', async () => {
    await logIn(appWith());
    expect(events).toEqual([{ type: 'loggedIn', jkt, u: [KEY.u], address }]);
  });

  it('that is refused is told of with its code, and without the key that it only claims', async () => {
    const app = appWith();
    await logIn(app, OTHER);
    await logIn(app, KEY, { claims: { aud: 'https://other.example' } });
    await logIn(app, KEY, { claims: { sub: 'bob' } });
    await post(app, 'nonsense');
    const proof = await KEY.login(await fetchChallenge(app));
    await post(app, proof);
    await post(app, proof);
    expect(events).toEqual([
      ...['key', 'audience', 'account'].map((reason) => ({
        type: 'loginRefused',
        code: 'refused',
        reason,
        address,
      })),
      { type: 'loginRefused', code: 'invalid_request', address },
      { type: 'loggedIn', jkt, u: [KEY.u], address },
      { type: 'loginRefused', code: 'replayed', address },
    ]);
  });

  it('with a disabled key names it: its holder was there', async () => {
    await party.disable(KEY.u);
    await logIn(appWith());
    expect(events).toEqual([{ type: 'loginRefused', code: 'disabled', jkt, u: [KEY.u], address }]);
  });

  it('that the app lets nobody in by names the key, too', async () => {
    await logIn(appWith({}, () => false));
    expect(events).toEqual([
      { type: 'loginRefused', code: 'refused', reason: 'app', jkt, u: [KEY.u], address },
    ]);
  });

  it('that the app or the store cannot answer is unavailable', async () => {
    const error = new Error('the database is down');
    await logIn(
      appWith({}, () => {
        throw error;
      }),
    );
    vi.spyOn(party.store, 'claimOnce').mockRejectedValueOnce(error);
    await logIn(appWith());
    expect(events).toEqual([
      { type: 'unavailable', part: 'relyingParty', error, address },
      {
        type: 'unavailable',
        part: 'relyingParty',
        error: expect.objectContaining({ cause: error }),
        address,
      },
    ]);
  });

  it('is let in though the listener throws, or rejects', async () => {
    for (const fail of [
      () => {
        throw new Error('no log');
      },
      async () => {
        throw new Error('no log');
      },
    ]) {
      onEvent = fail;
      expect((await logIn(appWith())).status).toBe(200);
    }
  });
});

describe('a registration', () => {
  it('is told of with all names of its key', async () => {
    const again = `${'n'.repeat(42)}A`;
    expect((await register(appWith(), KEY, { claims: { u: again } })).status).toBe(201);
    expect(events).toEqual([{ type: 'registered', jkt, u: [KEY.u, again], address }]);
  });

  it('that is refused is told of, with the key once it was proven', async () => {
    const app = appWith();
    await register(app, OTHER, { claims: { sub: 'bob' } });
    await request(app).post('/keys').send('proof=x');
    const refusing = appWith({
      save: () => {
        throw new RoamingKeyError('refused', 'the name is taken');
      },
    });
    await register(refusing);
    expect(events).toEqual([
      { type: 'registrationRefused', code: 'refused', reason: 'account', address },
      { type: 'registrationRefused', code: 'invalid_request', reason: 'type', address },
      { type: 'registrationRefused', code: 'refused', jkt: await OTHER.thumbprint(), u: [OTHER.u], address },
    ]);
  });

  it('that cannot be stored is unavailable', async () => {
    const error = new Error('the database is down');
    await register(appWith({ save: () => Promise.reject(error) }));
    expect(events).toEqual([{ type: 'unavailable', part: 'relyingParty', error, address }]);
  });
});

describe('a session', () => {
  async function browserOf(app: Express) {
    const browser = request.agent(app);
    const proof = await KEY.login(await fetchChallenge(app));
    await browser.post('/login').send({ proof }).expect(200);
    events.length = 0;
    return browser;
  }

  it('that ends with its disabled key is told of once', async () => {
    const browser = await browserOf(appWith());
    await browser.get('/me').expect(200);
    await party.disable(KEY.u);
    await browser.get('/me').expect(403);
    await browser.get('/me').expect(200);
    expect(events).toEqual([{ type: 'sessionEnded', reason: 'disabled', jkt, u: [KEY.u], address }]);
  });

  it('whose key is none of the account any more, likewise', async () => {
    const browser = await browserOf(appWith());
    party.accounts.set(ACCOUNT, []);
    await browser.get('/me').expect(403);
    expect(events).toEqual([{ type: 'sessionEnded', reason: 'keyGone', jkt, address }]);
  });

  it('that nobody can judge goes on, and is told of as unavailable', async () => {
    const browser = await browserOf(appWith());
    vi.spyOn(party.store, 'isDisabled').mockRejectedValueOnce(new Error('down'));
    await browser.get('/me').expect(503);
    await browser.get('/me').expect(200);
    expect(events).toMatchObject([{ type: 'unavailable', part: 'relyingParty' }]);
  });
});

describe('a feed', () => {
  it('tells of readings, how much was new, and of those that failed', async () => {
    const told: FeedEvent[] = [];
    const t = 'AAAAAAAAAAAAAAAAAAAAAA';
    const pages = [
      { disabled: [t], next: '1' },
      { disabled: [], next: '1' },
    ];
    const feed = disabledFeed({
      url: 'https://assistant.example',
      onEvent: (event) => {
        told.push(event);
        throw new Error('no log');
      },
      fetch: async () => {
        const page = pages.shift();
        if (!page) throw new Error('offline');
        return Response.json(page);
      },
    });
    await feed.refresh();
    await feed.refresh();
    await expect(feed.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    expect(told).toEqual([
      { type: 'feedRead', entries: 1 },
      { type: 'feedRead', entries: 0 },
      { type: 'feedFailed', error: new Error('offline') },
    ]);
  });
});

it.each([
  ['a relying party', () => requireLiveKey({ ...party.options(), onEvent: 'log' as never })],
  ['a feed', () => disabledFeed({ url: 'https://assistant.example', onEvent: 'log' as never })],
])('%s refuses an onEvent that is no function', (_what, make) => {
  expect(make).toThrow('onEvent must be a function');
});
