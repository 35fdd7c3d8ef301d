/** What device and assistant make together is what a whole key makes: others who know nothing of sharing agree. */
import { spawnSync } from 'node:child_process';
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  sign as nodeSign,
  verify,
  webcrypto,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CompactEncrypt, compactVerify, importJWK } from 'jose';
import NodeRSA from 'node-rsa';
import { afterAll, describe, expect, it } from 'vitest';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import type { ExistingKey } from '../../lib/device/enroll.ts';
import { i2osp } from '../../lib/math/integer.ts';
import { b64 } from '../attacks/support.ts';
import { isAbsent } from '../support/binaries.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';
import { PASSWORD, startAssistant } from '../support/world.ts';
import { deviceOf, enrolElgamal, enrolRsa, rsaKey, type WholeRsaKey } from './support.ts';

const ALGORITHMS = ['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
type Algorithm = (typeof ALGORITHMS)[number];
const data = new TextEncoder().encode('a document that is signed with a key that nobody has');
const other = new TextEncoder().encode('a document that is signed with a key that somebody has');

const folder = mkdtempSync(path.join(tmpdir(), 'rk-results-'));
afterAll(() => rmSync(folder, { recursive: true }));
const noOpenssl = isAbsent('openssl');
const noSsh = isAbsent('ssh-keygen');

function verifiesInNode(alg: Algorithm, jwk: object, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const padding = alg.startsWith('PS') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const options = { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return verify(`sha${alg.slice(2)}`, message, options, signature);
}

function verifiesInOpenssl(alg: Algorithm, jwk: object, message: Uint8Array, signature: Uint8Array): boolean {
  const file = (name: string, contents: Uint8Array | string) => {
    const at = path.join(folder, name);
    writeFileSync(at, contents);
    return at;
  };
  const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const pem = file('public.pem', key.export({ format: 'pem', type: 'spki' }));
  const hash = `-sha${alg.slice(2)}`;
  const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'];
  const files = ['-verify', pem, '-signature', file('signature', signature), file('message', message)];
  const args = ['dgst', hash, ...(alg.startsWith('PS') ? pss : []), ...files];
  const { status, stdout } = spawnSync('openssl', args, { encoding: 'utf8' });
  expect(stdout).toMatch(status === 0 ? /Verified OK/ : /Verification failure/);
  return status === 0;
}

describe.each(['rsa2048', 'rsa3072'] as const)('signatures by %s', (name) => {
  it('verify in node:crypto, in jose and in openssl, in every algorithm, and for nothing else', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const device = deviceOf(world, (await enrolRsa(world, rsaKey(name))).record);
    await device.unlockShared(PASSWORD);
    for (const alg of ALGORITHMS) {
      const signature = await device.sign(data, { alg });
      expect(verifiesInNode(alg, device.jwk, data, signature)).toBe(true);
      expect(verifiesInNode(alg, device.jwk, other, signature)).toBe(false);
      if (!noOpenssl) {
        expect(verifiesInOpenssl(alg, device.jwk, data, signature)).toBe(true);
        expect(verifiesInOpenssl(alg, device.jwk, other, signature)).toBe(false);
      }
      const jws = await device.signJws(data, { alg, header: { typ: 'JWT' } });
      const { payload, protectedHeader } = await compactVerify(jws, await importJWK({ ...device.jwk }, alg));
      expect(payload).toEqual(data);
      expect(protectedHeader).toMatchObject({ alg, typ: 'JWT' });
    }
  });
});

it('4096 bits are served where the app allows them, and else told to be unsupported', async () => {
  const world = await startAssistant({ workers: { size: 1 }, serve: { rsa: [4096] } });
  const device = deviceOf(world, (await enrolRsa(world, rsaKey('rsa4096'))).record);
  const signature = await device.sign(data, { alg: 'PS512', password: PASSWORD });
  expect(signature).toHaveLength(512);
  expect(verifiesInNode('PS512', device.jwk, data, signature)).toBe(true);
  if (!noOpenssl) expect(verifiesInOpenssl('PS512', device.jwk, data, signature)).toBe(true);
  const byDefault = await startAssistant();
  const refused = deviceOf(byDefault, (await enrolRsa(byDefault, rsaKey('rsa4096'))).record);
  await expect(refused.sign(data, { password: PASSWORD })).rejects.toMatchObject({ code: 'unsupported' });
});

it('a digest gives the signature of its message', async () => {
  const world = await startAssistant({ workers: { size: 1 } });
  const device = deviceOf(world, (await enrolRsa(world)).record);
  await device.unlockShared(PASSWORD);
  for (const alg of ['RS256', 'RS512'] as const) {
    const digest = createHash(`sha${alg.slice(2)}`)
      .update(data)
      .digest();
    expect(await device.sign({ digest }, { alg })).toEqual(await device.sign(data, { alg }));
  }
  const digest = createHash('sha384').update(data).digest();
  expect(verifiesInNode('PS384', device.jwk, data, await device.sign({ digest }, { alg: 'PS384' }))).toBe(
    true,
  );
});

describe('a key that exists', () => {
  const whole = rsaKey('rsa2048');

  /** The same key in every form in which its owner may have it. */
  async function forms(key: WholeRsaKey): Promise<[string, ExistingKey['existing']][]> {
    const { jwk, pkcs1, pkcs8, phi, d, e } = key;
    const secret = createPrivateKey(pkcs8);
    const components = new NodeRSA();
    const part = (value: string | undefined) => Buffer.from(value as string, 'base64url');
    components.importKey(
      {
        n: part(jwk.n),
        e: Number(e),
        d: part(jwk.d),
        p: part(jwk.p),
        q: part(jwk.q),
        dmp1: part(jwk.dp),
        dmq1: part(jwk.dq),
        coeff: part(jwk.qi),
      },
      'components',
    );
    const usage = { name: 'RSA-PSS', hash: 'SHA-256' };
    const cryptoKey = await webcrypto.subtle.importKey('jwk', jwk as webcrypto.JsonWebKey, usage, true, [
      'sign',
    ]);
    return [
      ['PKCS#1 PEM', pkcs1],
      ['PKCS#8 PEM', pkcs8],
      ['PKCS#8 PEM as bytes', new TextEncoder().encode(pkcs8)],
      ['PKCS#8 DER', new Uint8Array(secret.export({ format: 'der', type: 'pkcs8' }))],
      ['OpenSSH by node-rsa', components.exportKey('openssh-private') as string],
      ['a JWK', jwk as globalThis.JsonWebKey],
      [
        'a JWK whose d is below phi',
        { ...jwk, d: b64(i2osp(inverse(e, phi), 256)) } as globalThis.JsonWebKey,
      ],
      ['a JWK whose d is not reduced', { ...jwk, d: b64(i2osp(lift(d, key), 256)) } as globalThis.JsonWebKey],
      ['components by node-rsa', components.exportKey('pkcs1-private-pem') as string],
      ['a CryptoKey', cryptoKey as CryptoKey],
      ...(noSsh ? [] : [['OpenSSH by ssh-keygen', opensshFile(pkcs1)] as [string, string]]),
    ];
  }

  it('signs, once shared, byte for byte what it signed before, whatever form it came in', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const before = new Uint8Array(nodeSign('sha256', data, whole.pkcs8));
    for (const [form, existing] of await forms(whole)) {
      const { record } = await enrolRsa(world, whole, { key: { existing } });
      const device = deviceOf(world, record);
      expect(device.jwk, form).toEqual({ kty: 'RSA', n: whole.jwk.n, e: whole.jwk.e });
      expect(await device.sign(data, { alg: 'RS256', password: PASSWORD }), form).toEqual(before);
    }
  });

  it('is refused where it is weak, protected, public, of another kind, or not of two primes', async () => {
    const world = await startAssistant();
    const { n, e } = whole.jwk;
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const ed25519 = generateKeyPairSync('ed25519').privateKey;
    const pem = { format: 'pem', type: 'pkcs8' } as const;
    const secret = createPrivateKey(whole.pkcs8);
    const protectedPem = secret.export({ ...pem, cipher: 'aes-128-cbc', passphrase: 'x' }).toString();
    const { p, d } = rsaKey('other2048').jwk;
    for (const existing of [
      small.export(pem).toString(),
      ed25519.export(pem).toString(),
      protectedPem,
      { kty: 'RSA', n, e } as globalThis.JsonWebKey,
      { ...whole.jwk, d } as globalThis.JsonWebKey,
      { ...whole.jwk, p } as globalThis.JsonWebKey,
      { ...whole.jwk, e: 'Aw' } as globalThis.JsonWebKey,
      { ...whole.jwk, p: whole.jwk.n, q: 'AQ' } as globalThis.JsonWebKey,
      { ...whole.jwk, oth: [{ r: 'AQ', d: 'AQ', t: 'AQ' }] } as globalThis.JsonWebKey,
      'no key at all',
      '',
    ]) {
      await expect(enrolRsa(world, whole, { key: { existing } })).rejects.toMatchObject({ code: 'bad_key' });
    }
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pem).toString();
    for (const existing of [ec, ed25519.export(pem).toString(), whole.pkcs8]) {
      await expect(enrolElgamal(world, { existing })).rejects.toMatchObject({ code: 'bad_key' });
    }
  });

  it('on P-256 decrypts, once shared, what was encrypted before', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwe = await new CompactEncrypt(data)
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
      .encrypt(publicKey);
    for (const existing of [
      privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })),
      privateKey.export({ format: 'jwk' }) as globalThis.JsonWebKey,
    ]) {
      const device = deviceOf(world, (await enrolElgamal(world, { existing })).record);
      expect(await device.decrypt(jwe, { password: PASSWORD })).toEqual(data);
    }
  });
});

describe('messages that jose encrypts', () => {
  const ALGS = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'];
  const ENCS = ['A128GCM', 'A192GCM', 'A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'];

  it('are read in every algorithm and encryption, by this device alone', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const device = deviceOf(world, (await enrolElgamal(world)).record);
    const stranger = deviceOf(world, (await enrolElgamal(world)).record);
    await Promise.all([device, stranger].map((each) => each.unlockShared(PASSWORD)));
    for (const alg of ALGS) {
      for (const enc of ENCS) {
        const jwe = await new CompactEncrypt(data)
          .setProtectedHeader({ alg, enc, kid: 'a name', cty: 'text/plain' })
          .encrypt(await importJWK({ ...device.jwk }, alg));
        expect(await device.decrypt(jwe), `${alg} ${enc}`).toEqual(data);
        if (enc === 'A128GCM') {
          await expect(stranger.decrypt(jwe)).rejects.toMatchObject({ code: 'invalid_request' });
        }
      }
    }
  });

  it('are read when empty, and when long', async () => {
    const world = await startAssistant({ workers: { size: 1 } });
    const device = deviceOf(world, (await enrolElgamal(world)).record);
    for (const plaintext of [new Uint8Array(), new Uint8Array(1_000_000).fill(7)]) {
      const jwe = await new CompactEncrypt(plaintext)
        .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256CBC-HS512' })
        .encrypt(await importJWK({ ...device.jwk }, 'ECDH-ES'));
      const read = await device.decrypt(jwe, { password: PASSWORD });
      expect(Buffer.compare(read, plaintext)).toBe(0);
    }
  });
});

describe('messages in the groups of RFC 7919', () => {
  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'] as const)('are read in %s', async (group) => {
    const world = await startAssistant({ workers: { size: 1 }, serve: { elgamal: [group] } });
    const device = deviceOf(world, (await enrolElgamal(world, group)).record);
    const jwe = await encryptTo(device.jwk, data, { enc: 'A128CBC-HS256' });
    expect(await device.decrypt(jwe, { password: PASSWORD })).toEqual(data);
    if (group !== 'ffdhe2048') return;
    const stranger = deviceOf(world, (await enrolElgamal(world, group)).record);
    await expect(stranger.decrypt(jwe, { password: PASSWORD })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('are not served in the largest unless the app says so', async () => {
    const world = await startAssistant();
    const device = deviceOf(world, (await enrolElgamal(world, 'ffdhe4096')).record);
    const jwe = await encryptTo(device.jwk, data);
    await expect(device.decrypt(jwe, { password: PASSWORD })).rejects.toMatchObject({ code: 'unsupported' });
  });
});

/** A file as `ssh-keygen` writes it, out of PKCS#1. */
function opensshFile(pkcs1: string): string {
  const file = path.join(folder, 'id_rsa');
  writeFileSync(file, pkcs1, { mode: 0o600 });
  // Writes the file anew, in its own form.
  const { status } = spawnSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', '', '-f', file]);
  expect(status).toBe(0);
  const written = readFileSync(file, 'utf8');
  expect(written).toContain('OPENSSH PRIVATE KEY');
  return written;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (a !== 0n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
  return ((y % modulus) + modulus) % modulus;
}

/** d and a multiple of lcm(p - 1, q - 1), as large as fits below N. */
function lift(d: bigint, { n, p, q }: WholeRsaKey): bigint {
  const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
  const lambda = ((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n);
  return d + ((n - 1n - d) / lambda) * lambda;
}
