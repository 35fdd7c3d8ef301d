import express from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import { challenge, claimChallenge, makeChallenge, verifyChallenge } from '../../lib/strategy/challenge.ts';
import { type RelyingPartyOptions, relyingParty } from '../../lib/strategy/relying-party.ts';
import { AUDIENCE, NOW, SECRET, TestParty } from './support.ts';

function partyAt(now: number, changes: Partial<RelyingPartyOptions> = {}) {
  return relyingParty(new TestParty().options({ now: () => now, ...changes }));
}

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return isRoamingKeyError(error) ? error.code : error;
  }
  return 'accepted';
}

describe('a challenge', () => {
  it('is new every time and stores nothing', async () => {
    const rp = partyAt(NOW);
    expect(makeChallenge(rp)).not.toBe(makeChallenge(rp));
    expect(makeChallenge(rp)).toMatch(/^[\w-]{75}$/);
  });

  it.each([
    [-31, 'stale_request'],
    [-30, 'accepted'],
    [0, 'accepted'],
    [150, 'accepted'],
    [151, 'stale_request'],
  ])('issued %i seconds ago is %s (120 s of life, 30 s of skew)', (age, expected) => {
    const made = makeChallenge(partyAt(NOW - age));
    expect(codeOf(() => verifyChallenge(partyAt(NOW), made))).toBe(expected);
  });

  it('of another secret, another audience, or altered in any byte is as stale as an old one', () => {
    const rp = partyAt(NOW);
    expect(codeOf(() => verifyChallenge(rp, makeChallenge(partyAt(NOW, { secret: `${SECRET}!` }))))).toBe(
      'stale_request',
    );
    const elsewhere = makeChallenge(partyAt(NOW, { audience: 'https://other.example' }));
    expect(codeOf(() => verifyChallenge(rp, elsewhere))).toBe('stale_request');
    const good = Buffer.from(makeChallenge(rp), 'base64url');
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      expect(codeOf(() => verifyChallenge(rp, bad.toString('base64url')))).toBe('stale_request');
    }
  });

  it.each(['', 'x', 'A'.repeat(75), '='.repeat(75), `${'A'.repeat(74)}é`, 'A'.repeat(100)])(
    'that was never one (%s) is stale',
    (text) => {
      expect(codeOf(() => verifyChallenge(partyAt(NOW), text))).toBe('stale_request');
    },
  );

  it('has one spelling, so that it cannot be claimed twice', () => {
    const rp = partyAt(NOW);
    const made = makeChallenge(rp);
    const last = made.at(-1) as string;
    for (const spelling of [
      `${made}=`,
      `${made} `,
      made.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1),
    ])
      expect(codeOf(() => verifyChallenge(rp, spelling))).toBe('stale_request');
  });

  it('survives a change of secrets: the first makes, all verify', () => {
    const before = makeChallenge(partyAt(NOW, { secret: 'the old secret, thirty-two bytes or so' }));
    const secrets = ['the new secret, thirty-two bytes or so', 'the old secret, thirty-two bytes or so'];
    const both = partyAt(NOW, { secret: secrets });
    expect(codeOf(() => verifyChallenge(both, before))).toBe('accepted');
    const after = makeChallenge(both);
    expect(codeOf(() => verifyChallenge(partyAt(NOW, { secret: secrets[0] as string }), after))).toBe(
      'accepted',
    );
    expect(codeOf(() => verifyChallenge(partyAt(NOW, { secret: secrets[1] as string }), after))).toBe(
      'stale_request',
    );
  });

  it('is claimed once, by one of a hundred at the same time', async () => {
    const rp = relyingParty(new TestParty().options());
    const fresh = verifyChallenge(rp, makeChallenge(rp));
    const claims = await Promise.allSettled(Array.from({ length: 100 }, () => claimChallenge(rp, fresh)));
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each([-900, 900])('is claimed once by a store whose clock is %i seconds off', async (offset) => {
    const party = new TestParty();
    const rp = relyingParty(party.options({ now: () => NOW }));
    party.clock = NOW + offset;
    const fresh = verifyChallenge(rp, makeChallenge(rp));
    await claimChallenge(rp, fresh);
    party.clock += 149;
    await expect(claimChallenge(rp, fresh)).rejects.toMatchObject({ code: 'replayed' });
  });

  it('is not accepted while the store cannot claim it', async () => {
    const down = new Error('connection refused');
    const rp = partyAt(NOW, {
      store: { claimOnce: () => Promise.reject(down), isDisabled: async () => false },
    });
    const fresh = verifyChallenge(rp, makeChallenge(rp));
    await expect(claimChallenge(rp, fresh)).rejects.toMatchObject({ code: 'unavailable', cause: down });
  });
});

describe('POST {login}/challenge', () => {
  it('answers challenge, lifetime and time, for nobody to keep', async () => {
    const app = express().use('/login/challenge', challenge(new TestParty().options()));
    const { body, headers } = await request(app).post('/login/challenge').expect(200);
    expect(body).toEqual({
      challenge: expect.any(String),
      expiresIn: 120,
      now: NOW,
      audience: AUDIENCE,
    });
    expect(headers['cache-control']).toBe('no-store');
    expect(codeOf(() => verifyChallenge(partyAt(NOW), body.challenge))).toBe('accepted');
  });

  it('knows no other method', async () => {
    const app = express().use('/login/challenge', challenge(new TestParty().options()));
    const { body, headers } = await request(app).get('/login/challenge').expect(405);
    expect(body.code).toBe('invalid_request');
    expect(headers['allow']).toBe('POST');
  });

  it('is not limited, and stores nothing', async () => {
    const party = new TestParty();
    party.store.count = () => Promise.reject(new Error('asked'));
    party.store.claimOnce = () => Promise.reject(new Error('asked'));
    const app = express().post('/', challenge(party.options()));
    for (let i = 0; i < 200; i++) await request(app).post('/').expect(200);
  });
});

describe('the options of a relying party', () => {
  const good = new TestParty().options();

  it.each([
    ['audience', { audience: 'app.example' }],
    ['audience', { audience: 'http://app.example' }],
    ['audience', { audience: `${AUDIENCE}/` }],
    ['audience', { audience: `${AUDIENCE}/login` }],
    ['audience', { audience: 'https://user@app.example' }],
    ['audience', { audience: undefined }],
    ['secret', { secret: 'thirty-one bytes are not enough' }],
    ['secret', { secret: [] }],
    ['secret', { secret: [SECRET, 'short'] }],
    ['secret', { secret: undefined }],
    ['secret', { secret: new Uint8Array(31) }],
    ['store', { store: {} }],
    ['store', { store: undefined }],
    ['vouchFor', { vouchFor: -1 }],
    ['vouchFor', { vouchFor: '30 days' as never }],
    ['updateKeys', { updateKeys: 'yes' as never }],
    ['audiense', { audiense: AUDIENCE } as object],
    ['keysOf', { keysOf: undefined }],
    ['disabled', { store: { claimOnce: async () => true } }],
    ['allowedOrigins', { allowedOrigins: ['*'] }],
    ['challengeSeconds', { challengeSeconds: 9 }],
    ['challengeSeconds', { challengeSeconds: 601 }],
    ['challengeSeconds', { challengeSeconds: 12.5 }],
  ])('are refused at construction, by name: %s (%o)', (name, wrong) => {
    const options = { ...good, ...wrong } as RelyingPartyOptions;
    expect(() => challenge(options)).toThrow(TypeError);
    expect(() => challenge(options)).toThrow(name);
  });

  it.each(['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:8080', 'https://app.example:8443'])(
    'take the origin %s',
    (audience) => {
      expect(relyingParty({ ...good, audience }).audience).toBe(audience);
    },
  );

  it('keep their own copy of a secret', () => {
    const secret = new Uint8Array(32).fill(7);
    const rp = partyAt(NOW, { secret });
    const made = makeChallenge(rp);
    secret.fill(0);
    expect(codeOf(() => verifyChallenge(rp, made))).toBe('accepted');
  });

  it('never appear in messages', () => {
    const secret = 'too-short-but-secret';
    expect(() => relyingParty({ ...good, secret })).toThrow(expect.not.stringContaining(secret));
    try {
      relyingParty({ ...good, secret });
    } catch (error) {
      expect(String(error)).not.toContain(secret);
    }
  });
});
