/**
 * An assistant that has the right keys, sees every request, and lies in its answers (docs/protocol.md section 5): the device
 * finds it out, says who it was, and releases nothing.
 */
import { inspect } from 'node:util';
import express from 'express';
import { CompactEncrypt, compactVerify, importJWK } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDirect } from '../../lib/crypto/jwe/jwe.ts';
import { sealResponse } from '../../lib/crypto/jwe/jwe-node.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import {
  type DleqProof,
  dleqChallenge,
  dleqNonce,
  dleqNonceLength,
  dleqResponse,
} from '../../lib/math/dleq.ts';
import { type AnyGroup, findGroup, type GroupElement, type GroupName } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { power } from '../../lib/math/modular.ts';
import { b64, openAsAssistant, random } from '../attacks/support.ts';
import { type AssistantWorld, listen, PASSWORD, startAssistant } from '../support/world.ts';
import { bytes, deviceOf, enrolElgamal, enrolRsa, number, rsaKey, stretch } from './support.ts';

type Members = Record<string, unknown>;

/** What the liar knows when it answers. */
interface Seen {
  readonly ticket: Members;
  readonly request: Members;
}

/** Bends an answer that was true; a string is sent as it is, in place of the sealed answer. */
type Lie = (answer: Members, seen: Seen) => Members | string;

const truth: Lie = (answer) => answer;

/** An assistant before which somebody stands who has its keys: every answer passes through `liar.lie`. */
async function startLiar() {
  const world = await startAssistant({ workers: { size: 1 } });
  const liar: { lie: Lie } = { lie: truth };
  const app = express().use(express.json());
  app.get('/keys', (_req, res) => void res.json(world.keys.jwks()));
  app.post('/assist', async (req, res) => {
    const { ticket, request } = req.body as { ticket: string; request: string };
    const seen = {
      ticket: await openAsAssistant(world.keys, ticket, 'rk-ticket+jwe'),
      request: await openAsAssistant(world.keys, request, 'rk-request+jwe'),
    };
    const rho = bytes(seen.request['rho']);
    const honest = await fetch(`${world.url}/assist`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(req.body),
    });
    const { response } = (await honest.json()) as { response: string };
    const opened = await openDirect(response, 'rk-response+jwe', rho);
    const told = liar.lie(JSON.parse(Buffer.from(opened as Uint8Array).toString()), seen);
    res.json({ response: typeof told === 'string' ? told : sealResponse(told, rho) });
  });
  const url = await listen(app);
  const view: AssistantWorld = { ...world, url, enrolment: { ...world.enrolment, assistant: url } };
  return { world: view, liar };
}

/** Runs an operation once for each lie, and then once with the truth, so that it was the lie that failed. */
async function expectFoundOut(
  liar: { lie: Lie },
  operation: () => Promise<unknown>,
  lies: readonly (readonly [string, Lie])[],
): Promise<void> {
  for (const [name, lie] of lies) {
    const told: (Members | string)[] = [];
    liar.lie = (answer, seen) => {
      told.push(lie(answer, seen));
      return told.at(-1) as Members | string;
    };
    const error: unknown = await operation().then(
      (value) => expect.unreachable(`${name} gave ${inspect(value)}`),
      (thrown: unknown) => thrown,
    );
    expect(error, name).toMatchObject({
      code: 'bad_response',
      message: expect.stringContaining('assistant'),
    });
    // Neither the partial result nor what came of it leaves with the error.
    const { nu } = (told[0] ?? {}) as Members;
    const text = inspect(error, { depth: 9, showHidden: true });
    if (typeof nu === 'string' && nu.length > 40) expect(text).not.toContain(nu.slice(0, 40));
    expect(text.length).toBeLessThan(4000);
  }
  liar.lie = truth;
  await operation();
}

/** Lies about any answer, whatever its members. */
const ABOUT_THE_FRAME: readonly (readonly [string, Lie])[] = [
  ['another jti', (answer) => ({ ...answer, jti: b64(random(16)) })],
  ['another operation', (answer) => ({ ...answer, op: 'retrieve', c: b64(random(48)), nu: undefined })],
  ['no result', (answer) => ({ ...answer, nu: undefined })],
  ['a result that is null', (answer) => ({ ...answer, nu: null })],
  ['a result in a list', (answer) => ({ ...answer, nu: [answer['nu']] })],
  ['a second result', (answer) => ({ ...answer, nu2: answer['nu'] })],
  ['padding', (answer) => ({ ...answer, nu: `${answer['nu'] as string}=` })],
  ['another alphabet', (answer) => ({ ...answer, nu: toBase64(answer['nu']) })],
  ['one character less', (answer) => ({ ...answer, nu: (answer['nu'] as string).slice(0, -1) })],
  ['hex', (answer) => ({ ...answer, nu: Buffer.from(bytes(answer['nu'])).toString('hex') })],
  ['nothing at all', () => ({})],
  ['an answer that is cut off', () => 'eyJhbGciOiJkaXIifQ..AAAA'],
];

const toBase64 = (member: unknown) => Buffer.from(bytes(member)).toString('base64');

describe('a lie about a partial signature', () => {
  it('gives no signature, whatever it is', async () => {
    const { world, liar } = await startLiar();
    const key = rsaKey('rsa2048');
    const device = deviceOf(world, (await enrolRsa(world, key)).record);
    const { n } = key;
    await device.unlockShared(PASSWORD);
    const lie = (change: (nu: bigint, seen: Seen) => bigint, length = 256): Lie => {
      return (answer, seen) => ({ ...answer, nu: b64(i2osp(change(number(answer['nu']), seen), length)) });
    };
    const other = i2osp(n - 12_345n, 256);
    const lies: readonly (readonly [string, Lie])[] = [
      ['one bit', lie((nu) => nu ^ 1n)],
      ['the topmost bit', lie((nu) => nu ^ (1n << 2040n))],
      ['0', lie(() => 0n)],
      ['1', lie(() => 1n)],
      ['N - 1', lie(() => n - 1n)],
      ['N', lie(() => n)],
      ['all ones', lie(() => (1n << 2048n) - 1n)],
      ['-nu', lie((nu) => n - nu)],
      ['nu + N', lie((nu) => nu + n, 257)],
      ['nu with a leading zero', lie((nu) => nu, 257)],
      ['nu in 384 bytes', lie((nu) => nu, 384)],
      ['nu squared', lie((nu) => (nu * nu) % n)],
      ['nu of another message', lie((_nu, { ticket }) => power(os2ip(other), number(ticket['d2']), n))],
      ['nu with another share', lie((nu, { ticket }) => (nu * power(3n, number(ticket['d2']), n)) % n)],
      ['the digest', lie((_nu, { request }) => number(request['digest']))],
      ['a factor of N', lie(() => key.p)],
      ['a multiple of a factor', lie((nu) => (nu * key.p) % n)],
      ['its own share', (answer, { ticket }) => ({ ...answer, nu: ticket['d2'] })],
      [
        'a proof, which only decryption has',
        (answer) => ({ ...answer, proof: { c: b64(random(32)), s: 'AA' } }),
      ],
      ...ABOUT_THE_FRAME,
    ];
    let turn = 0;
    const sign = async () => {
      const alg = turn++ % 2 === 0 ? 'PS256' : 'RS256';
      const jws = await device.signJws('to be signed', { alg });
      await compactVerify(jws, await importJWK({ ...device.jwk }, alg));
    };
    await expectFoundOut(liar, sign, lies);
    await sign();
  });

  it('gives none if it was the truth another time: same message, same device, other request', async () => {
    const { world, liar } = await startLiar();
    const device = deviceOf(world, (await enrolRsa(world)).record);
    await device.unlockShared(PASSWORD);
    const data = new TextEncoder().encode('to be signed');
    let earlier: Members = {};
    let rho: Uint8Array<ArrayBuffer> = random(32);
    liar.lie = (answer, { request }) => {
      rho = bytes(request['rho']);
      earlier = answer;
      return answer;
    };
    await device.sign(data, { alg: 'RS256' });
    // RS256 has no salt: the earlier nu is right, and still the answer is to another request.
    await expectFoundOut(liar, () => device.sign(data, { alg: 'RS256' }), [
      ['the whole answer, sealed anew', () => earlier],
      ['the whole answer, as it was sealed', () => sealResponse(earlier, rho)],
    ]);
    // PS256 has a fresh salt each time: an earlier nu is that of another message.
    liar.lie = (answer) => {
      earlier = answer;
      return answer;
    };
    await device.sign(data, { alg: 'PS256' });
    await expectFoundOut(liar, () => device.sign(data, { alg: 'PS256' }), [
      ['an earlier nu in a fresh answer', (answer) => ({ ...answer, nu: earlier['nu'] })],
    ]);
  });

  it('is as useless to whoever holds two records: an answer for one key is none for the other', async () => {
    const { world, liar } = await startLiar();
    const one = deviceOf(world, (await enrolRsa(world)).record);
    const two = deviceOf(world, (await enrolRsa(world, rsaKey('other2048'))).record);
    const data = new TextEncoder().encode('to be signed');
    let nu: unknown;
    liar.lie = (answer) => {
      nu = answer['nu'];
      return answer;
    };
    await two.sign(data, { alg: 'RS256', password: PASSWORD });
    await expectFoundOut(liar, () => one.sign(data, { alg: 'RS256', password: PASSWORD }), [
      ["the other key's nu", (answer) => ({ ...answer, nu })],
    ]);
  });
});

describe.each<GroupName>(['P-256', 'ffdhe2048'])('a lie about a partial decryption in %s', (name) => {
  const group = findGroup(name) as AnyGroup;
  const encode = (element: GroupElement) => b64(group.encode(element));
  const decode = (member: unknown) => group.decode(bytes(member)) as GroupElement;
  const element = (k: bigint) => group.exp(group.generator, k);

  /** A flawless proof that log_g y = log_w nu = x. */
  async function prove(w: GroupElement, x: bigint): Promise<{ nu: string; proof: { c: string; s: string } }> {
    const r = dleqNonce(group, random(dleqNonceLength(group)));
    const nu = group.exp(w, x);
    const c = await dleqChallenge(group, {
      w: group.encode(w),
      y: group.encode(group.exp(group.generator, x)),
      nu: group.encode(nu),
      gr: group.encode(group.exp(group.generator, r)),
      wr: group.encode(group.exp(w, r)),
    });
    return { nu: encode(nu), proof: { c: b64(c), s: b64(dleqResponse(group, r, c, x)) } };
  }

  it('opens nothing, whatever it is', async () => {
    const { world, liar } = await startLiar();
    const device = deviceOf(world, (await enrolElgamal(world, name as 'P-256' | 'ffdhe2048')).record);
    await device.unlockShared(PASSWORD);
    const text = new TextEncoder().encode('for you alone');
    const jwe = await encryptTo(device.jwk, text);
    const other = element(42n);
    const x = 99n;
    const anotherShare = await prove(other, x);
    const proofOf = (answer: Members) => answer['proof'] as { c: string; s: string };
    const bend = (change: (proof: DleqProof) => DleqProof): Lie => {
      return (answer) => {
        const { c, s } = change({ c: bytes(proofOf(answer).c), s: bytes(proofOf(answer).s) });
        return { ...answer, proof: { c: b64(c), s: b64(s) } };
      };
    };
    const flip = (value: Uint8Array) => value.map((byte, i) => (i === value.length - 1 ? byte ^ 1 : byte));
    const y2 = (ticket: Members) => group.exp(group.generator, number(ticket['x2']));
    let consistent: Members = {};
    const lies: readonly (readonly [string, Lie])[] = [
      ['nu of another share, proof and all', (answer) => ({ ...answer, ...consistent })],
      ['nu and proof for another w', (answer) => ({ ...answer, ...anotherShare })],
      ['nu of another w, true proof', (answer) => ({ ...answer, nu: anotherShare.nu })],
      ['true nu, proof for another w', (answer) => ({ ...answer, proof: anotherShare.proof })],
      ['y2 for nu', (answer, { ticket }) => ({ ...answer, nu: encode(y2(ticket)) })],
      ['w for nu', (answer, { request }) => ({ ...answer, nu: request['w'] })],
      ['g for nu', (answer) => ({ ...answer, nu: encode(group.generator) })],
      ['the inverse', (answer) => ({ ...answer, nu: encode(group.invert(decode(answer['nu']))) })],
      [
        'nu times g',
        (answer) => ({ ...answer, nu: encode(group.multiply(decode(answer['nu']), group.generator)) }),
      ],
      ['zeros', (answer) => ({ ...answer, nu: b64(new Uint8Array(group.elementLength)) })],
      ['ones', (answer) => ({ ...answer, nu: b64(new Uint8Array(group.elementLength).fill(255)) })],
      ['1', (answer) => ({ ...answer, nu: b64(i2osp(1n, group.elementLength)) })],
      ['one byte less', (answer) => ({ ...answer, nu: b64(bytes(answer['nu']).subarray(1)) })],
      ['one byte more', (answer) => ({ ...answer, nu: b64(Uint8Array.of(0, ...bytes(answer['nu']))) })],
      ['another spelling of nu', (answer) => ({ ...answer, nu: b64(respelled(bytes(answer['nu']))) })],
      ['no proof', (answer) => ({ ...answer, proof: undefined })],
      ['a proof that is null', (answer) => ({ ...answer, proof: null })],
      [
        'the proof in reverse',
        (answer) => ({ ...answer, proof: { c: proofOf(answer).s, s: proofOf(answer).c } }),
      ],
      ['a proof with its commitment', (answer) => ({ ...answer, proof: { ...proofOf(answer), r: 'AA' } })],
      ['another challenge', bend(({ c, s }) => ({ c: flip(c), s }))],
      ['another response', bend(({ c, s }) => ({ c, s: flip(s) }))],
      ['zeros for a proof', bend(({ c, s }) => ({ c: c.map(() => 0), s: s.map(() => 0) }))],
      ['ones for a proof', bend(({ c, s }) => ({ c: c.map(() => 255), s: s.map(() => 255) }))],
      ['a response with a leading zero', bend(({ c, s }) => ({ c, s: Uint8Array.of(0, ...s) }))],
      ['a shorter challenge', bend(({ c, s }) => ({ c: c.subarray(1), s }))],
      ['the response q', bend(({ c }) => ({ c, s: i2osp(group.q, group.scalarLength) }))],
      ...(name === 'P-256' ? ABOUT_THE_FRAME : []),
    ];
    // The liar's most careful lie, made for the very w that is asked about: all is right but that it is not x2.
    const head = JSON.parse(Buffer.from(jwe.split('.')[0] as string, 'base64url').toString());
    consistent = await prove(decode(b64(ephemeral(head.epk))), x);
    const decrypt = async () => expect(await device.decrypt(jwe)).toEqual(text);
    await expectFoundOut(liar, decrypt, lies);
  });

  it('opens nothing if s is q too large, though it proves the same', async () => {
    const { world, liar } = await startLiar();
    const device = deviceOf(world, (await enrolElgamal(world, name as 'P-256' | 'ffdhe2048')).record);
    await device.unlockShared(PASSWORD);
    const jwe = await encryptTo(device.jwk, new TextEncoder().encode('for you alone'));
    await expectFoundOut(liar, () => device.decrypt(jwe), [
      [
        's + q',
        (answer) => {
          const { c, s } = answer['proof'] as { c: string; s: string };
          const large = number(s) + group.q;
          const length = large >> BigInt(8 * group.scalarLength) === 0n ? 0 : 1;
          return { ...answer, proof: { c, s: b64(i2osp(large, group.scalarLength + length)) } };
        },
      ],
    ]);
  });

  it('blames the sender, not the assistant, for a ciphertext that was damaged', async () => {
    const { world } = await startLiar();
    const device = deviceOf(world, (await enrolElgamal(world, name as 'P-256' | 'ffdhe2048')).record);
    const jwe = await encryptTo(device.jwk, new TextEncoder().encode('for you alone'));
    const parts = jwe.split('.');
    parts[4] = b64(bytes(parts[4]).map((byte) => byte ^ 1));
    await expect(device.decrypt(parts.join('.'), { password: PASSWORD })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  /** The same element, spelled in a way that some libraries read. */
  function respelled(nu: Uint8Array): Uint8Array {
    if (name !== 'P-256') return i2osp(os2ip(nu), group.elementLength + 1);
    return nu.map((byte, i) => (i === 0 ? 6 + ((nu[64] as number) & 1) : byte));
  }

  function ephemeral(epk: Record<string, string>): Uint8Array {
    if (name !== 'P-256') return bytes(epk['y']);
    return Uint8Array.of(4, ...bytes(epk['x']), ...bytes(epk['y']));
  }
});

it('a device that was lied to holds nothing that tells the liar the password: K is not spent on a lie', async () => {
  const { world, liar } = await startLiar();
  const { record } = await enrolElgamal(world);
  const device = deviceOf(world, record);
  onTestFinished(() => device.lock());
  const jwe = await new CompactEncrypt(new TextEncoder().encode('for you'))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A128GCM' })
    .encrypt(await importJWK({ ...device.jwk }, 'ECDH-ES'));
  liar.lie = (answer) => ({ ...answer, nu: b64(random(65)) });
  const error: unknown = await device.decrypt(jwe, { password: PASSWORD }).catch((thrown: unknown) => thrown);
  const k = Buffer.from(await stretch(record));
  for (const form of [k.toString('hex'), k.toString('base64url'), [...k].join(', ')]) {
    expect(inspect([error, device], { depth: 9, showHidden: true })).not.toContain(form);
  }
  expect(device.isUnlocked).toBe(false);
});
