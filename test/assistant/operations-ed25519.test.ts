/** What the assistant does for shared Ed25519 keys, and for changes of password, over HTTP. */
import { expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { fromBase64url } from '../../lib/base/bytes.ts';
import { ED25519_ORDER as q } from '../../lib/math/ed25519-group.ts';
import { nobleEd25519 } from '../../lib/math/ed25519-noble.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { mod } from '../../lib/math/modular.ts';
import {
  commitEd25519,
  completeEd25519,
  type Ed25519Answer,
  ed25519Delta,
  splitEd25519Key,
} from '../../lib/protocol/schemes/ed25519-signing.ts';
import { assist, b64, makeRequest, makeTicket, openAsAssistant, random } from '../attacks/support.ts';
import { makeShareTicket, rsaShare, type ShareTicket } from '../sharing/support.ts';
import { hex } from '../support/vectors.ts';
import { type AssistantWorld, startAssistant } from '../support/world.ts';

const bytes = (text: unknown) => fromBase64url(text as string) as Uint8Array;
const f = random(48);
const share = splitEd25519Key(random(32), f);
const torsion = hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
const BAD_POINTS = {
  'the identity': Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
  'of order 4': new Uint8Array(32),
  'of order 8': torsion,
  'of mixed order': nobleEd25519.add(share.y, torsion),
  'not on the curve': new Uint8Array(32).fill(2),
  'not canonical': i2osp((1n << 255n) - 16n, 32).reverse(),
};
const members = (given: object = {}) => ({ scheme: 'ed25519', x2: b64(share.x2), y: b64(share.y), ...given });

const commitment = () => commitEd25519(f, random(20));
const signing = ({ request }: ReturnType<typeof commitment>, bent: object = {}) => ({
  op: 'sign',
  payload: {
    message: b64(request.message),
    hiding: b64(request.hiding),
    binding: b64(request.binding),
    ...bent,
  },
});

async function signWith(world: AssistantWorld, ticket: ShareTicket, password = f): Promise<Uint8Array> {
  const made = commitEd25519(password, random(20));
  const { opened } = await assist(world, await makeRequest(ticket, signing(made)));
  const { hiding, binding, share: part } = opened as Record<string, string>;
  const answer: Ed25519Answer = { hiding: bytes(hiding), binding: bytes(binding), share: bytes(part) };
  return completeEd25519(share.y, password, made, answer);
}

async function countedFor(world: AssistantWorld, ticket: ShareTicket): Promise<number> {
  const { opened } = await assist(world, await makeRequest(ticket, signing(commitment())));
  return (opened as { failedSince: { count: number } }).failedSince.count;
}

it('a ticket of numbers that are none is bad, whatever is asked and however often', async () => {
  const world = await startAssistant();
  const bent = {
    ...Object.fromEntries(Object.entries(BAD_POINTS).map(([what, y]) => [`y ${what}`, { y: b64(y) }])),
    'y of 31 bytes': { y: b64(share.y.subarray(1)) },
    'x2 of 0': { x2: b64(new Uint8Array(32)) },
    'x2 of the order': { x2: b64(i2osp(q, 32)) },
    'x2 of all ones': { x2: b64(new Uint8Array(32).fill(255)) },
    'x2 of 33 bytes': { x2: b64(new Uint8Array(33).fill(1)) },
    'no x2': { x2: undefined },
    'a third number': { x1: b64(random(32)) },
    'a group': { group: 'P-256' },
  };
  for (const [what, change] of Object.entries(bent)) {
    const ticket = await makeShareTicket(world.keys.active.jwk, members(change));
    for (const request of [signing(commitment()), { op: 'retire' }]) {
      const { status, json } = await assist(world, await makeRequest(ticket, request));
      expect([what, status, json.code]).toEqual([what, 400, 'bad_ticket']);
      expect(json).not.toHaveProperty('response');
    }
  }
});

it('a request for a signature has message and two commitments, before anything is counted', async () => {
  const world = await startAssistant();
  const ticket = await makeShareTicket(world.keys.active.jwk, members());
  const made = commitment();
  const bent = Object.entries(BAD_POINTS).flatMap(([what, point]) => [
    [`hiding ${what}`, { hiding: b64(point) }] as const,
    [`binding ${what}`, { binding: b64(point) }] as const,
  ]);
  const cases: (readonly [string, object])[] = [
    ...bent,
    ['a short commitment', { hiding: b64(made.request.hiding.subarray(1)) }],
    ['no message', { message: undefined }],
    ['too long a message', { message: b64(new Uint8Array(8193)) }],
    ['a padded message', { message: 'AA==' }],
    ['a digest', { digest: b64(random(32)) }],
    ['an algorithm', { alg: 'Ed25519' }],
    ['a key of its own', { y: b64(share.y) }],
    [
      'what another scheme asks',
      { message: undefined, hiding: undefined, binding: undefined, alg: 'RS256', digest: b64(random(32)) },
    ],
    ['a member called prototype', { prototype: 1 }],
  ];
  for (const [what, change] of cases) {
    for (const beta of [ticket.b, random(32)]) {
      const request = await makeRequest(ticket, { ...signing(made, change), beta });
      const { status, opened } = await assist(world, request);
      expect([what, status]).toEqual([what, 400]);
      expect(opened).toMatchObject({ op: 'sign', code: 'invalid_request' });
    }
  }
  for (const op of ['retrieve', 'decrypt']) {
    const { opened } = await assist(world, await makeRequest(ticket, { op }));
    expect(opened).toMatchObject({ op, code: 'invalid_request' });
  }
  expect(await countedFor(world, ticket)).toBe(0);
  const longest = commitEd25519(f, new Uint8Array(8192));
  expect((await assist(world, await makeRequest(ticket, signing(longest)))).status).toBe(200);
});

it('a signature costs the password, and its answer never repeats a commitment', async () => {
  const world = await startAssistant();
  const ticket = await makeShareTicket(world.keys.active.jwk, members());
  const wrong = await assist(
    world,
    await makeRequest(ticket, { ...signing(commitment()), beta: random(32) }),
  );
  expect(wrong.opened).toMatchObject({ code: 'wrong_password', attemptsLeft: 4 });
  expect(wrong.opened).not.toHaveProperty('share');
  expect(await signWith(world, ticket)).toHaveLength(64);
  const made = commitment();
  const seen = new Set<unknown>();
  for (let i = 0; i < 4; i++) {
    const { opened } = await assist(world, await makeRequest(ticket, signing(made)));
    for (const name of ['hiding', 'binding', 'share']) seen.add(opened?.[name]);
  }
  expect(seen.size).toBe(12);
});

it('is served where the app says so', async () => {
  const world = await startAssistant({ serve: { ed25519: false } });
  const ticket = await makeShareTicket(world.keys.active.jwk, members());
  const { json } = await assist(world, await makeRequest(ticket, signing(commitment())));
  expect(json).toMatchObject({ code: 'unsupported' });
  await expect(startAssistant({ serve: { ed25519: 'yes' as never } })).rejects.toThrow(TypeError);
  await expect(startAssistant({ serve: { ed448: true } as never })).rejects.toThrow('serve.ed448');
});

const reissuing = (given: object) => ({ op: 'reissue', payload: given });

it('a change of password moves the share, keeps u, and seals to the active key', async () => {
  const world = await startAssistant();
  const ticket = await makeShareTicket(world.keys.active.jwk, { ...members(), exp: 4_000_000_000 });
  await world.keys.rotate();
  const newF = random(48);
  const [a, b] = [random(32), random(32)];
  const delta = ed25519Delta(f, newF);
  const request = reissuing({ a: b64(a), b: b64(b), delta: b64(delta) });
  const { status, opened } = await assist(world, await makeRequest(ticket, request));
  expect(status).toBe(200);
  expect(opened).not.toHaveProperty('renewed');
  const { jwk } = world.keys.active;
  expect(opened?.['key']).toEqual(jwk);
  const written = await openAsAssistant(world.keys, opened?.['ticket'] as string, 'rk-ticket+jwe');
  const x2 = b64(i2osp(mod(os2ip(share.x2) + os2ip(delta), q), 32));
  expect(written).toMatchObject({
    a: b64(a),
    b: b64(b),
    u: b64(ticket.u),
    exp: 4_000_000_000,
    x2,
    y: b64(share.y),
  });
  expect(Object.keys(written)).toEqual(['v', 'scheme', 'a', 'b', 'u', 'iat', 'exp', 'x2', 'y']);
  const next = { ...ticket, jwk, a, b, ticket: opened?.['ticket'] as string };
  expect(await signWith(world, next, newF)).toHaveLength(64);
  expect(await signWith(world, ticket)).toHaveLength(64);
  await expect(signWith(world, next, f)).rejects.toMatchObject({ code: 'bad_response' });
});

it('a change of password is refused before anything is counted', async () => {
  const world = await startAssistant();
  const { jwk } = world.keys.active;
  const shared = await makeShareTicket(jwk, members());
  const good = { a: b64(random(32)), b: b64(random(32)), delta: b64(i2osp(5n, 32)) };
  const curve = await makeShareTicket(jwk, { scheme: 'elgamal', group: 'P-256', x2: b64(i2osp(9n, 32)) });
  const cases: [string, ShareTicket, object, string][] = [
    ['of 0', shared, { delta: b64(new Uint8Array(32)) }, 'invalid_request'],
    ['by the order', shared, { delta: b64(i2osp(q, 32)) }, 'invalid_request'],
    ['by 31 bytes', shared, { delta: b64(i2osp(5n, 31)) }, 'invalid_request'],
    ['by nothing', shared, { delta: undefined }, 'invalid_request'],
    ['with the old a', shared, { a: b64(shared.a) }, 'invalid_request'],
    ['with a u', shared, { u: b64(random(32)) }, 'invalid_request'],
    ['by the order of P-256', curve, { delta: b64(new Uint8Array(32).fill(255)) }, 'invalid_request'],
    ['of RSA', await makeShareTicket(jwk, rsaShare()), {}, 'unsupported'],
    ['of a key that is retrieved', await makeTicket(jwk), {}, 'invalid_request'],
  ];
  for (const [what, ticket, change, code] of cases) {
    const request = { ...reissuing({ ...good, ...change }), beta: random(32) };
    const { opened } = await assist(world, await makeRequest(ticket, request));
    expect([what, opened?.['op'], opened?.['code']]).toEqual([what, 'reissue', code]);
  }
  expect(await countedFor(world, shared)).toBe(0);
  const wrong = await assist(world, await makeRequest(shared, { ...reissuing(good), beta: random(32) }));
  expect(wrong.opened).toMatchObject({ code: 'wrong_password' });
  expect(wrong.opened).not.toHaveProperty('ticket');
});

it('a change that leaves no share is a failure that counts nothing', async () => {
  const world = await startAssistant({ keys: await KeySet.generate({ type: 'P-256' }) });
  const { jwk } = world.keys.active;
  const ticket = await makeShareTicket(jwk, members());
  const delta = b64(i2osp(q - os2ip(share.x2), 32));
  const request = reissuing({ a: b64(random(32)), b: b64(random(32)), delta });
  const { status, opened } = await assist(world, await makeRequest(ticket, request));
  expect([status, opened?.['code']]).toEqual([400, 'invalid_request']);
  expect(await countedFor(world, ticket)).toBe(0);
});

it('elgamal changes its password alike', async () => {
  const world = await startAssistant();
  const { jwk } = world.keys.active;
  const ticket = await makeShareTicket(jwk, { scheme: 'elgamal', group: 'P-256', x2: b64(i2osp(9n, 32)) });
  const request = reissuing({ a: b64(random(32)), b: b64(random(32)), delta: b64(i2osp(5n, 32)) });
  const { opened } = await assist(world, await makeRequest(ticket, request));
  const written = await openAsAssistant(world.keys, opened?.['ticket'] as string, 'rk-ticket+jwe');
  expect(written).toMatchObject({ scheme: 'elgamal', group: 'P-256', x2: b64(i2osp(14n, 32)) });
});
