import { ed25519, ed25519_FROST as witness } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { sodiumEd25519 } from '../../lib/exponentiation/sodium.ts';
import { ED25519_ORDER, type Ed25519Group } from '../../lib/math/ed25519-group.ts';
import { nobleEd25519, verifyEd25519 } from '../../lib/math/ed25519-noble.ts';
import {
  bindingFactors,
  commit,
  nonceGenerate,
  type SigningPackage,
  sign,
  verifyShare,
} from '../../lib/math/frost.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { inverse, mod } from '../../lib/math/modular.ts';
import { random } from '../attacks/support.ts';
import { hex, toHex, vectors2 } from '../support/vectors.ts';

const q = ED25519_ORDER;
const scalar = (n: bigint) => i2osp(mod(n, q), 32).reverse();
const number = (bytes: Uint8Array) => os2ip(bytes.slice().reverse());
const groups: [string, () => Promise<Ed25519Group>][] = [
  ['noble', async () => nobleEd25519],
  ['libsodium', sodiumEd25519],
];

/** RFC 9591 appendix E.1: signers 1 and 3 of 3, message "test". */
const RFC = {
  publicKey: '15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673',
  message: '74657374',
  signers: [
    {
      identifier: 1,
      secret: '929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509',
      lagrange: mod(3n * (inverse(2n, q) as bigint), q),
      randomness: [
        '0fd2e39e111cdc266f6c0f4d0fd45c947761f1f5d3cb583dfcb9bbaf8d4c9fec',
        '69cd85f631d5f7f2721ed5e40519b1366f340a87c2f6856363dbdcda348a7501',
      ],
      nonces: [
        '812d6104142944d5a55924de6d49940956206909f2acaeedecda2b726e630407',
        'b1110165fc2334149750b28dd813a39244f315cff14d4e89e6142f262ed83301',
      ],
      commitments: [
        'b5aa8ab305882a6fc69cbee9327e5a45e54c08af61ae77cb8207be3d2ce13de3',
        '67e98ab55aa310c3120418e5050c9cf76cf387cb20ac9e4b6fdb6f82a469f932',
      ],
      bindingFactor: 'f2cb9d7dd9beff688da6fcc83fa89046b3479417f47f55600b106760eb3b5603',
      share: '001719ab5a53ee1a12095cd088fd149702c0720ce5fd2f29dbecf24b7281b603',
    },
    {
      identifier: 3,
      secret: 'd3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02',
      lagrange: mod(-(inverse(2n, q) as bigint), q),
      randomness: [
        '86d64a260059e495d0fb4fcc17ea3da7452391baa494d4b00321098ed2a0062f',
        '13e6b25afb2eba51716a9a7d44130c0dbae0004a9ef8d7b5550c8a0e07c61775',
      ],
      nonces: [
        'c256de65476204095ebdc01bd11dc10e57b36bc96284595b8215222374f99c0e',
        '243d71944d929063bc51205714ae3c2218bd3451d0214dfb5aeec2a90c35180d',
      ],
    },
  ],
  signature:
    '36282629c383bb820a88b71cae937d41f2f2adfcc3d02e55507e2fb9e2dd3cbebd9d2b0844e49ae0f3fa935161e1419aab7b47d21a37ebeae1f17d4987b3160b',
};

interface Signer {
  readonly identifier: number;
  readonly secret: string;
  readonly lagrange: bigint;
  readonly randomness: readonly string[];
  readonly nonces: readonly string[];
  readonly commitments?: readonly string[];
  readonly bindingFactor?: string;
  readonly share?: string;
}

/** The vectors of signers 1 and 2, in the same form. */
function ours(): typeof RFC {
  const { frost } = vectors2;
  const signer = (identifier: 1 | 2, lagrange: bigint) => {
    const { randomness, ...rest } = frost.signers[identifier];
    return { identifier, lagrange, randomness: [randomness.slice(0, 64), randomness.slice(64)], ...rest };
  };
  return { ...frost, signers: [signer(1, 2n), signer(2, q - 1n)] };
}

describe.each(groups)('FROST on %s', (_name, load) => {
  it.each([
    ['RFC 9591 appendix E.1', RFC],
    ['signers 1 and 2', ours()],
  ])('gives the values of %s', async (_what, vector) => {
    const group = await load();
    const signers = vector.signers as readonly Signer[];
    const parties = signers.map((signer) => {
      const secret = hex(signer.secret);
      const [hiding, binding] = signer.randomness.map((bytes) => nonceGenerate(group, hex(bytes), secret));
      const nonces = { hiding: hiding as Uint8Array, binding: binding as Uint8Array };
      expect([nonces.hiding, nonces.binding].map(toHex)).toEqual(signer.nonces);
      const commitment = commit(group, signer.identifier, nonces);
      if (signer.commitments)
        expect([commitment.hiding, commitment.binding].map(toHex)).toEqual(signer.commitments);
      return { nonces, commitment, weighted: scalar(signer.lagrange * number(secret)) };
    });
    const [first, second] = parties as [(typeof parties)[0], (typeof parties)[0]];
    const signing: SigningPackage = {
      publicKey: hex(vector.publicKey),
      message: hex(vector.message),
      commitments: [first.commitment, second.commitment],
    };
    const factors = bindingFactors(group, signing);
    const shares = [
      sign(group, signing, 0, first.nonces, first.weighted),
      sign(group, signing, 1, second.nonces, second.weighted),
    ];
    for (const [i, signer] of signers.entries()) {
      if (signer.bindingFactor) expect(toHex(factors[i as 0 | 1])).toBe(signer.bindingFactor);
      if (signer.share) expect(toHex((shares[i] as { share: Uint8Array }).share)).toBe(signer.share);
      const other = shares[1 - i] as (typeof shares)[0];
      const publicShare = group.multiplyBase(parties[i]?.weighted as Uint8Array);
      const own = (shares[i] as (typeof shares)[0]).share;
      expect(verifyShare(group, other, own, publicShare)).toBe(true);
      expect(verifyShare(group, other, group.addScalars(own, scalar(1n)), publicShare)).toBe(false);
      expect(verifyShare(group, other, scalar(0n), publicShare)).toBe(false);
    }
    const [one, two] = shares as [(typeof shares)[0], (typeof shares)[0]];
    expect(one.groupCommitment).toEqual(two.groupCommitment);
    const signature = Buffer.concat([one.groupCommitment, group.addScalars(one.share, two.share)]);
    expect(toHex(signature)).toBe(vector.signature);
    expect(verifyEd25519(signature, signing.message, signing.publicKey)).toBe(true);
  });

  it('takes part in a signature of noble’s', async () => {
    const group = await load();
    const [A, B] = [witness.Identifier.fromNumber(1), witness.Identifier.fromNumber(2)];
    const deal = witness.trustedDealer({ min: 2, max: 2 }, [A, B]);
    const [keyA, keyB] = [deal.secretShares[A], deal.secretShares[B]] as [
      { identifier: string; signingShare: Uint8Array },
      { identifier: string; signingShare: Uint8Array },
    ];
    const theirs = witness.commit(keyA);
    const secret = keyB.signingShare;
    const nonces = {
      hiding: nonceGenerate(group, random(32), secret),
      binding: nonceGenerate(group, random(32), secret),
    };
    const own = commit(group, 2, nonces);
    const publicKey = deal.public.commitments[0] as Uint8Array;
    const message = random(100);
    const { hiding, binding } = theirs.commitments;
    const commitments = [{ identifier: 1, hiding, binding }, own] as const;
    const partial = sign(group, { publicKey, message, commitments }, 1, nonces, group.negateScalar(secret));
    const list = [theirs.commitments, { identifier: B, hiding: own.hiding, binding: own.binding }];
    const share = witness.signShare(keyA, deal.public, theirs.nonces, list, message);
    const signature = witness.aggregate(deal.public, list, message, { [A]: share, [B]: partial.share });
    expect(ed25519.verify(signature, message, publicKey)).toBe(true);
  });
});

describe('the group of Ed25519', () => {
  const torsion = hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const P = (1n << 255n) - 19n;
  const bad = [
    ['the identity', scalar(1n)],
    ['of order 2', hex(`ec${'ff'.repeat(30)}7f`)],
    ['of order 4', new Uint8Array(32)],
    ['of order 8', torsion],
    ['of order 8·ℓ', nobleEd25519.add(nobleEd25519.multiplyBase(scalar(7n)), torsion)],
    ['not on the curve', hex(`02${'00'.repeat(31)}`)],
    ['not canonical', i2osp(P + 3n, 32).reverse()],
    ['the identity with a sign', hex(`01${'00'.repeat(30)}80`)],
    ['too short', nobleEd25519.multiplyBase(scalar(7n)).subarray(1)],
    ['empty', new Uint8Array(0)],
  ] as const;

  it.each(groups)('has no other element, by %s', async (_name, load) => {
    const group = await load();
    for (const [what, bytes] of bad) expect([what, group.isElement(bytes)]).toEqual([what, false]);
    for (let i = 0; i < 20; i++) expect(group.isElement(ed25519.keygen().publicKey)).toBe(true);
  });

  it('is one, whichever library computes it', async () => {
    const sodium = await sodiumEd25519();
    for (let i = 0; i < 10; i++) {
      const [a, b] = [sodium.reduce(random(64)), sodium.reduce(random(64))];
      const [x, y] = [sodium.multiplyBase(a), sodium.multiplyBase(b)];
      for (const name of ['addScalars', 'multiplyScalars'] as const)
        expect(sodium[name](a, b)).toEqual(nobleEd25519[name](a, b));
      for (const name of ['add', 'subtract'] as const)
        expect(sodium[name](x, y)).toEqual(nobleEd25519[name](x, y));
      expect(sodium.negateScalar(a)).toEqual(nobleEd25519.negateScalar(a));
      expect(sodium.multiply(a, y)).toEqual(nobleEd25519.multiply(a, y));
      expect(x).toEqual(nobleEd25519.multiplyBase(a));
      const wide = random(64);
      expect(sodium.reduce(wide)).toEqual(nobleEd25519.reduce(wide));
    }
    expect(() => sodium.multiplyBase(scalar(0n))).toThrow(RangeError);
  });
});
