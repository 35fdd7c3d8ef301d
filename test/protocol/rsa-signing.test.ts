import { constants, createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { compactVerify, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { fromBase64url } from '../../lib/base/bytes.ts';
import {
  encodeRsaDigest,
  type RsaAlgorithm,
  type RsaDigest,
  rsaDigestLengths,
} from '../../lib/crypto/rsa-encoding.ts';
import { bitLength, i2osp, os2ip } from '../../lib/math/integer.ts';
import { inverse, power } from '../../lib/math/modular.ts';
import type { PowerJob } from '../../lib/protocol/exponentiator.ts';
import { deviceShare } from '../../lib/protocol/password.ts';
import {
  answerSigning,
  completeSigning,
  type RsaPrivateNumbers,
  readRsaShare,
  readSignRequest,
  splitRsaKey,
} from '../../lib/protocol/schemes/rsa-signing.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { hex, toHex, vectors, vectors2 } from '../support/vectors.ts';

const ALGORITHMS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
const number = (member: string | undefined) => os2ip(Buffer.from(member as string, 'base64url'));
/** Exponentiates on this thread; the pool's own way is tested beside the pool. */
const inline = {
  power: async ({ modulus, base, exponent }: PowerJob) =>
    i2osp(power(os2ip(base), os2ip(exponent), os2ip(modulus)), modulus.length),
};

function makeKey(modulusLength: number) {
  const jwk = generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ format: 'jwk' });
  const numbers: RsaPrivateNumbers = {
    n: number(jwk.n),
    e: number(jwk.e),
    d: number(jwk.d),
    p: number(jwk.p),
    q: number(jwk.q),
  };
  const publicJwk = { kty: 'RSA', n: jwk.n as string, e: jwk.e as string };
  return { numbers, publicJwk, f: new Uint8Array(randomBytes(modulusLength / 8 + 16)) };
}

function requestFor(alg: RsaAlgorithm, message: Uint8Array): RsaDigest {
  const digest = new Uint8Array(
    createHash(`sha${alg.slice(2)}`)
      .update(message)
      .digest(),
  );
  const { salt } = rsaDigestLengths(alg);
  return readSignRequest(
    salt === 0 ? { alg, digest } : { alg, digest, salt: new Uint8Array(randomBytes(salt)) },
  );
}

const key = makeKey(2048);
const share = readRsaShare(splitRsaKey(key.numbers, key.f));

describe.each([
  ['roaming-key-1.json', vectors.rsa],
  ['roaming-key-2.json', vectors2.X25519.rsa],
])('the independent implementation, %s', (_file, { enrol, ...traces }) => {
  const e = number(enrol.publicJwk.e);
  const n = number(enrol.publicJwk.n);
  const f = hex(enrol.f);

  it('splits the key alike', () => {
    expect(toHex(deviceShare(hex(enrol.K), 'rsa', f.length))).toBe(enrol.f);
    const numbers = { n, e, d: BigInt(enrol.d), p: BigInt(enrol.p), q: BigInt(enrol.q) };
    const split = splitRsaKey(numbers, f);
    expect(toHex(split.d2)).toBe(enrol.d2);
    expect(os2ip(split.n)).toBe(n);
  });

  const algs = (['PS256', 'RS256'] as const).filter((alg) => alg in traces);
  it.each(algs)('gives the same partial and whole %s signature', async (alg) => {
    const trace = traces[alg];
    const { digest, salt } = JSON.parse(trace.requestSeal.plaintext);
    const request = readSignRequest({
      alg,
      digest: fromBase64url(digest) as Uint8Array,
      ...(salt && { salt: fromBase64url(salt) as Uint8Array }),
    });
    const ticket = readRsaShare({ n: i2osp(n, 256), d2: hex(enrol.d2) });
    const nu = await answerSigning(ticket, request, inline);
    expect(toHex(nu)).toBe(trace.nu);
    expect(toHex(completeSigning({ n, e, f, request, nu }))).toBe(trace.signature);
  });
});

describe('a shared signature', () => {
  it.each(ALGORITHMS)('verifies under OpenSSL and under jose: %s', async (alg) => {
    const { n, e } = key.numbers;
    const head = Buffer.from(JSON.stringify({ alg })).toString('base64url');
    const body = Buffer.from('sign me').toString('base64url');
    const message = Buffer.from(`${head}.${body}`);
    const request = requestFor(alg, message);
    const nu = await answerSigning(share, request, inline);
    const signature = completeSigning({ n, e, f: key.f, request, nu });
    const publicKey = createPublicKey({ key: key.publicJwk, format: 'jwk' });
    const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    const options = { key: publicKey, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    expect(verify(`sha${alg.slice(2)}`, message, options, signature)).toBe(true);
    const jws = `${message.toString()}.${Buffer.from(signature).toString('base64url')}`;
    const { payload } = await compactVerify(jws, await importJWK(key.publicJwk, alg));
    expect(Buffer.from(payload).toString()).toBe('sign me');
  });

  it.each([3072, 4096])(
    'works with %i bits',
    async (bits) => {
      const large = makeKey(bits);
      const { n, e } = large.numbers;
      const request = requestFor('PS512', Buffer.from('m'));
      const nu = await answerSigning(readRsaShare(splitRsaKey(large.numbers, large.f)), request, inline);
      const signature = completeSigning({ n, e, f: large.f, request, nu });
      expect(power(os2ip(signature), e, n)).toBe(os2ip(encodeRsaDigest(request, bits)));
    },
    30_000,
  );

  it('is made of two shares neither of which signs, and another password makes another share', async () => {
    const { n, e } = key.numbers;
    const request = requestFor('RS256', Buffer.from('m'));
    const em = os2ip(encodeRsaDigest(request, 2048));
    const nu = await answerSigning(share, request, inline);
    expect(power(os2ip(nu), e, n)).not.toBe(em);
    expect(power(power(em, os2ip(key.f), n), e, n)).not.toBe(em);
    const wrong = key.f.map((byte, i) => (i === 271 ? byte ^ 1 : byte));
    expect(() => completeSigning({ n, e, f: wrong, request, nu })).toThrow(
      expect.objectContaining({ code: 'bad_response' }),
    );
  });

  it('is not released where the assistant answers wrongly', async () => {
    const { n, e } = key.numbers;
    const request = requestFor('PS256', Buffer.from('m'));
    const nu = await answerSigning(share, request, inline);
    const other = await answerSigning(share, requestFor('PS256', Buffer.from('another')), inline);
    const answers = [
      nu.map((byte, i) => (i === 255 ? byte ^ 1 : byte)),
      other,
      i2osp(n - os2ip(nu), 256),
      new Uint8Array(256),
      i2osp(1n, 256),
      i2osp(n, 256),
      i2osp(os2ip(nu) + n, 257),
      new Uint8Array(256).fill(255),
      nu.subarray(1),
      Uint8Array.of(0, ...nu),
      new Uint8Array(),
    ];
    for (const answer of answers) {
      expect(() => completeSigning({ n, e, f: key.f, request, nu: answer })).toThrow(
        expect.objectContaining({ code: 'bad_response', message: expect.stringContaining('assistant') }),
      );
    }
    expect(() => completeSigning({ n, e, f: key.f, request, nu })).not.toThrow();
  });
});

describe('enrolment', () => {
  const bad = expect.objectContaining({ code: 'bad_key' });
  const { n, e, d, p, q } = key.numbers;
  const attempt = (changes: Partial<RsaPrivateNumbers>) => () =>
    splitRsaKey({ n, e, d, p, q, ...changes }, key.f);

  it('takes d modulo phi(N) as well as modulo lcm(p - 1, q - 1), and the primes in any order', () => {
    const phi = (p - 1n) * (q - 1n);
    expect(attempt({ d: d % phi })).not.toThrow();
    expect(attempt({ d: d + phi })).not.toThrow();
    expect(toHex(attempt({ d: d + phi })().d2)).toBe(toHex(splitRsaKey(key.numbers, key.f).d2));
    expect(attempt({ p: q, q: p })).not.toThrow();
  });

  it('refuses numbers that make no key', () => {
    expect(attempt({ d: d + 2n })).toThrow(bad);
    expect(attempt({ d: 0n })).toThrow(bad);
    expect(attempt({ d: -d })).toThrow(bad);
    expect(attempt({ e: 3n })).toThrow(bad);
    expect(attempt({ e: 65_538n })).toThrow(bad);
    expect(attempt({ e: e + 2n })).toThrow(bad);
    expect(attempt({ p: p + 2n })).toThrow(bad);
    expect(attempt({ p: n, q: 1n })).toThrow(bad);
    expect(attempt({ p: -p, q: -q })).toThrow(bad);
    expect(attempt({ n: n + 2n })).toThrow(bad);
    expect(attempt({ n: p * p, q: p })).toThrow(bad);
  });

  it('refuses three primes passed off as two', () => {
    for (;;) {
      const composite = makeKey(1024).numbers.n;
      const { p: prime } = key.numbers;
      const n = composite * prime;
      const d = inverse(65_537n, (composite - 1n) * (prime - 1n));
      if (d === undefined || bitLength(n) !== 2048) continue;
      expect(() => splitRsaKey({ n, e: 65_537n, d, p: composite, q: prime }, key.f)).toThrow(
        expect.objectContaining({ code: 'bad_key', message: expect.stringContaining('not prime') }),
      );
      return;
    }
  });

  it('refuses other sizes', () => {
    const small = makeKey(1024);
    expect(() => splitRsaKey(small.numbers, small.f)).toThrow(bad);
    const odd = makeKey(2056);
    expect(() => splitRsaKey(odd.numbers, odd.f)).toThrow(bad);
    expect(() => splitRsaKey(key.numbers, key.f.subarray(1))).toThrow(RangeError);
  });
});

describe("the assistant's checks", () => {
  it('refuse a ticket whose numbers are out of range', () => {
    const bad = expect.objectContaining({ code: 'bad_ticket' });
    const { n, d2 } = share;
    const even = n.map((byte, i) => (i === 255 ? byte & 0xfe : byte));
    const short = n.map((byte, i) => (i === 0 ? byte & 0x7f : byte));
    const tickets = [
      { n: even, d2 },
      { n: short, d2 },
      { n, d2: new Uint8Array(256) },
      { n, d2: n },
      { n, d2: new Uint8Array(256).fill(255) },
      { n, d2: d2.subarray(1) },
      { n, d2: Uint8Array.of(0, ...d2) },
      { n: n.subarray(1), d2 },
      { n: Uint8Array.of(0, ...n), d2: Uint8Array.of(0, ...d2) },
      { n: new Uint8Array(), d2: new Uint8Array() },
      { n: new Uint8Array(257).fill(255), d2: new Uint8Array(257).fill(1) },
      { n: new Uint8Array(1024).fill(255), d2: new Uint8Array(1024).fill(1) },
    ];
    for (const ticket of tickets) expect(() => readRsaShare(ticket)).toThrow(bad);
    expect(() => readRsaShare({ n, d2: i2osp(1n, 256) })).not.toThrow();
    expect(() => readRsaShare({ n, d2: i2osp(os2ip(n) - 1n, 256) })).not.toThrow();
  });

  it('refuse sizes that the app does not allow', () => {
    const large = { n: new Uint8Array(512).fill(255), d2: i2osp(1n, 512) };
    expect(() => readRsaShare(large)).not.toThrow();
    expect(() => readRsaShare(large, [2048, 3072])).toThrow(expect.objectContaining({ code: 'unsupported' }));
    expect(() => readRsaShare(share, [])).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  it('refuse anything but a digest, and a salt where there is none', () => {
    const invalid = expect.objectContaining({ code: 'invalid_request' });
    const of = (length: number) => new Uint8Array(length);
    const requests = [
      { alg: 'PS256', digest: of(31), salt: of(32) },
      { alg: 'PS256', digest: of(256), salt: of(32) },
      { alg: 'PS256', digest: of(32) },
      { alg: 'PS256', digest: of(32), salt: of(0) },
      { alg: 'PS256', digest: of(32), salt: of(20) },
      { alg: 'PS512', digest: of(64), salt: of(32) },
      { alg: 'RS256', digest: of(32), salt: of(32) },
      { alg: 'RS256', digest: of(32), salt: of(0) },
      { alg: 'RS256', digest: of(48) },
      { alg: 'RS1', digest: of(20) },
      { alg: 'none', digest: of(32) },
      { alg: 'toString', digest: of(32) },
    ];
    for (const request of requests) expect(() => readSignRequest(request)).toThrow(invalid);
  });
});
