import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DleqProof,
  dleqChallenge,
  dleqNonce,
  dleqNonceLength,
  dleqResponse,
  verifyDleq,
} from '../../lib/math/dleq.ts';
import { type AnyGroup, findGroup } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';

async function prove(group: AnyGroup, x: bigint, k: bigint) {
  const g = group.generator;
  const [w, y] = [group.exp(g, k), group.exp(g, x)];
  const nu = group.exp(w, x);
  const r = dleqNonce(group, randomBytes(dleqNonceLength(group)));
  const c = await dleqChallenge(group, {
    w: group.encode(w),
    y: group.encode(y),
    nu: group.encode(nu),
    gr: group.encode(group.exp(g, r)),
    wr: group.encode(group.exp(w, r)),
  });
  return { statement: { w, y, nu }, proof: { c, s: dleqResponse(group, r, c, x) } };
}

describe.each(['P-256', 'ffdhe2048'])('a proof of equal exponents in %s', (name) => {
  const group = findGroup(name) as AnyGroup;
  const scalar = fc.bigInt({ min: 1n, max: group.q - 1n });
  const numRuns = name === 'P-256' ? 10 : 2;

  it('holds for equal exponents, and for no other', async () => {
    await fc.assert(
      fc.asyncProperty(scalar, scalar, async (x, k) => {
        const { statement, proof } = await prove(group, x, k);
        expect(await verifyDleq(group, statement, proof)).toBe(true);
        const other = group.multiply(statement.nu, group.generator);
        if (!group.isIdentity(other)) {
          expect(await verifyDleq(group, { ...statement, nu: other }, proof)).toBe(false);
        }
        expect(await verifyDleq(group, { ...statement, nu: group.invert(statement.nu) }, proof)).toBe(false);
        expect(await verifyDleq(group, { ...statement, y: group.invert(statement.y) }, proof)).toBe(false);
        expect(await verifyDleq(group, { ...statement, w: group.invert(statement.w) }, proof)).toBe(false);
      }),
      { numRuns },
    );
  });

  it('fails with any bit changed, and has one spelling', async () => {
    const { statement, proof } = await prove(group, 1_234_567n, 7_654_321n);
    const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const s = os2ip(proof.s);
    const wrong: DleqProof[] = [
      { ...proof, c: flipped(proof.c, 0) },
      { ...proof, c: flipped(proof.c, 31) },
      { ...proof, s: flipped(proof.s, 0) },
      { ...proof, s: flipped(proof.s, group.scalarLength - 1) },
      { ...proof, c: proof.c.subarray(1) },
      { ...proof, c: Uint8Array.of(0, ...proof.c) },
      { ...proof, s: proof.s.subarray(1) },
      { ...proof, s: i2osp(s + group.q, group.scalarLength + 1) },
      { c: new Uint8Array(32), s: new Uint8Array(group.scalarLength) },
      { c: new Uint8Array(), s: new Uint8Array() },
    ];
    if (s + group.q < 1n << BigInt(8 * group.scalarLength)) {
      wrong.push({ ...proof, s: i2osp(s + group.q, group.scalarLength) });
    }
    for (const each of wrong) expect(await verifyDleq(group, statement, each)).toBe(false);
    expect(await verifyDleq(group, statement, proof)).toBe(true);
  });

  it('is never given for the identity', async () => {
    const { statement, proof } = await prove(group, 5n, 7n);
    const identity = group.exp(group.generator, 0n);
    for (const member of ['w', 'y', 'nu'] as const) {
      expect(await verifyDleq(group, { ...statement, [member]: identity }, proof)).toBe(false);
    }
  });

  it('binds the group and every element', async () => {
    const bytes = { w: 2n, y: 3n, nu: 5n, gr: 7n, wr: 11n };
    const transcript = Object.fromEntries(
      Object.entries(bytes).map(([name, k]) => [name, group.encode(group.exp(group.generator, k))]),
    ) as unknown as Parameters<typeof dleqChallenge>[1];
    const seen = new Set([Buffer.from(await dleqChallenge(group, transcript)).toString('hex')]);
    for (const member of Object.keys(bytes)) {
      const changed = { ...transcript, [member]: group.encode(group.generator) };
      seen.add(Buffer.from(await dleqChallenge(group, changed)).toString('hex'));
    }
    const renamed = await dleqChallenge({ ...group, name: 'other' }, transcript);
    seen.add(Buffer.from(renamed).toString('hex'));
    expect(seen.size).toBe(7);
  });
});

describe('a nonce', () => {
  it('takes randomness of one length, and reduces all of it', () => {
    const group = findGroup('P-256') as AnyGroup;
    expect(() => dleqNonce(group, new Uint8Array(32))).toThrow(RangeError);
    expect(dleqNonce(group, i2osp(group.q + 5n, 48))).toBe(5n);
    expect(dleqNonce(group, i2osp(1n << 383n, 48))).toBe((1n << 383n) % group.q);
  });
});
