import { createHash, createHmac } from 'node:crypto';
import express from 'express';
import request from 'supertest';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RegisteredKey } from '../../lib/strategy/registered-key.ts';
import {
  ACCOUNT,
  type Alg,
  AUDIENCE,
  base64url,
  type Changes,
  claimsFor,
  fetchChallenge,
  NOW,
  post,
  SECRET,
  TestKey,
  TestParty,
} from './support.ts';

let keys: Readonly<Record<Alg, TestKey>>;
let party: TestParty;
let key: TestKey;

beforeAll(() => {
  keys = {
    Ed25519: new TestKey('Ed25519'),
    ES256: new TestKey('ES256'),
    PS256: new TestKey('PS256'),
    RS256: new TestKey('RS256', 3072),
  };
});

beforeEach(() => {
  party = new TestParty();
  key = keys.Ed25519;
  party.accounts.set(ACCOUNT, [key.registered]);
});

async function attempt(changes: Changes, by = key) {
  const app = party.app();
  return post(app, await by.login(await fetchChallenge(app), changes));
}

describe('a login', () => {
  it.each(['Ed25519', 'ES256', 'PS256', 'RS256'] as const)('by %s', async (alg) => {
    key = keys[alg];
    party.accounts.set(ACCOUNT, [key.registered]);
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app));
    const { body } = await post(app, proof).expect(200);
    expect(body).toEqual({
      user: { account: ACCOUNT },
      info: { account: ACCOUNT, key: { jkt: await key.thumbprint(), disablingNames: [key.u], u: [key.u] } },
    });
  });

  it('by Ed25519 under its old name EdDSA', async () => {
    expect((await attempt({ header: { alg: 'EdDSA' } })).status).toBe(200);
  });

  it.each(['Ed25519', 'ES256', 'PS256'] as const)(
    'by %s where the app has not stored the algorithm',
    async (alg) => {
      const { jwk, u } = keys[alg].registered;
      party.accounts.set(ACCOUNT, [{ jwk, u }]);
      expect((await attempt({}, keys[alg])).status).toBe(200);
    },
  );

  it('by any of several keys, stored with members that public keys may bear', async () => {
    party.accounts.set(
      ACCOUNT,
      Object.values(keys).map(({ registered }) => ({
        ...registered,
        jwk: Object.assign({ use: 'sig', kid: 'x' }, registered.jwk),
      })),
    );
    for (const one of Object.values(keys)) expect((await attempt({}, one)).status).toBe(200);
  });

  it('by a client that is no browser and sends no Origin', async () => {
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app));
    await request(app).post('/login').send({ proof }).expect(200);
  });

  it('by a client that spells the header in another way', async () => {
    const app = party.app();
    const header = `{ "kid": "${await key.thumbprint()}",\n "typ" : "rk-login\\u002bjwt", "alg": "Ed25519" }`;
    const claims = JSON.stringify(claimsFor(await fetchChallenge(app)));
    await post(app, key.jws(header, claims)).expect(200);
  });

  it('in an app that has parsed all JSON before', async () => {
    const app = party.app({ use: (outer) => outer.use(express.json(), express.urlencoded()) });
    const proof = await key.login(await fetchChallenge(app));
    await post(app, proof).expect(200);
  });

  it('of an account whose name has letters of many scripts', async () => {
    const name = 'Ælfgifu 山田 🦊';
    party.accounts.set(name, [key.registered]);
    expect((await attempt({ claims: { sub: name } })).body.user).toEqual({ account: name });
  });
});

describe('a proof for another origin', () => {
  it.each([
    'https://evil.example',
    'https://app.example.evil.example',
    'HTTPS://APP.EXAMPLE',
    `${AUDIENCE}/`,
    '',
  ])('is refused: %s', async (aud) => {
    const { status, body } = await attempt({ claims: { aud } });
    expect([status, body.code]).toEqual([403, 'refused']);
    expect(party.lookups).toBe(0);
  });

  it.each([[[AUDIENCE]], [[AUDIENCE, 'https://evil.example']], [{ 0: AUDIENCE }], [null], [undefined]])(
    'is malformed where aud is not one string: %o',
    async (aud) => {
      const { status, body } = await attempt({ claims: { aud } });
      expect([status, body.code]).toEqual([400, 'invalid_request']);
    },
  );

  it('is refused whatever the Host header says', async () => {
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app), { claims: { aud: 'https://evil.example' } });
    for (const name of ['Host', 'X-Forwarded-Host']) {
      const { status } = await post(app, proof).set(name, 'evil.example').set('X-Forwarded-Proto', 'https');
      expect(status).toBe(403);
    }
    const own = await key.login(await fetchChallenge(app));
    await post(app, own).set('Host', 'evil.example').expect(200);
  });
});

describe('a page of another origin', () => {
  it.each([
    'https://evil.example',
    'null',
    'http://app.example',
    'https://app.example:8443',
    `${AUDIENCE}, x`,
    '*',
  ])('cannot log its visitor in: Origin %s', async (origin) => {
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app));
    const { body } = await post(app, proof).set('Origin', origin).expect(403);
    expect(body.code).toBe('refused');
    await post(app, proof).expect(200);
  });

  it('may, where the app allows its origin', async () => {
    const app = party.app({ options: { allowedOrigins: [AUDIENCE, 'https://m.app.example'] } });
    const proof = await key.login(await fetchChallenge(app));
    await post(app, proof).set('Origin', 'https://m.app.example').expect(200);
  });

  it.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/plain',
    'text/plain; application/json',
    'application/json+x',
    'application/problem+json',
    'application/json, text/plain',
    'text/json',
  ])('cannot use a content type that needs no consent: %s', async (type) => {
    const app = party.app({ use: (outer) => outer.use(express.json({ type: () => true })) });
    const proof = await key.login(await fetchChallenge(app));
    const body = JSON.stringify({ proof });
    const answer = await request(app).post('/login').set('Content-Type', type).send(body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    await request(app)
      .post('/login')
      .set('Content-Type', 'application/json; charset=UTF-8')
      .send(body)
      .expect(200);
  });

  it('cannot choose another charset', async () => {
    const call = request(party.app()).post('/login').set('Content-Type', 'application/json; charset=utf-16');
    const answer = await call.send(Buffer.from('{}', 'utf16le'));
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
  });

  it('cannot post a form', async () => {
    const app = party.app({ use: (outer) => outer.use(express.urlencoded()) });
    const proof = await key.login(await fetchChallenge(app));
    const { body } = await request(app).post('/login').type('form').send({ proof }).expect(400);
    expect(body.code).toBe('invalid_request');
  });
});

describe('a body', () => {
  it.each([
    ['nothing', undefined],
    ['null', 'null'],
    ['an array', '[]'],
    ['a string', '"x"'],
    ['no proof', '{}'],
    ['a proof that is no text', '{"proof":1}'],
    ['a nested proof', '{"proof":{"proof":"x"}}'],
    ['an unknown member', '{"proof":"x","user":"root"}'],
    ['a proto', '{"__proto__":{"proof":"x"}}'],
    ['no JSON', '{"proof":'],
    ['a long proof', JSON.stringify({ proof: 'x'.repeat(8193) })],
  ])('with %s is an invalid request', async (_what, body) => {
    const call = request(party.app()).post('/login').set('Content-Type', 'application/json');
    const answer = await (body === undefined ? call : call.send(body));
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('that is too large is told so', async () => {
    const { body } = await post(party.app(), 'x'.repeat(20_000)).expect(413);
    expect(body).toMatchObject({ code: 'invalid_request', status: 413 });
  });

  it('that is compressed is not read', async () => {
    const answer = await request(party.app())
      .post('/login')
      .set({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
      .send('{}');
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
  });
});

describe('a challenge', () => {
  it('is good for one login', async () => {
    const app = party.app();
    const nonce = await fetchChallenge(app);
    await post(app, await key.login(nonce)).expect(200);
    const { body } = await post(app, await key.login(nonce)).expect(400);
    expect(body.code).toBe('replayed');
  });

  it('is not used up by a proof that fails, so that strangers’ proofs store nothing', async () => {
    const claimed: string[] = [];
    const claimOnce = party.store.claimOnce.bind(party.store);
    party.store.claimOnce = (claim) => {
      claimed.push(claim.name);
      return claimOnce(claim);
    };
    const app = party.app();
    const nonce = await fetchChallenge(app);
    const right = await key.login(nonce);
    await post(
      app,
      await new TestKey('Ed25519').login(nonce, { header: { kid: await key.thumbprint() } }),
    ).expect(403);
    expect(claimed).toEqual([]);
    await post(app, right).expect(200);
    expect((await post(app, right)).body.code).toBe('replayed');
    expect(claimed).toHaveLength(2);
  });

  it('lets one of a hundred logins at the same time in', async () => {
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app));
    const server = app.listen(0);
    try {
      const { port } = server.address() as { port: number };
      const codes = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const answer = await fetch(`http://127.0.0.1:${port}/login`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ proof }),
          });
          const { code = 'in' } = (await answer.json()) as { code?: string };
          return code;
        }),
      );
      expect(codes.filter((code) => code === 'in')).toHaveLength(1);
      expect(codes.filter((code) => code === 'replayed')).toHaveLength(99);
      expect(party.lookups).toBe(100);
    } finally {
      server.close();
    }
  });

  it('of nobody, or an old one, is stale, and the app is not asked for keys', async () => {
    const app = party.app();
    const old = await fetchChallenge(app);
    party.clock += 151;
    const times = { iat: party.clock, exp: party.clock + 60 };
    for (const nonce of [old, 'A'.repeat(75), '']) {
      const { body } = await post(app, await key.login(nonce, { claims: times })).expect(400);
      expect(body.code).toBe('stale_request');
    }
    expect(party.lookups).toBe(0);
  });

  it('made with the secret before the last is still good', async () => {
    const old = 'the secret that was used until now, long';
    const nonce = await fetchChallenge(party.app({ options: { secret: old } }));
    const both = party.app({ options: { secret: [SECRET, old] } });
    await post(both, await key.login(nonce)).expect(200);
    const after = await fetchChallenge(both);
    const { body } = await post(party.app({ options: { secret: old } }), await key.login(after)).expect(400);
    expect(body.code).toBe('stale_request');
  });
});

describe('the times of a proof', () => {
  it.each([
    ['as long as allowed', 0, 120, 'in'],
    ['longer than allowed', 0, 121, 'invalid_request'],
    ['backwards', 0, -1, 'invalid_request'],
    ['no time at all', 0, 0, 'invalid_request'],
    ['a clock 30 s ahead', 30, 60, 'in'],
    ['a clock 31 s ahead', 31, 60, 'stale_request'],
    ['ended 29 s ago', -100, 71, 'in'],
    ['ended 30 s ago', -100, 70, 'stale_request'],
  ])('%s: iat %i, lifetime %i → %s', async (_what, offset, lifetime, expected) => {
    const iat = NOW + offset;
    const { body } = await attempt({ claims: { iat, exp: iat + lifetime } });
    expect(body.code ?? 'in').toBe(expected);
  });

  it.each([
    { iat: `${NOW}` },
    { exp: null },
    { iat: NOW + 0.5 },
    { exp: 1e300 },
    { iat: -1 },
    { iat: undefined },
  ])('are whole seconds: %o', async (claims) => {
    expect((await attempt({ claims })).body.code).toBe('invalid_request');
  });
});

describe('the algorithm', () => {
  it('none proves nothing', async () => {
    const app = party.app();
    const head = base64url(JSON.stringify({ alg: 'none', typ: 'rk-login+jwt', kid: await key.thumbprint() }));
    const input = `${head}.${base64url(JSON.stringify(claimsFor(await fetchChallenge(app))))}`;
    expect((await post(app, `${input}.`).expect(400)).body.code).toBe('invalid_request');
    expect((await post(app, `${input}.AA`).expect(400)).body.code).toBe('unsupported');
    expect((await post(app, input).expect(400)).body.code).toBe('invalid_request');
  });

  it('HS256 with the public key as its secret proves nothing', async () => {
    const app = party.app();
    const head = base64url(
      JSON.stringify({ alg: 'HS256', typ: 'rk-login+jwt', kid: await key.thumbprint() }),
    );
    const input = `${head}.${base64url(JSON.stringify(claimsFor(await fetchChallenge(app))))}`;
    for (const secret of [JSON.stringify(key.jwk), Buffer.from((key.jwk as { x: string }).x, 'base64url')]) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      expect((await post(app, `${input}.${mac}`).expect(400)).body.code).toBe('unsupported');
    }
  });

  it.each(['PS384', 'ES384', 'RS512', 'Ed448', 'ed25519', 'eddsa', 'ES256K', 'dir', ''])(
    '%s is not one of the four',
    async (alg) => {
      expect((await attempt({ header: { alg } })).body.code).toBe('unsupported');
    },
  );

  it('is the one that the key is registered with', async () => {
    party.accounts.set(ACCOUNT, [keys.PS256.registered, { ...keys.RS256.registered, alg: 'PS256' }]);
    expect((await attempt({ alg: 'RS256' }, keys.PS256)).body.code).toBe('refused');
    expect((await attempt({}, keys.RS256)).body.code).toBe('refused');
    expect((await attempt({ alg: 'PS256' }, keys.RS256)).status).toBe(200);
  });

  it('cannot be of another kind of key', async () => {
    party.accounts.set(ACCOUNT, [keys.ES256.registered]);
    const { body } = await attempt({ header: { kid: await keys.ES256.thumbprint() } }, keys.Ed25519);
    expect(body.code).toBe('refused');
  });

  it('PS256 takes salts of 32 bytes alone', async () => {
    party.accounts.set(ACCOUNT, [keys.PS256.registered]);
    const app = party.app();
    const { constants, createPrivateKey, sign } = await import('node:crypto');
    const privateKey = createPrivateKey({ key: keys.PS256.privateJwk as never, format: 'jwk' });
    for (const [saltLength, status] of [
      [20, 403],
      [32, 200],
    ] as const) {
      const head = base64url(
        JSON.stringify({ alg: 'PS256', typ: 'rk-login+jwt', kid: await keys.PS256.thumbprint() }),
      );
      const input = `${head}.${base64url(JSON.stringify(claimsFor(await fetchChallenge(app))))}`;
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, padding, saltLength });
      await post(app, `${input}.${signature.toString('base64url')}`).expect(status);
    }
  });
});

describe('the header', () => {
  it.each([
    ['a key of its own', async () => ({ jwk: key.jwk })],
    ['crit', async () => ({ crit: ['exp'] })],
    ['b64', async () => ({ b64: false, crit: ['b64'] })],
    ['jku', async () => ({ jku: 'https://evil.example/keys' })],
    ['x5c', async () => ({ x5c: [] })],
    ['any other member', async () => ({ x: 1 })],
    ['the typ of a registration', async () => ({ typ: 'rk-register+jwt' })],
    ['the typ of any JWT', async () => ({ typ: 'JWT' })],
    ['a long typ', async () => ({ typ: 'application/rk-login+jwt' })],
    ['no typ', async () => ({ typ: undefined })],
    ['no kid', async () => ({ kid: undefined })],
    ['no alg', async () => ({ alg: undefined })],
    ['a kid that is no thumbprint', async () => ({ kid: 'key-1' })],
    ['a kid in another spelling', async () => ({ kid: `${await key.thumbprint()}=` })],
  ])('may not have %s', async (_what, header) => {
    const { status, body } = await attempt({ header: await header() });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it('and the claims name each member once', async () => {
    const app = party.app();
    const nonce = await fetchChallenge(app);
    const header = JSON.stringify({ alg: 'Ed25519', typ: 'rk-login+jwt', kid: await key.thumbprint() });
    const claims = JSON.stringify(claimsFor(nonce));
    for (const [h, c] of [
      [header.replace('{', '{"alg":"none",'), claims],
      [header.replace('{', '{"\\u0061lg":"none",'), claims],
      [header, claims.replace('{', '{"sub":"bob",')],
      [header, claims.replace('}', ',"sub":"alice"}')],
      [header, claims.replace('{', '{"aud" : "https://evil.example" ,')],
    ] as const) {
      const { body } = await post(app, key.jws(h, c)).expect(400);
      expect(body.code).toBe('invalid_request');
    }
    await post(app, key.jws(header, claims.replace('"alice"', '"al\\u0069ce"'))).expect(400);
    await post(app, key.jws(header, JSON.stringify(JSON.parse(claims), null, 1))).expect(400);
    await post(app, key.jws(header, claims)).expect(200);
  });

  it('and the claims are UTF-8 without a mark before them', async () => {
    const app = party.app();
    const header = JSON.stringify({ alg: 'Ed25519', typ: 'rk-login+jwt', kid: await key.thumbprint() });
    const claims = JSON.stringify(claimsFor(await fetchChallenge(app)));
    await post(app, key.jws(`\uFEFF${header}`, claims)).expect(400);
    const input = `${base64url(header)}.${Buffer.from(claims.replace('alice', 'al\u00EFce'), 'latin1').toString('base64url')}`;
    await post(app, `${input}.${key.sign(input).toString('base64url')}`).expect(400);
  });

  it('and the other parts have one spelling', async () => {
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app));
    const [head, claims, signature] = proof.split('.') as [string, string, string];
    for (const other of [
      `${proof}=`,
      `${proof}.`,
      `${proof}\n`,
      ` ${proof}`,
      `${head}=.${claims}.${signature}`,
      `${head}..${signature}`,
      `${head}.${claims}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}AAAA`,
      Buffer.from(proof).toString('base64url'),
      JSON.stringify({ protected: head, payload: claims, signature }),
    ])
      expect((await post(app, other).expect(400)).body.code).toBe('invalid_request');
    await post(app, proof).expect(200);
  });
});

describe('the claims', () => {
  it.each([
    { admin: true },
    { u: 'A'.repeat(43) },
    { nbf: NOW },
    { sub: '' },
    { sub: 'x'.repeat(257) },
    { sub: 'al\u0000ice' },
    { sub: 'al\nice' },
    { sub: '\uD800' },
    { sub: 7 },
    { sub: [ACCOUNT] },
    { sub: undefined },
    { jti: undefined },
    { jti: '' },
    { jti: 'x'.repeat(129) },
    { nonce: undefined },
    { nonce: 'x'.repeat(129) },
  ])('may not be %o', async (claims) => {
    const { status, body } = await attempt({ claims });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(party.lookups).toBe(0);
  });
});

describe('a stranger', () => {
  const comparable = ({ status, body, headers }: { status: number; body: unknown; headers: object }) => {
    const { date: _date, ...rest } = headers as Record<string, unknown>;
    return { status, body, headers: rest };
  };

  it.each(['Ed25519', 'ES256', 'PS256', 'RS256'] as const)(
    'cannot tell unknown account, unknown key and bad signature apart: %s',
    async (alg) => {
      key = keys[alg];
      const other = new TestKey(alg);
      party.accounts.set(ACCOUNT, [key.registered]);
      const answers = [
        await attempt({ claims: { sub: 'nobody' } }),
        await attempt({ claims: { sub: 'toString' } }),
        await attempt({}, other),
        await attempt({ header: { kid: await key.thumbprint() } }, other),
      ].map(comparable);
      party.accounts.set(ACCOUNT, []);
      answers.push(comparable(await attempt({})));
      expect(answers[0]).toMatchObject({ status: 403, body: { code: 'refused' } });
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    },
  );

  it('cannot log in to an unknown account with the key that stands in for a missing one', async () => {
    const { createPrivateKey, sign } = await import('node:crypto');
    const { calculateJwkThumbprint } = await import('jose');
    const { decoy } = await import('../../lib/strategy/public-key.ts');
    const jwk = decoy('ES256', new Uint8Array(64)) as { kty: 'EC'; crv: string; x: string; y: string };
    const one = createPrivateKey({ key: { ...jwk, d: `${'A'.repeat(42)}E` }, format: 'jwk' });
    const app = party.app();
    for (const sub of ['nobody', ACCOUNT]) {
      const header = { alg: 'ES256', typ: 'rk-login+jwt', kid: await calculateJwkThumbprint({ ...jwk }) };
      const claims = { ...claimsFor(await fetchChallenge(app)), sub };
      const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
      const signature = sign('sha256', Buffer.from(input), { key: one, dsaEncoding: 'ieee-p1363' });
      const { body } = await post(app, `${input}.${signature.toString('base64url')}`);
      expect(body.code).toBe('refused');
    }
  });

  it('learns of no key that it is disabled without having it', async () => {
    await party.disable(key.u);
    const forged = await attempt({ header: { kid: await key.thumbprint() } }, new TestKey('Ed25519'));
    expect(forged.body.code).toBe('refused');
    expect((await attempt({})).body.code).toBe('disabled');
  });
});

describe('a key', () => {
  it('that is disabled under any of its names is refused, with that reason', async () => {
    const names = ['A'.repeat(43), key.u, `${'B'.repeat(42)}A`];
    party.accounts.set(ACCOUNT, [{ ...key.registered, u: names }]);
    expect((await attempt({})).status).toBe(200);
    await party.disable(names[2] as string);
    const { status, body } = await attempt({});
    expect([status, body.code]).toEqual([403, 'disabled']);
  });

  it('that is stored twice has the names of both', async () => {
    const kit = 'A'.repeat(43);
    party.accounts.set(ACCOUNT, [key.registered, { ...key.registered, u: [kit] }]);
    await party.disable(kit);
    expect((await attempt({})).body.code).toBe('disabled');
  });

  it('that cannot be disabled, since it has no name, is no key', async () => {
    for (const u of [[], '', 'A', ['A'.repeat(44)], 'B'.repeat(43)]) {
      party.accounts.set(ACCOUNT, [{ ...key.registered, u }]);
      expect((await attempt({})).body.code).toBe('refused');
    }
  });

  it('of RSA below 2048 bits is no key, though the app has stored it', async () => {
    for (const [bits, status] of [
      [1024, 400],
      [2040, 400],
      [2047, 403],
      [2048, 200],
    ] as const) {
      const weak = new TestKey('PS256', bits);
      party.accounts.set(ACCOUNT, [weak.registered]);
      expect((await attempt({}, weak)).status).toBe(status);
    }
  });

  it('that the app has stored badly does not stop the others', async () => {
    const bad = [null, {}, { kty: 'oct', k: 'AA' }, { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }];
    party.accounts.set(ACCOUNT, [
      ...bad.map((jwk) => ({ jwk: jwk as RegisteredKey['jwk'], u: key.u })),
      { ...key.registered, alg: 'ES256' },
      key.registered,
    ]);
    expect((await attempt({})).status).toBe(200);
  });
});

describe('a proof that hides its claims', () => {
  it.each(['Ed25519', 'ES256', 'PS256', 'RS256'] as const)('is as good as another: %s', async (alg) => {
    key = keys[alg];
    party.accounts.set(ACCOUNT, [key.registered]);
    expect((await attempt({ isHidden: true }, key)).status).toBe(200);
  });

  it('is held to the same claims, audience and challenge', async () => {
    for (const [claims, code] of [
      [{ aud: 'https://other.example' }, 'refused'],
      [{ sub: 'bob' }, 'refused'],
      [{ exp: NOW - 31 }, 'invalid_request'],
      [{ iat: NOW - 200, exp: NOW - 100 }, 'stale_request'],
      [{ nonce: 'another' }, 'stale_request'],
      [{ more: 1 }, 'invalid_request'],
    ] as const)
      expect((await attempt({ isHidden: true, claims })).body.code).toBe(code);
    const app = party.app();
    const proof = await key.login(await fetchChallenge(app), { isHidden: true });
    await post(app, proof).expect(200);
    expect((await post(app, proof)).body.code).toBe('replayed');
  });

  it('in any other form is malformed', async () => {
    const app = party.app();
    const nonce = await fetchChallenge(app);
    const hidden = await key.login(nonce, { isHidden: true });
    const [jws, claims] = hidden.split('~') as [string, string];
    const text = Buffer.from(claims, 'base64url').toString();
    const open = await key.login(nonce);
    const spelled = (c: string) => {
      const h = createHash('sha256').update(`roaming-key/1 claims\0${c}`).digest('base64url');
      return `${key.jws(Buffer.from(jws.split('.')[0] as string, 'base64url').toString(), JSON.stringify({ h }))}~${base64url(c)}`;
    };
    await post(app, spelled(text)).expect(200);
    for (const proof of [
      jws,
      `${jws}~`,
      `${hidden}~`,
      `${hidden}~${claims}`,
      `${jws}~${base64url(text.replace(ACCOUNT, 'mallory'))}`,
      `${open}~${claims}`,
      `${open}~`,
      `${hidden}=`,
      spelled(` ${text}`),
      spelled(text.replace('"aud"', '"\\u0061ud"')),
      spelled(`{"aud":"x",${text.slice(1)}`),
      spelled(JSON.stringify({ ...JSON.parse(text), pad: 'x'.repeat(4096) })),
    ]) {
      const { status, body } = await post(app, proof);
      expect([status, body.code]).toEqual([400, 'invalid_request']);
    }
  });
});

describe('what the app answers when a part of it is down', () => {
  const down = new Error('password of the database: hunter2');
  const fails = () => Promise.reject(down);

  it.each([
    ['the store', { store: { claimOnce: fails, isDisabled: async () => false } }],
    ['the accounts', { keysOf: fails }],
    [
      'the accounts, at once',
      {
        keysOf: () => {
          throw down;
        },
      },
    ],
    ['the list of disabled keys', { disabled: { isDisabled: fails } }],
  ])('%s', async (_what, options) => {
    const app = party.app({ options });
    const answer = await post(app, await key.login(await fetchChallenge(app))).expect(503);
    expect(answer.body.code).toBe('unavailable');
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    expect(party.errors).toEqual([expect.objectContaining({ code: 'unavailable', cause: down })]);
  });
});
