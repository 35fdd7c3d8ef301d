/** What the assistant does for shared keys: as the vectors say, and nothing at all for numbers that are no key's. */
import { createHash, createPrivateKey, createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Assistant } from '../../lib/assistant/assistant.ts';
import type { AssistantEvent } from '../../lib/assistant/events.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import type { ServedSchemes } from '../../lib/assistant/operations.ts';
import { type AssistantJwk, openDirect } from '../../lib/crypto/jwe/jwe.ts';
import { localUnwrap } from '../../lib/crypto/jwe/jwe-node.ts';
import {
  type AnyGroup,
  findGroup,
  type GroupElement,
  type GroupName,
  safePrimeOf,
} from '../../lib/math/groups.ts';
import { byteLength, i2osp } from '../../lib/math/integer.ts';
import { jacobi } from '../../lib/math/modular.ts';
import { deviceShare } from '../../lib/protocol/password.ts';
import { unmask } from '../../lib/protocol/schemes/retrieve.ts';
import { completeSigning } from '../../lib/protocol/schemes/rsa-signing.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { assist, b64, makeRequest, post, random } from '../attacks/support.ts';
import {
  badModuli,
  bytes,
  countJobs,
  type JobCount,
  makeShareTicket,
  number,
  rsaKey,
  rsaShare,
  type ShareTicket,
  signMembers,
} from '../sharing/support.ts';
import { hex, toHex, vectors } from '../support/vectors.ts';
import { startAssistant } from '../support/world.ts';

afterEach(() => void vi.restoreAllMocks());

describe('the posts of an independent implementation', () => {
  const { assistantKey, now, rsa, retrieve } = vectors;

  async function vectorAssistant() {
    const { d: _d, ...jwk } = assistantKey as AssistantJwk & { d: string };
    const { kid: _kid, ...bare } = assistantKey as JsonWebKey & { kid: string };
    const unwrap = localUnwrap(createPrivateKey({ key: bare, format: 'jwk' }));
    const clock = () => now + 5;
    const events: AssistantEvent[] = [];
    const assistant = new Assistant({
      keys: await KeySet.of({ jwk: jwk as AssistantJwk, unwrap }),
      store: new MemoryStore({ now: clock }),
      now: clock,
      // A worker may take long to start on a busy machine.
      workers: { size: 1, timeLimit: 29_000 },
      onEvent: (event) => void events.push(event),
    });
    onTestFinished(() => assistant.close());
    return { assistant, events };
  }

  /** What the answer says, byte for byte. */
  async function opened(response: unknown, rho: string): Promise<string> {
    const payload = await openDirect(response as string, 'rk-response+jwe', hex(rho));
    return Buffer.from(payload as Uint8Array).toString();
  }

  /** The vectors are older than `lastUsed`, which stands behind `failedSince`. */
  const withLastUse = (plaintext: string) => `${plaintext.slice(0, -1)},"lastUsed":null}`;

  it.each(['PS256', 'RS256'] as const)(
    '%s: the same answer, and out of it the same signature',
    async (alg) => {
      const { assistant } = await vectorAssistant();
      const trace = rsa[alg];
      const { response } = await assistant.assist(trace.post);
      const plaintext = await opened(response, trace.rho);
      expect(plaintext).toBe(withLastUse(trace.assistant.plaintext));

      const { nu } = JSON.parse(plaintext) as { nu: string };
      const asked = JSON.parse(trace.requestSeal.plaintext) as { digest: string; salt?: string };
      const [n, e] = [number(rsa.enrol.publicJwk.n), number(rsa.enrol.publicJwk.e)];
      const signature = completeSigning({
        n,
        e,
        f: deviceShare(hex(trace.K), 'rsa', byteLength(n) + 16),
        request: { alg, digest: bytes(asked.digest), ...(asked.salt && { salt: bytes(asked.salt) }) },
        nu: bytes(nu),
      });
      expect(toHex(signature)).toBe(trace.signature);
    },
  );

  it('retrieve: the same answer, and out of it the same key', async () => {
    const { assistant } = await vectorAssistant();
    const { unlock, enrol } = retrieve;
    const { response } = await assistant.assist(unlock.post);
    const plaintext = await opened(response, unlock.rho);
    expect(plaintext).toBe(withLastUse(unlock.assistant.plaintext));
    const { c } = JSON.parse(plaintext) as { c: string };
    expect(toHex(unmask(bytes(c), hex(unlock.K)))).toBe(enrol.privateKey);
  });

  it('a wrong password: the same refusal, sealed', async () => {
    const { assistant, events } = await vectorAssistant();
    const { post: body, rho, code, members } = retrieve.wrongPassword;
    const refused = await assistant.assist(body).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, status: 401, attemptsLeft: 4 });
    const { response } = refused as { response: string };
    expect(JSON.parse(await opened(response, rho))).toEqual({ ...members, code });
    expect(events).toMatchObject([{ type: 'wrongPassword', id: b64(hex(retrieve.enrol.id)) }]);
  });

  it('counts across them: a failure before is told with the next success, and no post works twice', async () => {
    const { assistant } = await vectorAssistant();
    await assistant.assist(retrieve.wrongPassword.post).catch(() => {});
    const { response } = await assistant.assist(retrieve.unlock.post);
    const told = JSON.parse(await opened(response, retrieve.unlock.rho));
    expect(told.failedSince).toEqual({ count: 1, last: now + 5 });
    for (const trace of [retrieve.unlock, retrieve.wrongPassword]) {
      await expect(assistant.assist(trace.post)).rejects.toMatchObject({ code: 'replayed' });
    }
  });

  it('no one of them works beside the ticket of another', async () => {
    const { assistant } = await vectorAssistant();
    const [first, second] = [rsa.PS256.post, retrieve.unlock.post];
    for (const body of [
      { ...first, ticket: second.ticket },
      { ...second, ticket: first.ticket },
      { ...first, mac: second.mac },
      { ...first, request: rsa.RS256.post.request },
    ]) {
      await expect(assistant.assist(body)).rejects.toMatchObject({ code: 'bad_mac' });
    }
    await expect(assistant.assist(first)).resolves.toBeDefined();
  });
});

const OPERATIONS: readonly string[] = ['retrieve', 'sign', 'decrypt', 'retire'];

describe('what is refused before anything is computed or counted', () => {
  let count: JobCount;
  beforeEach(() => {
    count = countJobs();
  });

  /** An assistant of which every answer is checked: no job, no reservation, no failure of the server's own. */
  async function start(serve?: ServedSchemes) {
    const failures: unknown[] = [];
    const onError = (error: unknown) => void failures.push(error);
    const world = await startAssistant({ onError, workers: { size: 1 }, ...(serve && { serve }) });
    const reserve = vi.spyOn(world.store, 'reserve');
    const { jwk } = world.keys.active;
    const ask = async (ticket: ShareTicket, members: object) =>
      assist(world, await makeRequest(ticket, members));
    const expectRefused = async (
      share: object,
      members: { op: string; payload?: object },
      code: string,
      what: string = code,
    ) => {
      const { jobs } = count;
      const before = jobs.length;
      const known = await makeShareTicket(jwk, share);
      // With the right verifier and with a wrong one: what is refused here is refused to both.
      for (const beta of [known.b, random(32)]) {
        const { status, json, opened } = await ask(known, { ...members, beta });
        expect([status, json.code], what).toEqual([400, code]);
        // Once the request could be opened and names an operation, the refusal comes under rho as well.
        const isOpened = code === 'invalid_request' && OPERATIONS.includes(members.op);
        expect(opened?.['code']).toBe(isOpened ? code : undefined);
      }
      expect(jobs).toHaveLength(before);
      expect(reserve).not.toHaveBeenCalled();
      expect(failures).toEqual([]);
    };
    return { world, jwk, reserve, ask, expectRefused, failures };
  }

  const key = rsaKey('rsa2048');
  const { n } = key;
  const num = (value: bigint, length = 256) => b64(i2osp(value, length));
  const rsa = (modulus: string, d2 = num(key.d)) => ({ scheme: 'rsa', n: modulus, d2 });

  const badRsa: readonly (readonly [string, object])[] = [
    ['an even modulus', rsa(num(n + 1n))],
    ['a modulus of 2047 bits', rsa(num(badModuli.bits2047))],
    ['a modulus of 2049 bits', rsa(num(badModuli.bits2049, 257), num(key.d, 257))],
    ['a modulus of 2049 bits beside a share of 256 bytes', rsa(num(badModuli.bits2049, 257))],
    ['a modulus of 2056 bits', rsa(b64(Uint8Array.of(255, ...random(255), 1)), num(key.d, 257))],
    ['a modulus of 15', rsa('Dw', 'Aw')],
    ['a modulus of 15 in 256 bytes', rsa(num(15n), num(3n))],
    ['a modulus of 1', rsa('AQ', 'AQ')],
    ['a modulus of 0', rsa(num(0n))],
    ['a modulus of 512 bits', rsa(b64(random(64).fill(255)), b64(random(64).fill(1)))],
    ['a modulus of 1024 bits', rsa(b64(random(128).fill(255)), b64(random(128).fill(1)))],
    ['a modulus with a leading zero', rsa(num(n, 257), num(key.d, 257))],
    ['no modulus', rsa('')],
    ['a share of 0', rsa(num(n), num(0n))],
    ['a share that is the modulus', rsa(num(n), num(n))],
    ['a share above the modulus', rsa(num(n), num(n + 2n))],
    ['a share of all ones', rsa(num(n), b64(random(256).fill(255)))],
    ['a share with a leading zero', rsa(num(n), num(key.d, 257))],
    ['a share with its leading zeros gone', rsa(num(n), num(5n, 1))],
    ['a share of 384 bytes', rsa(num(n), num(5n, 384))],
    ['no share', rsa(num(n), '')],
    ['numbers of 1000 bytes', rsa(b64(random(1000).fill(255)), b64(random(1000)))],
    ['numbers as numbers', { scheme: 'rsa', n: 15, d2: 3 }],
    ['numbers in decimal', rsa(String(n), String(key.d))],
    ['numbers in padded base64', rsa(`${num(n)}==`)],
    ['a public exponent', { ...rsa(num(n)), e: 'AQAB' }],
    ['the factors', { ...rsa(num(n)), p: num(key.p), q: num(key.q) }],
    ['a group', { ...rsa(num(n)), group: 'P-256' }],
    ['the share of another scheme', { scheme: 'rsa', n: num(n), x2: num(key.d) }],
  ];

  const badElgamal: readonly (readonly [string, object])[] = [
    ['an unknown group', { group: 'P-384', x2: num(5n, 48) }],
    ['a group of no standard', { group: 'ffdhe1024', x2: num(5n, 128) }],
    ['a member of every object as a group', { group: '__proto__', x2: num(5n, 32) }],
    ['a method of every object as a group', { group: 'toString', x2: num(5n, 32) }],
    ['the name in other case', { group: 'p-256', x2: num(5n, 32) }],
    ['a group of its own', { group: { p: num(n), g: 'Ag' }, x2: num(5n, 32) }],
    ['a share of 0', { group: 'P-256', x2: num(0n, 32) }],
    ['a share that is the order', { group: 'P-256', x2: num((findGroup('P-256') as AnyGroup).q, 32) }],
    ['a share above the order', { group: 'P-256', x2: b64(random(32).fill(255)) }],
    ['a share of 31 bytes', { group: 'P-256', x2: num(5n, 31) }],
    ['a share of 33 bytes', { group: 'P-256', x2: num(5n, 33) }],
    ['a share for a larger group', { group: 'ffdhe2048', x2: num(5n, 384) }],
    ['a share of 0 in a finite field', { group: 'ffdhe2048', x2: num(0n) }],
    [
      'a share that is the order, in a finite field',
      { group: 'ffdhe2048', x2: num((findGroup('ffdhe2048') as AnyGroup).q) },
    ],
    ['a modulus of its own', { group: 'ffdhe2048', x2: num(5n), p: num(n) }],
  ].map(([name, share]) => [name as string, { scheme: 'elgamal', ...(share as object) }]);

  it('tickets whose numbers no key has', async () => {
    const { expectRefused, world, reserve } = await start();
    for (const [name, share] of badRsa) await expectRefused(share, signMembers(), 'bad_ticket', name);
    const w = b64(wIn('P-256'));
    for (const [name, share] of badElgamal) {
      await expectRefused(share, { op: 'decrypt', payload: { w } }, 'bad_ticket', name);
    }
    // Beside them, one of each that is good.
    const jwk = world.keys.active.jwk;
    const good = await assist(
      world,
      await makeRequest(await makeShareTicket(jwk, rsaShare()), signMembers()),
    );
    expect(good.opened).toHaveProperty('nu');
    const elgamal = await makeShareTicket(jwk, { scheme: 'elgamal', group: 'P-256', x2: num(5n, 32) });
    const decrypted = await assist(world, await makeRequest(elgamal, { op: 'decrypt', payload: { w } }));
    expect(decrypted.opened).toHaveProperty('proof');
    expect(reserve).toHaveBeenCalledTimes(2);
  });

  it('tickets with kilobytes of digits: too large, before they are opened', async () => {
    const { world, jwk, reserve } = await start();
    const digits = b64(random(12_000).fill(255));
    const { status, json } = await assist(
      world,
      await makeRequest(await makeShareTicket(jwk, rsa(digits, digits)), signMembers()),
    );
    expect([status, json.code]).toEqual([413, 'invalid_request']);
    const padded = await makeShareTicket(jwk, rsa(num(n), `${num(key.d)}${'A'.repeat(10_000)}`));
    const refused = await assist(world, await makeRequest(padded, signMembers()));
    expect([refused.status, refused.json.code]).toEqual([400, 'bad_ticket']);
    const answer = await post(world, '/assist', { ...(await makeRequest(padded)).body, n: digits });
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid_request']);
    expect(count.jobs).toEqual([]);
    expect(reserve).not.toHaveBeenCalled();
  });

  it('sizes and groups that the app does not serve', async () => {
    const large = rsaShare(rsaKey('rsa4096'));
    const elgamal = (group: GroupName) => ({
      scheme: 'elgamal',
      group,
      x2: num(5n, (findGroup(group) as AnyGroup).scalarLength),
    });
    const decrypt = (group: GroupName) => ({ op: 'decrypt', payload: { w: b64(wIn(group)) } });
    const byDefault = await start();
    await byDefault.expectRefused(large, signMembers(), 'unsupported');
    await byDefault.expectRefused(elgamal('ffdhe4096'), decrypt('ffdhe4096'), 'unsupported');
    const few = await start({ rsa: [3072], elgamal: ['ffdhe2048'] });
    await few.expectRefused(rsaShare(), signMembers(), 'unsupported');
    await few.expectRefused(elgamal('P-256'), decrypt('P-256'), 'unsupported');
    const none = await start({ rsa: [], elgamal: [] });
    await none.expectRefused(rsaShare(), signMembers(), 'unsupported');
    await none.expectRefused(elgamal('P-256'), decrypt('P-256'), 'unsupported');
    const all = await start({ retrieve: false, rsa: [4096], elgamal: ['ffdhe4096'] });
    const { opened } = await all.ask(await makeShareTicket(all.jwk, large), signMembers('PS512'));
    expect(bytes(opened?.['nu'])).toHaveLength(512);
    const four = await all.ask(await makeShareTicket(all.jwk, elgamal('ffdhe4096')), decrypt('ffdhe4096'));
    expect(bytes(four.opened?.['nu'])).toHaveLength(512);
  });

  it('what is no digest, no salt, or no algorithm', async () => {
    const { expectRefused } = await start();
    const sign = (payload: object) =>
      expectRefused(rsaShare(), { op: 'sign', payload }, 'invalid_request', JSON.stringify(payload));
    const [d32, d48, d64] = [b64(random(32)), b64(random(48)), b64(random(64))];
    for (const payload of [
      {},
      { alg: 'RS256' },
      { digest: d32 },
      { alg: 'RS256', digest: d48 },
      { alg: 'RS256', digest: d64 },
      { alg: 'RS256', digest: b64(random(31)) },
      { alg: 'RS384', digest: d32 },
      { alg: 'RS512', digest: d48 },
      { alg: 'RS256', digest: b64(random(256)) },
      { alg: 'RS256', digest: '' },
      { alg: 'RS256', digest: d32, salt: d32 },
      { alg: 'RS256', digest: d32, salt: '' },
      { alg: 'RS256', digest: d32, salt: null },
      { alg: 'PS256', digest: d32 },
      { alg: 'PS256', digest: d32, salt: '' },
      { alg: 'PS256', digest: d32, salt: b64(random(20)) },
      { alg: 'PS256', digest: d32, salt: d64 },
      { alg: 'PS384', digest: d48, salt: d32 },
      { alg: 'PS512', digest: d64, salt: b64(random(63)) },
      { alg: 'RS1', digest: b64(random(20)) },
      { alg: 'RSA-OAEP-256', digest: d32 },
      { alg: 'ES256', digest: d32 },
      { alg: 'none', digest: d32 },
      { alg: 'rs256', digest: d32 },
      { alg: 'toString', digest: d32 },
      { alg: ['RS256'], digest: d32 },
      // A representative of the thief's own choice would make the assistant an RSA oracle.
      { alg: 'RS256', digest: d32, em: b64(random(256)) },
      { alg: 'RS256', em: b64(random(256)) },
      { alg: 'RS256', digest: d32, d2: num(1n) },
      { alg: 'RS256', digest: d32, n: num(15n) },
    ]) {
      await sign(payload);
    }
  });

  it('elements that are in no group, or in another', async () => {
    const { expectRefused, world, jwk, reserve } = await start();
    for (const name of ['P-256', 'ffdhe2048', 'ffdhe3072'] as const) {
      const group = findGroup(name) as AnyGroup;
      const share = { scheme: 'elgamal', group: name, x2: num(5n, group.scalarLength) };
      const others = (['P-256', 'ffdhe2048', 'ffdhe3072'] as const).filter((other) => other !== name);
      const hostile: Uint8Array[] = [
        ...hostileElements(group),
        ...others.map((other) => wIn(other)),
        wIn(name).subarray(1),
        Uint8Array.of(0, ...wIn(name)),
        Uint8Array.of(...wIn(name), 0),
      ];
      for (const w of hostile) {
        await expectRefused(share, { op: 'decrypt', payload: { w: b64(w) } }, 'invalid_request', toHex(w));
      }
      for (const payload of [
        {},
        { w: null },
        { w: [1] },
        { w: `${b64(wIn(name))}=` },
        { w: b64(random(600)) },
      ]) {
        await expectRefused(share, { op: 'decrypt', payload }, 'invalid_request');
      }
      const known = await makeShareTicket(jwk, share);
      const good = { op: 'decrypt', payload: { w: b64(wIn(name)) } };
      reserve.mockClear();
      expect((await assist(world, await makeRequest(known, good))).status).toBe(200);
      reserve.mockClear();
    }
  });

  it('an operation of another scheme, or none', async () => {
    const { expectRefused } = await start();
    const elgamal = { scheme: 'elgamal', group: 'P-256', x2: num(5n, 32) };
    const decrypt = { op: 'decrypt', payload: { w: b64(wIn('P-256')) } };
    await expectRefused(rsaShare(), decrypt, 'invalid_request');
    await expectRefused(rsaShare(), { op: 'retrieve' }, 'invalid_request');
    await expectRefused(elgamal, signMembers(), 'invalid_request');
    await expectRefused(elgamal, { op: 'retrieve' }, 'invalid_request');
    await expectRefused({ scheme: 'retrieve', c: b64(random(48)) }, signMembers(), 'invalid_request');
    await expectRefused({ scheme: 'retrieve', c: b64(random(48)) }, decrypt, 'invalid_request');
    for (const op of ['disable', 'power', 'constructor', '', 'SIGN']) {
      await expectRefused(rsaShare(), { ...signMembers(), op }, 'invalid_request');
    }
  });
});

describe('numbers that pass for a key', () => {
  it('harm nobody but their maker: a prime, a power, small factors, a whole key, the number 1', async () => {
    const count = countJobs();
    const world = await startAssistant({ workers: { size: 1 } });
    const key = rsaKey('rsa2048');
    const odd = (value: bigint) => value | 1n | (1n << 2047n);
    const moduli = [badModuli.prime, odd(3n ** 1291n), key.p * key.p, (1n << 2048n) - 1n, (1n << 2047n) + 1n];
    for (const n of moduli) {
      for (const d2 of [1n, 2n, n - 1n]) {
        const share = { scheme: 'rsa', n: b64(i2osp(n, 256)), d2: b64(i2osp(d2, 256)) };
        const known = await makeShareTicket(world.keys.active.jwk, share);
        const { status, opened } = await assist(world, await makeRequest(known, signMembers()));
        expect(status).toBe(200);
        expect(number(opened?.['nu']) < n).toBe(true);
      }
    }
    expect(count.jobs).toHaveLength(3 * moduli.length);
    // Whoever puts a whole key into a ticket gets whole signatures, from a key that was his.
    const digest = createHash('sha256').update('mine').digest();
    const whole = await makeShareTicket(world.keys.active.jwk, rsaShare(key, key.d));
    const payload = { alg: 'RS256', digest: b64(digest) };
    const { opened } = await assist(world, await makeRequest(whole, { op: 'sign', payload }));
    const { n, e } = key.jwk;
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e } as JsonWebKey, format: 'jwk' });
    expect(verify('sha256', Buffer.from('mine'), publicKey, bytes(opened?.['nu']))).toBe(true);
  });

  it('cost one exponentiation to sign and four to decrypt, whatever is asked and however often', async () => {
    const count = countJobs();
    const world = await startAssistant({ workers: { size: 1 } });
    const { jwk } = world.keys.active;
    const ask = async (known: ShareTicket, members: object) => {
      const before = count.jobs.length;
      await assist(world, await makeRequest(known, members));
      return count.jobs.slice(before);
    };
    const shared = await makeShareTicket(jwk, rsaShare());
    for (const alg of ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']) {
      expect(await ask(shared, signMembers(alg))).toEqual([{ kind: 'power', exponentiations: 1 }]);
    }
    const larger = await makeShareTicket(jwk, rsaShare(rsaKey('rsa3072')));
    for (let i = 0; i < 10; i++) expect(await ask(larger, signMembers())).toHaveLength(1);
    for (const group of ['P-256', 'ffdhe2048', 'ffdhe3072'] as const) {
      const x2 = b64(i2osp(5n, (findGroup(group) as AnyGroup).scalarLength));
      const known = await makeShareTicket(jwk, { scheme: 'elgamal', group, x2 });
      const decrypt = { op: 'decrypt', payload: { w: b64(wIn(group)) } };
      expect(await ask(known, decrypt)).toEqual([{ kind: 'groupPowers', exponentiations: 4 }]);
    }
    // And none for whoever is refused: by password, MAC, time, replay, retirement or disabling.
    expect(await ask(shared, { ...signMembers(), beta: random(32) })).toEqual([]);
    expect(await ask(shared, { ...signMembers(), macKey: random(32) })).toEqual([]);
    expect(await ask(shared, { ...signMembers(), iat: 1 })).toEqual([]);
    const jti = random(16);
    expect(await ask(shared, { ...signMembers(), jti })).toHaveLength(1);
    expect(await ask(shared, { ...signMembers(), jti })).toEqual([]);
    expect(await ask(larger, { op: 'retire' })).toEqual([]);
    expect(await ask(larger, signMembers())).toEqual([]);
    await world.store.disable({ u: b64(shared.u), t: b64(shared.t) });
    expect(await ask(shared, signMembers())).toEqual([]);
  });
});

/** An element of a group that anybody could send. */
function wIn(name: GroupName): Uint8Array {
  const group = findGroup(name) as AnyGroup;
  return group.encode(group.exp(group.generator, 123_456_789n));
}

/** Encodings of the right length that are no element: identity, small order, off the curve, not a square, too large. */
function hostileElements(group: AnyGroup): Uint8Array[] {
  const { elementLength: length } = group;
  const p = safePrimeOf(group);
  const common = [new Uint8Array(length), new Uint8Array(length).fill(255), i2osp(1n, length)];
  if (p === undefined) {
    const good = wIn('P-256');
    const bent = (at: number, value: number) => good.map((byte, i) => (i === at ? value : byte));
    const y = good[64] as number;
    return [
      ...common,
      Uint8Array.of(0),
      bent(64, y ^ 1),
      bent(0, 0),
      // Compressed and hybrid forms, and a compressed prefix before a whole point.
      Uint8Array.of(2 + (y & 1), ...good.subarray(1, 33)),
      bent(0, 2 + (y & 1)),
      bent(0, 6 + (y & 1)),
      // The coordinates p and p + 1 for 0 and 1.
      Uint8Array.of(
        4,
        ...i2osp(2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n, 32),
        ...good.subarray(33),
      ),
      Uint8Array.of(4, ...good.subarray(33), ...good.subarray(1, 33)),
    ];
  }
  const element = group.decode(wIn(group.name as GroupName)) as GroupElement & bigint;
  const nonSquare = [3n, 5n, 7n, 11n, 13n].find((value) => jacobi(value, p) === -1) as bigint;
  return [
    ...common,
    // Of order 2: its power would tell whether x2 is odd.
    ...[p - 1n, nonSquare, p - element, p - 2n, p, p + 1n, p + 4n].map((value) => i2osp(value, length)),
  ];
}
