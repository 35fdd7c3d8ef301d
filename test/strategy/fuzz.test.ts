import fc from 'fast-check';
import request from 'supertest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registration } from '../../lib/strategy/registration.ts';
import { ACCOUNT, base64url, claimsFor, fetchChallenge, TestKey, TestParty } from './support.ts';

const KEY = new TestKey('Ed25519');
const CODES = ['invalid_request', 'unsupported', 'stale_request', 'replayed', 'refused'];

let party: TestParty;
const rejections: unknown[] = [];
const onRejection = (reason: unknown) => void rejections.push(reason);

beforeAll(() => {
  process.on('unhandledRejection', onRejection);
});
afterAll(() => {
  process.off('unhandledRejection', onRejection);
});
beforeEach(() => {
  party = new TestParty();
  party.accounts.set(ACCOUNT, [KEY.registered]);
  rejections.length = 0;
});

function app() {
  return party.app({
    use: (inner) =>
      inner.use(
        '/keys',
        registration({
          ...party.options(),
          account: () => ACCOUNT,
          save: () => {},
          onError: (error) => party.errors.push(error),
        }),
      ),
  });
}

async function expectRefusal(send: () => request.Test): Promise<void> {
  const answer = await send();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(CODES).toContain(answer.body.code);
  expect(Object.keys(answer.body).sort()).toEqual(['code', 'status', 'title', 'type']);
  expect(party.errors).toEqual([]);
  expect(rejections).toEqual([]);
}

describe('a proof', () => {
  const paths = fc.constantFrom('/login', '/keys');
  const under = { numRuns: 150 };

  it('of any members, well signed, over a genuine challenge, is refused in good order', async () => {
    const target = app();
    const names = fc.constantFrom('alg', 'typ', 'kid', 'jwk', 'crit', '__proto__', 'constructor', 'x');
    const header = fc.dictionary(names, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 });
    const claimNames = fc.constantFrom(
      'aud',
      'sub',
      'nonce',
      'iat',
      'exp',
      'jti',
      'u',
      '__proto__',
      'toJSON',
    );
    const claims = fc.dictionary(claimNames, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 });
    await fc.assert(
      fc.asyncProperty(paths, header, claims, async (path, wrongHeader, wrongClaims) => {
        const nonce = await fetchChallenge(target);
        const proof = await KEY.login(nonce, { header: wrongHeader, claims: wrongClaims });
        await expectRefusal(() => request(target).post(path).send({ proof }));
      }),
      under,
    );
  });

  it('for any account name is refused in good order', async () => {
    const target = app();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (sub) => {
        fc.pre(sub !== ACCOUNT);
        const proof = await KEY.login(await fetchChallenge(target), { claims: { sub } });
        await expectRefusal(() => request(target).post('/login').send({ proof }));
      }),
      under,
    );
  });

  it('that is good but for one character is refused', async () => {
    const target = app();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ ';
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom(...alphabet.split('')), async (place, character) => {
        const proof = await KEY.login(await fetchChallenge(target));
        const at = place % proof.length;
        fc.pre(proof[at] !== character);
        const other = proof.slice(0, at) + character + proof.slice(at + 1);
        await expectRefusal(() => request(target).post('/login').send({ proof: other }));
      }),
      under,
    );
  });

  it('whose JSON names any member twice is refused', async () => {
    const target = app();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('aud', 'sub', 'nonce', 'iat', 'exp', 'jti'),
        fc.boolean(),
        async (name, first) => {
          const kid = await KEY.thumbprint();
          const claims: Record<string, unknown> = claimsFor(await fetchChallenge(target));
          const members = Object.entries(claims).map(
            ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
          );
          const again = `${JSON.stringify(name)}:${JSON.stringify(claims[name])}`;
          const text = `{${(first ? [again, ...members] : [...members, again]).join(',')}}`;
          const input = `${base64url(JSON.stringify({ alg: 'Ed25519', typ: 'rk-login+jwt', kid }))}.${base64url(text)}`;
          const proof = `${input}.${KEY.sign(input).toString('base64url')}`;
          await expectRefusal(() => request(target).post('/login').send({ proof }));
        },
      ),
      { numRuns: 20 },
    );
  });
});
