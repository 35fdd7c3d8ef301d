import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CompactEncrypt, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { type AnyGroup, findGroup, type GroupElement, safePrimeOf } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { jacobi } from '../../lib/math/modular.ts';
import type { GroupPowersJob } from '../../lib/protocol/exponentiator.ts';
import {
  answerDecryption,
  completeDecryption,
  type ElgamalShare,
  type PartialDecryption,
  readDecryptRequest,
  readElgamalShare,
  splitElgamalKey,
} from '../../lib/protocol/schemes/elgamal-decryption.ts';
import { encryptTo, openElgamalJwe, readElgamalJwe } from '../../lib/protocol/schemes/elgamal-jwe.ts';
import {
  type ElgamalPublicKey,
  elgamalPublicJwk,
  generateElgamalKey,
  readElgamalPublicJwk,
} from '../../lib/protocol/schemes/elgamal-keys.ts';
import { hex, toHex } from '../support/vectors.ts';

/** Names of values, which are hex but for the group's name. */
type Vector = Readonly<
  Record<'group' | 'x' | 'f' | 'x2' | 'y' | 'w' | 'seed' | 'nu' | 'c' | 's' | 'z', string>
>;

const { answers }: { answers: Vector[] } = JSON.parse(
  readFileSync(new URL('../vectors/elgamal.json', import.meta.url), 'utf8'),
);
const ENCS = ['A128GCM', 'A192GCM', 'A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'] as const;
const ALGS = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'] as const;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

/** Exponentiates on this thread; the pool's own way is tested beside the pool. */
const inline = {
  groupPowers: async ({ group: name, base, exponents }: GroupPowersJob) => {
    const group = findGroup(name) as AnyGroup;
    const w = group.decode(base) as GroupElement;
    return exponents.map((exponent) => ({
      generator: group.encode(group.exp(group.generator, os2ip(exponent))),
      base: group.encode(group.exp(w, os2ip(exponent))),
    }));
  },
};

interface Enrolled {
  readonly publicKey: ElgamalPublicKey;
  readonly f: Uint8Array;
  readonly share: { readonly group: AnyGroup; readonly x2: Uint8Array };
}

function enrol(publicKey: ElgamalPublicKey, x: bigint): Enrolled {
  const f = new Uint8Array(randomBytes(publicKey.group.scalarLength + 16));
  return { publicKey, f, share: readElgamalShare(splitElgamalKey(publicKey, x, f)) };
}

async function enrolledOn(name: string): Promise<Enrolled> {
  if (name !== 'P-256') {
    const { x, publicKey } = generateElgamalKey(name);
    return enrol(publicKey, x);
  }
  const { privateKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true });
  const { d, ...jwk } = await exportJWK(privateKey);
  return enrol(readElgamalPublicJwk(jwk) as ElgamalPublicKey, os2ip(Buffer.from(d as string, 'base64url')));
}

async function decrypt({ publicKey, f, share }: Enrolled, jwe: string): Promise<string> {
  const ciphertext = await readElgamalJwe(jwe, publicKey);
  const w = readDecryptRequest(share.group, ciphertext.w);
  const answer = await answerDecryption(share, w, inline);
  const z = await completeDecryption({ publicKey, f, w, answer });
  return text(await openElgamalJwe(ciphertext, z));
}

describe.each(answers)('a separate computation in $group', (vector) => {
  const group = findGroup(vector.group) as AnyGroup;
  const publicKey = { group, y: group.decode(hex(vector.y)) as GroupElement };
  const f = hex(vector.f);

  it('gives the same shares, answer and secret', async () => {
    const split = splitElgamalKey(publicKey, os2ip(hex(vector.x)), f);
    expect(toHex(split.x2)).toBe(vector.x2);
    const w = readDecryptRequest(group, hex(vector.w));
    const answer = await answerDecryption(readElgamalShare(split), w, inline, () => hex(vector.seed));
    expect(toHex(answer.nu)).toBe(vector.nu);
    expect(toHex(answer.proof.c)).toBe(vector.c);
    expect(toHex(answer.proof.s)).toBe(vector.s);
    expect(toHex(await completeDecryption({ publicKey, f, w, answer }))).toBe(vector.z);
  });
});

describe('ciphertexts of any JOSE library, on P-256', () => {
  const key = enrolledOn('P-256');

  it.each(ALGS.flatMap((alg) => ENCS.map((enc) => [alg, enc] as const)))('%s with %s', async (alg, enc) => {
    const enrolled = await key;
    const jwe = await new CompactEncrypt(Buffer.from('for you'))
      .setProtectedHeader({ alg, enc, kid: 'some key', cty: 'text/plain' })
      .encrypt({ ...elgamalPublicJwk(enrolled.publicKey) });
    expect(await decrypt(enrolled, jwe)).toBe('for you');
  });

  it('names of the parties are part of the key', async () => {
    const enrolled = await key;
    const of = (parties: { apu?: Uint8Array; apv?: Uint8Array }, alg: string) =>
      new CompactEncrypt(Buffer.from('for you'))
        .setProtectedHeader({ alg, enc: 'A256GCM' })
        .setKeyManagementParameters(parties)
        .encrypt({ ...elgamalPublicJwk(enrolled.publicKey) });
    const [apu, apv] = [Buffer.from('Alice'), Buffer.from('Bob')];
    for (const alg of ALGS) {
      for (const parties of [{ apu }, { apv }, { apu, apv }]) {
        expect(await decrypt(enrolled, await of(parties, alg))).toBe('for you');
      }
    }
  });
});

describe.each(['P-256', 'ffdhe2048'])('shared decryption in %s', (name) => {
  const key = enrolledOn(name);

  it.each(ENCS)('undoes encryptTo with %s', async (enc) => {
    const enrolled = await key;
    const jwk = elgamalPublicJwk(enrolled.publicKey);
    expect(await decrypt(enrolled, await encryptTo(jwk, Buffer.from('for you'), { enc }))).toBe('for you');
    expect(await decrypt(enrolled, await encryptTo(jwk, new Uint8Array(), { enc }))).toBe('');
  });

  it('blames the assistant for an answer that is not w^x2', async () => {
    const { publicKey, f, share } = await key;
    const { group } = publicKey;
    const element = (k: bigint) => group.encode(group.exp(group.generator, k));
    const w = element(123_456_789n);
    const answer = await answerDecryption(share, w, inline);
    const { nu, proof } = answer;
    const decoded = group.decode(nu) as GroupElement;
    const ofAnotherShare = await answerDecryption({ group, x2: i2osp(99n, group.scalarLength) }, w, inline);
    const ofAnotherW = await answerDecryption(share, element(42n), inline);
    const wrong: PartialDecryption[] = [
      ofAnotherShare,
      ofAnotherW,
      { nu: ofAnotherShare.nu, proof },
      { nu: group.encode(group.invert(decoded)), proof },
      { nu: group.encode(group.multiply(decoded, group.generator)), proof },
      { nu: w, proof },
      { nu, proof: ofAnotherW.proof },
      { nu, proof: { ...proof, c: flipped(proof.c, 5) } },
      { nu, proof: { ...proof, s: flipped(proof.s, 5) } },
      { nu, proof: { c: new Uint8Array(32), s: new Uint8Array(group.scalarLength) } },
      { nu, proof: { ...proof, s: i2osp(os2ip(proof.s) + group.q, group.scalarLength + 1) } },
      { nu: nu.subarray(1), proof },
      { nu: new Uint8Array(), proof },
      { nu: new Uint8Array(group.elementLength), proof },
      { nu: new Uint8Array(group.elementLength).fill(255), proof },
      { nu: i2osp(1n, group.elementLength), proof },
    ];
    for (const each of wrong) {
      await expect(completeDecryption({ publicKey, f, w, answer: each })).rejects.toEqual(
        expect.objectContaining({ code: 'bad_response', message: expect.stringContaining('assistant') }),
      );
    }
    await expect(completeDecryption({ publicKey, f, w, answer })).resolves.toHaveLength(group.secretLength);
    await expect(completeDecryption({ publicKey, f: flipped(f, 3), w, answer })).rejects.toEqual(
      expect.objectContaining({ code: 'bad_response' }),
    );
  });

  it('is asked about elements of the group alone, on both sides', async () => {
    const { publicKey, f, share } = await key;
    const { group } = publicKey;
    const good = group.encode(group.generator);
    const answer = await answerDecryption(share, good, inline);
    const hostile = [
      new Uint8Array(),
      new Uint8Array(group.elementLength),
      new Uint8Array(group.elementLength).fill(255),
      i2osp(1n, group.elementLength),
      good.subarray(1),
      Uint8Array.of(0, ...good),
      Uint8Array.of(0),
    ];
    const p = safePrimeOf(group);
    if (p === undefined) hostile.push(flipped(good, 64), flipped(good, 0));
    else {
      const nonSquare = [3n, 5n, 7n, 11n, 13n].find((n) => jacobi(n, p) === -1) as bigint;
      // p - 1 has order 2: its power would tell whether x2 is odd.
      for (const n of [p - 1n, nonSquare, p - 4n, p, p + 3n]) hostile.push(i2osp(n, group.elementLength));
    }
    const invalid = expect.objectContaining({ code: 'invalid_request' });
    for (const w of hostile) {
      expect(() => readDecryptRequest(group, w)).toThrow(invalid);
      await expect(completeDecryption({ publicKey, f, w, answer })).rejects.toEqual(invalid);
    }
  });

  it('opens nothing that was changed on the way', async () => {
    const enrolled = await key;
    const jwe = await encryptTo(elgamalPublicJwk(enrolled.publicKey), Buffer.from('for you'));
    const segments = jwe.split('.');
    for (const i of [2, 3, 4]) {
      const bytes = Buffer.from(segments[i] as string, 'base64url');
      const copy = [...segments];
      copy[i] = Buffer.from(flipped(bytes, 0)).toString('base64url');
      await expect(decrypt(enrolled, copy.join('.'))).rejects.toEqual(
        expect.objectContaining({ code: 'invalid_request' }),
      );
    }
    const other = await enrolledOn(name);
    await expect(decrypt(other, jwe)).rejects.toEqual(expect.objectContaining({ code: 'invalid_request' }));
  });
});

describe('a ciphertext that must not reach the assistant', () => {
  const key = enrolledOn('P-256');

  async function withHeader(change: (header: Record<string, unknown>) => Record<string, unknown>) {
    const { publicKey } = await key;
    const jwe = await encryptTo(elgamalPublicJwk(publicKey), Buffer.from('m'));
    const [head, ...rest] = jwe.split('.');
    const header = JSON.parse(Buffer.from(head as string, 'base64url').toString());
    const changed = Buffer.from(JSON.stringify(change(header))).toString('base64url');
    return readElgamalJwe([changed, ...rest].join('.'), publicKey);
  }

  it('is one with members that change what it means', async () => {
    await expect(withHeader((header) => header)).resolves.toBeDefined();
    const changes: Record<string, unknown>[] = [
      { zip: 'DEF' },
      { crit: ['exp'] },
      { crit: [] },
      { p2c: 1e9 },
      { p2s: 'AAAA' },
      { alg: 'PBES2-HS256+A128KW' },
      { alg: 'dir' },
      { alg: 'RSA-OAEP-256' },
      { alg: 'RK-FFDH-ES' },
      { alg: 'toString' },
      { alg: undefined },
      { enc: 'A512GCM' },
      { enc: 'valueOf' },
      { enc: undefined },
    ];
    for (const change of changes) {
      await expect(withHeader((header) => ({ ...header, ...change }))).rejects.toEqual(
        expect.objectContaining({ code: 'unsupported' }),
      );
    }
  });

  it('is one whose ephemeral key is not in the group', async () => {
    const invalid = expect.objectContaining({ code: 'invalid_request' });
    const otherCurve = await generateKeyPair('ECDH-ES', { crv: 'P-384', extractable: true });
    const okp = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true });
    const finite = elgamalPublicJwk(generateElgamalKey('ffdhe2048').publicKey);
    const { x, y } = elgamalPublicJwk((await key).publicKey) as { x: string; y: string };
    const zeros = Buffer.alloc(32).toString('base64url');
    const keys = [
      undefined,
      null,
      'key',
      {},
      await exportJWK(otherCurve.publicKey),
      await exportJWK(okp.publicKey),
      finite,
      { kty: 'EC', crv: 'P-256', x: y, y: x },
      { kty: 'EC', crv: 'P-256', x: zeros, y: zeros },
      { kty: 'EC', crv: 'P-256', x, y: y.slice(0, -1) },
      { kty: 'EC', crv: 'P-256', x: `${x}=`, y },
      { kty: 'EC', crv: 'P-256', x: `AA${x}`, y },
      { kty: 'EC', crv: 'P-256', x },
      { kty: 'EC', crv: 'P-256', x: 1, y: 2 },
      { kty: 'EC', crv: 'P-256', x, y, d: zeros },
      { kty: 'EC', crv: 'P-384', x, y },
      { kty: 'DH', group: 'P-256', y: x },
    ];
    for (const epk of keys)
      await expect(withHeader((header) => ({ ...header, epk }))).rejects.toEqual(invalid);
  });

  it('is one that is no compact JWE of its kind', async () => {
    const { publicKey } = await key;
    const jwe = await encryptTo(elgamalPublicJwk(publicKey), Buffer.from('m'));
    const [head, , iv, ciphertext, tag] = jwe.split('.') as [string, string, string, string, string];
    const b64 = (value: string) => Buffer.from(value).toString('base64url');
    const malformed = [
      '',
      '....',
      jwe.split('.').slice(0, 4).join('.'),
      `${jwe}.`,
      `${jwe}=`,
      ` ${jwe}`,
      [head, 'AAAA', iv, ciphertext, tag].join('.'),
      [head, '', '', ciphertext, tag].join('.'),
      [head, '', iv, ciphertext, ''].join('.'),
      [head, '', iv, ciphertext, tag.slice(0, 16)].join('.'),
      [b64('null'), '', iv, ciphertext, tag].join('.'),
      [b64('[]'), '', iv, ciphertext, tag].join('.'),
      [b64('{'), '', iv, ciphertext, tag].join('.'),
      [Buffer.from([0x22, 0xff, 0x22]).toString('base64url'), '', iv, ciphertext, tag].join('.'),
    ];
    for (const each of malformed) {
      await expect(readElgamalJwe(each, publicKey)).rejects.toEqual(
        expect.objectContaining({ code: 'invalid_request' }),
      );
    }
    for (const party of ['A', 'AA==', 5, null]) {
      await expect(withHeader((header) => ({ ...header, apu: party }))).rejects.toEqual(
        expect.objectContaining({ code: 'invalid_request' }),
      );
    }
  });

  it('is one for another finite-field group', async () => {
    const { publicKey } = generateElgamalKey('ffdhe2048');
    const other = generateElgamalKey('ffdhe3072');
    const jwe = await encryptTo(elgamalPublicJwk(other.publicKey), Buffer.from('m'));
    await expect(readElgamalJwe(jwe, publicKey)).rejects.toEqual(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });
});

describe('shares and keys', () => {
  const { x, publicKey } = generateElgamalKey('P-256');

  it('come from a private key that belongs to the public key', () => {
    const bad = expect.objectContaining({ code: 'bad_key' });
    const f = new Uint8Array(48);
    const { q } = publicKey.group;
    for (const wrong of [0n, x + 1n, -x, x + q, q])
      expect(() => splitElgamalKey(publicKey, wrong, f)).toThrow(bad);
    expect(() => splitElgamalKey(publicKey, x, new Uint8Array(32))).toThrow(RangeError);
    // f = x leaves nothing for the assistant.
    expect(() => splitElgamalKey(publicKey, x, i2osp(x, 48))).toThrow(bad);
  });

  it('are refused in tickets where they are out of range', () => {
    const bad = expect.objectContaining({ code: 'bad_ticket' });
    const { q } = publicKey.group;
    const x2 = i2osp(5n, 32);
    const tickets = [
      { group: 'P-256', x2: new Uint8Array(32) },
      { group: 'P-256', x2: i2osp(q, 32) },
      { group: 'P-256', x2: new Uint8Array(32).fill(255) },
      { group: 'P-256', x2: i2osp(5n, 31) },
      { group: 'P-256', x2: i2osp(5n, 33) },
      { group: 'ffdhe2048', x2 },
      { group: 'P-384', x2 },
      { group: '', x2 },
    ];
    for (const ticket of tickets) expect(() => readElgamalShare(ticket as ElgamalShare)).toThrow(bad);
    expect(readElgamalShare({ group: 'P-256', x2 }).group.name).toBe('P-256');
    expect(readElgamalShare({ group: 'P-256', x2: i2osp(q - 1n, 32) }).x2).toHaveLength(32);
    expect(() => readElgamalShare({ group: 'P-256', x2 }, ['ffdhe2048'])).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });

  it('are written and read alike', () => {
    for (const name of ['P-256', 'ffdhe2048']) {
      const made = generateElgamalKey(name).publicKey;
      const read = readElgamalPublicJwk({ ...elgamalPublicJwk(made), kid: 'k', use: 'enc' });
      expect(read?.group.equals(read.y, made.y)).toBe(true);
    }
    const { y } = elgamalPublicJwk(generateElgamalKey('ffdhe2048').publicKey);
    expect(readElgamalPublicJwk({ kty: 'DH', group: 'ffdhe3072', y })).toBeUndefined();
    expect(readElgamalPublicJwk({ kty: 'DH', group: 'modp14', y })).toBeUndefined();
    expect(readElgamalPublicJwk({ kty: 'DH', group: 'ffdhe2048' })).toBeUndefined();
    expect(() => generateElgamalKey('secp256k1')).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  it('must be in a group to be encrypted to', async () => {
    for (const jwk of [
      {},
      null,
      { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
      { kty: 'EC', crv: 'P-384', x: '', y: '' },
    ]) {
      await expect(encryptTo(jwk, new Uint8Array())).rejects.toEqual(
        expect.objectContaining({ code: 'bad_key' }),
      );
    }
  });
});
