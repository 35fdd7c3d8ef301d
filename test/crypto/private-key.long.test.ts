import { execFileSync } from 'node:child_process';
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  verify as nodeVerify,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { CompactEncrypt, CompactSign, compactDecrypt, importJWK } from 'jose';
import NodeRSA from 'node-rsa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRoamingKeyError } from '../../lib/base/errors.ts';
import {
  exportPrivateKey,
  generatePrivateKey,
  importForUse,
  type KeyUse,
  type PrivateKey,
  type PrivateKeyFormat,
  type PrivateKeyKind,
  type PrivateKeySource,
  readPrivateKey,
} from '../../lib/crypto/keys/private-key.ts';
import { thumbprint } from '../../lib/crypto/keys/public-jwk.ts';
import { sshPublicKey } from '../../lib/crypto/ssh/encoding.ts';
import { isAbsent } from '../support/binaries.ts';
import { der, integer, pem, sequence } from '../support/der.ts';
import { hex, vectors } from '../support/vectors.ts';

// Drawing primes and running other programs takes as long as it takes.
const folder = mkdtempSync(path.join(tmpdir(), 'private-key-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
const write = (name: string, contents: string | Uint8Array) => {
  writeFileSync(path.join(folder, name), contents, { mode: 0o600 });
  return name;
};
const slurp = (name: string) => readFileSync(path.join(folder, name), 'utf8');

const KINDS: readonly PrivateKeyKind[] = ['Ed25519', 'P-256', 'RSA-2048'];
const keys = {} as Record<PrivateKeyKind, PrivateKey>;
beforeAll(async () => {
  for (const kind of KINDS) keys[kind] = await generatePrivateKey(kind);
});

describe('generating', () => {
  it('makes Ed25519 by default', async () => {
    const { pkcs8, publicJwk } = await generatePrivateKey();
    expect(publicJwk).toEqual({ kty: 'OKP', crv: 'Ed25519', x: expect.stringMatching(/^[\w-]{43}$/) });
    expect(pkcs8).toHaveLength(48);
  });

  it.each([
    ['Ed25519', 48],
    ['P-256', 138],
  ] as const)('%s: %i bytes, just as WebCrypto exports them', async (kind, length) => {
    const { pkcs8, publicJwk } = keys[kind];
    expect(pkcs8).toHaveLength(length);
    const algorithm = kind === 'P-256' ? { name: 'ECDSA', namedCurve: kind } : { name: kind };
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
    expect(new Uint8Array(await crypto.subtle.exportKey('pkcs8', key))).toEqual(pkcs8);
    expect(await crypto.subtle.exportKey('jwk', key)).toMatchObject(publicJwk);
  });

  it('knows the kinds that it knows', async () => {
    await expect(generatePrivateKey('P-384' as PrivateKeyKind)).rejects.toThrow(RangeError);
    await expect(generatePrivateKey('RSA-1024' as PrivateKeyKind)).rejects.toThrow(RangeError);
  });
});

describe('reading what other programs wrote', () => {
  const openssl: [string, string[], PrivateKeyKind][] = [
    ['Ed25519, PKCS#8', ['genpkey', '-algorithm', 'ed25519'], 'Ed25519'],
    ['P-256, PKCS#8', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'P-256'],
    ['RSA, PKCS#8', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], 'RSA-2048'],
    ['RSA, PKCS#1', ['genrsa', '-traditional', '2048'], 'RSA-2048'],
  ];
  it.skipIf(isAbsent('openssl')).each(openssl)('openssl: %s', async (_, args) => {
    const text = run('openssl', ...args);
    const { pkcs8, publicJwk } = await readPrivateKey(text);
    expect(publicJwk).toEqual(createPublicKey(text).export({ format: 'jwk' }));
    write('key.pem', text);
    run('openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', 'key.pem', '-outform', 'DER', '-out', 'key.der');
    const canonical = new Uint8Array(readFileSync(path.join(folder, 'key.der')));
    expect(pkcs8).toEqual(canonical);
    for (const form of [
      canonical,
      Buffer.from(text),
      text.replace(/\n/g, '\r\n'),
      `Bag Attributes\n\n${text}\n`,
    ]) {
      expect(await readPrivateKey(form)).toEqual({ pkcs8, publicJwk });
    }
  });

  const ssh: [string, string[]][] = [
    ['Ed25519', ['-t', 'ed25519']],
    ['P-256', ['-t', 'ecdsa', '-b', '256']],
    ['RSA', ['-t', 'rsa', '-b', '2048']],
    ['RSA in PKCS#1', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
    ['RSA in PKCS#8', ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8']],
  ];
  describe.skipIf(isAbsent('ssh-keygen'))('ssh-keygen', () => {
    it.each(ssh)('%s', async (name, args) => {
      const file = name.replace(/\W/g, '');
      run('ssh-keygen', '-q', ...args, '-N', '', '-C', 'a comment, ünicode', '-f', file);
      const { pkcs8, publicJwk } = await readPrivateKey(slurp(file));
      // The way back: ssh-keygen finds the same public key in what we write.
      write(`${file}.again`, await exportPrivateKey(pkcs8, publicJwk, 'openssh'));
      expect(run('ssh-keygen', '-y', '-f', `${file}.again`).trim()).toBe(
        slurp(`${file}.pub`).split(' ').slice(0, 2).join(' '),
      );
    });

    it('of every length of the comment and of the scalar', async () => {
      for (let length = 0; length < 9; length++) {
        const file = `padding${length}`;
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'c'.repeat(length), '-f', file);
        expect((await readPrivateKey(slurp(file))).pkcs8).toHaveLength(48);
      }
      for (const scalar of [1n, 127n, 128n, 2n ** 248n - 1n, 2n ** 255n]) {
        const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
        const { pkcs8, publicJwk } = await readPrivateKey(p256Pkcs8(d));
        const text = await exportPrivateKey(pkcs8, publicJwk, 'openssh');
        expect(run('ssh-keygen', '-l', '-f', write('scalar', text))).toContain('(ECDSA)');
        expect((await readPrivateKey(text)).pkcs8).toEqual(pkcs8);
      }
    });

    it('but not under a passphrase', async () => {
      for (const [type, ...more] of [
        ['ed25519'],
        ['rsa', '-m', 'PEM'],
        ['rsa', '-m', 'PKCS8'],
      ] as string[][]) {
        const file = `locked${type}${more.join('')}`;
        run('ssh-keygen', '-q', '-t', type as string, ...more, '-N', 'passphrase', '-f', file);
        await expect(readPrivateKey(slurp(file))).rejects.toMatchObject({
          code: 'bad_key',
          message: expect.stringContaining('decrypt it first'),
        });
      }
    });

    it('and not of other kinds', async () => {
      for (const args of [
        ['-t', 'ecdsa', '-b', '384'],

        ['-t', 'rsa', '-b', '1024'],
      ]) {
        const file = `other${args.join('')}`;
        run('ssh-keygen', '-q', ...args, '-N', '', '-f', file);
        await expect(readPrivateKey(slurp(file))).rejects.toMatchObject({ code: 'bad_key' });
      }
    });
  });

  describe.skipIf(isAbsent('openssl'))('openssl, in its other forms', () => {
    /** What OpenSSL makes of a key that it reads itself. */
    const canonical = (file: string) => {
      run('openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', file, '-outform', 'DER', '-out', 'key.der');
      return new Uint8Array(readFileSync(path.join(folder, 'key.der')));
    };
    const isRead = async (text: string) => {
      const { pkcs8, publicJwk } = await readPrivateKey(text);
      expect(pkcs8).toEqual(canonical(write('form.pem', text)));
      return publicJwk;
    };

    it('P-256 in SEC 1, with its parameters before it, compressed, hybrid, and behind a certificate', async () => {
      const withParameters = run('openssl', 'ecparam', '-name', 'prime256v1', '-genkey');
      expect(withParameters).toContain('EC PARAMETERS');
      await isRead(withParameters);
      write('ec.pem', withParameters);
      await isRead(run('openssl', 'ec', '-in', 'ec.pem'));
      for (const form of ['compressed', 'hybrid', 'uncompressed']) {
        const sec1 = run('openssl', 'ec', '-in', 'ec.pem', '-conv_form', form);
        await readPrivateKey(sec1);
        write('form.pem', sec1);
        await readPrivateKey(run('openssl', 'pkcs8', '-topk8', '-nocrypt', '-in', 'form.pem'));
        await readPrivateKey(run('openssl', 'ec', '-in', 'ec.pem', '-no_public'));
      }
      const certificate = run('openssl', 'req', '-new', '-x509', '-key', 'ec.pem', '-subj', '/CN=x');
      await isRead(`${certificate}${withParameters}${run('openssl', 'ec', '-in', 'ec.pem', '-pubout')}`);
    });

    it.each<[string, Uint8Array]>([
      ['a scalar without its leading zero', p256Pkcs8(Buffer.alloc(31, 1))],
      ['a scalar with one zero too many', p256Pkcs8(Buffer.concat([Buffer.alloc(1), Buffer.alloc(32, 7)]))],
      [
        'lengths that are longer than they need to be',
        sequence(
          integer(0n),
          P256_ID,
          Buffer.concat([
            Buffer.from([0x04, 0x81, 0x27]),
            sequence(integer(1n), der(0x04, Buffer.alloc(32, 7))),
          ]),
        ),
      ],
    ])('P-256 with %s', async (_, file) => {
      const { publicJwk } = await readPrivateKey(file);
      const read = createPrivateKey({ key: Buffer.from(file), format: 'der', type: 'pkcs8' });
      expect(createPublicKey(read).export({ format: 'jwk' })).toEqual(publicJwk);
    });

    it('RSA without NULL, without sign octets, and with zeros before its numbers', async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const { pkcs8 } = await readPrivateKey(privateKey.export({ format: 'jwk' }));
      const jwk = privateKey.export({ format: 'jwk' }) as Record<string, string>;
      const numbers = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name) =>
        Buffer.from(jwk[name] as string, 'base64url'),
      );
      const rsaEncryption = der(0x06, Buffer.from('2a864886f70d010101', 'hex'));
      const pkcs1Of = (zeros: number) =>
        sequence(
          integer(0n),
          ...numbers.map((number) => der(0x02, Buffer.concat([Buffer.alloc(zeros), number]))),
        );
      for (const zeros of [0, 1, 2]) {
        const bare = sequence(integer(0n), sequence(rsaEncryption), der(0x04, pkcs1Of(zeros)));
        for (const text of [pem('PRIVATE KEY', bare), pem('RSA PRIVATE KEY', pkcs1Of(zeros))]) {
          expect((await readPrivateKey(text)).pkcs8).toEqual(pkcs8);
          expect(createPublicKey(text).export({ format: 'jwk' })).toEqual(
            createPublicKey(privateKey).export({ format: 'jwk' }),
          );
        }
      }
    });
  });

  describe.skipIf(isAbsent('puttygen'))('puttygen', () => {
    it.each(['ed25519', 'ecdsa', 'rsa'])('%s, in both of its forms for OpenSSH', async (type) => {
      write('none', '');
      const bits = { ed25519: '255', ecdsa: '256', rsa: '2048' }[type] as string;
      // One for each length of padding, and one more.
      for (let length = 0; length < 9; length += type === 'rsa' ? 8 : 1) {
        const comment = 'c'.repeat(length);
        run(
          'puttygen',
          '-q',
          '-t',
          type,
          '-b',
          bits,
          '-C',
          comment,
          '-o',
          'key.ppk',
          '--new-passphrase',
          'none',
        );
        const expected = run('puttygen', '-L', 'key.ppk').split(' ')[1];
        for (const form of ['private-openssh', 'private-openssh-new']) {
          run(
            'puttygen',
            'key.ppk',
            '-O',
            form,
            '-o',
            'key.out',
            '--old-passphrase',
            'none',
            '--new-passphrase',
            'none',
          );
          const { publicJwk } = await readPrivateKey(slurp('key.out'));
          expect(sshPublicKey(publicJwk).split(' ')[1]).toBe(expected);
        }
        await expect(readPrivateKey(slurp('key.ppk'))).rejects.toMatchObject({
          message: expect.stringContaining('puttygen key.ppk -O private-openssh-new'),
        });
      }
    });
  });

  it('node-rsa: every form it writes', async () => {
    const key = new NodeRSA({ b: 2048 });
    const expected = await readPrivateKey(key.exportKey('pkcs8-der'));
    for (const form of ['pkcs1-pem', 'pkcs8-pem', 'openssh-private'] as const) {
      expect(await readPrivateKey(key.exportKey(form))).toEqual(expected);
    }
  });

  it('JWKs and CryptoKeys', async () => {
    for (const kind of KINDS) {
      const { pkcs8, publicJwk } = keys[kind];
      const jwk = await exportPrivateKey(pkcs8, publicJwk, 'jwk');
      expect(await readPrivateKey({ ...jwk })).toEqual({ pkcs8, publicJwk });
      const described = {
        ...jwk,
        kid: '1',
        key_ops: ['sign'],
        ext: true,
        iat: 5,
        'x5t#S256': 'AA',
        issuer: {},
      };
      expect(await readPrivateKey(described)).toEqual({ pkcs8, publicJwk });
      const alg = { OKP: 'Ed25519', EC: 'ES256', RSA: 'PS256' }[jwk.kty];
      const extractable = (await importJWK({ ...jwk }, alg, { extractable: true })) as CryptoKey;
      expect(await readPrivateKey(extractable)).toEqual({ pkcs8, publicJwk });
      const locked = await importForUse(pkcs8, publicJwk, alg as KeyUse);
      await expect(readPrivateKey(locked)).rejects.toMatchObject({
        message: expect.stringContaining('not extractable'),
      });
    }
  });

  it('PKCS#8 with attributes, with a public half, and P-256 without one', async () => {
    const seed = Buffer.alloc(32, 7);
    const plain = sequence(integer(0n), ED25519_ID, der(0x04, der(0x04, seed)));
    const { publicJwk } = await readPrivateKey(plain);
    const x = Buffer.from((publicJwk as { x: string }).x, 'base64url');
    const attributes = der(
      0xa0,
      sequence(der(0x06, Buffer.from('551d0f', 'hex')), der(0x31, der(0x03, Buffer.of(7, 128)))),
    );
    const withPublic = (key: Uint8Array) =>
      sequence(integer(1n), ED25519_ID, der(0x04, der(0x04, seed)), attributes, der(0x81, Buffer.of(0), key));
    expect((await readPrivateKey(withPublic(x))).pkcs8).toEqual(plain);
    // Version 2 without a public half, version 1 with one, and the explicit tag of older releases of ring.
    const key = der(0x04, der(0x04, seed));
    const bits = (tag: number, ...inside: Uint8Array[]) => der(tag, ...inside);
    for (const file of [
      sequence(integer(1n), ED25519_ID, key),
      sequence(integer(0n), ED25519_ID, key, bits(0x81, Buffer.of(0), x)),
      sequence(integer(1n), ED25519_ID, key, bits(0xa1, bits(0x03, Buffer.of(0), x))),
    ]) {
      expect((await readPrivateKey(file)).pkcs8).toEqual(plain);
    }
    await expect(readPrivateKey(withPublic(Buffer.alloc(32, 1)))).rejects.toMatchObject({
      message: expect.stringContaining('belongs to another key'),
    });
    expect((await readPrivateKey(p256Pkcs8(seed))).pkcs8).toHaveLength(138);
  });
});

const ED25519_ID = sequence(der(0x06, Buffer.from('2b6570', 'hex')));
const P256_ID = sequence(
  der(0x06, Buffer.from('2a8648ce3d0201', 'hex')),
  der(0x06, Buffer.from('2a8648ce3d030107', 'hex')),
);
/** The point of the scalar 0x0707…07, bare and as RFC 5915 has it. */
const SEVEN = ((): Buffer => {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.alloc(32, 7));
  return ecdh.getPublicKey();
})();
const POINT = der(0xa1, der(0x03, Buffer.of(0), SEVEN));
const p256Pkcs8 = (d: Uint8Array, ...options: Uint8Array[]) =>
  sequence(integer(0n), P256_ID, der(0x04, sequence(integer(1n), der(0x04, d), ...options)));

describe('what cannot be protected', () => {
  const rsaMembers = Object.fromEntries(
    ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name) => [name, 'AQAB']),
  );
  const spki = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const pkcs8Of = (pair: { privateKey: { export(o: { format: 'pem'; type: 'pkcs8' }): string | Buffer } }) =>
    pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const sec1Of = ({ privateKey }: KeyPairKeyObjectResult) =>
    privateKey.export({ format: 'pem', type: 'sec1' }).toString();
  const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  const ed = pkcs8Of(generateKeyPairSync('ed25519'));

  it.each<[string, unknown, RegExp]>([
    ['an empty text', '', /no PEM/],
    ['something else', 'password', /no PEM/],
    ['nothing', undefined, /JWK/],
    ['a number', 7, /JWK/],
    ['no bytes', new Uint8Array(0), /no PEM/],
    ['an endless text', 'x'.repeat(1_000_000), /too long/],
    ['endless bytes', new Uint8Array(1_000_000).fill(0x30), /too long/],
    ['a public key', spki, /PUBLIC KEY/],
    ['a certificate', pem('CERTIFICATE', Buffer.alloc(9)), /CERTIFICATE/],
    ['two keys', ed + ed, /more than one/],
    ['a key of PuTTY', 'PuTTY-User-Key-File-3: ssh-ed25519\n', /puttygen/],
    ['a text without its end', ed.slice(0, 90), /no END/],
    ['a text with another end', ed.replace('END PRIVATE', 'END RSA PRIVATE'), /no END/],
    ['no base64', ed.replace(/MC4/, 'M*4'), /base64/],
    ['base64url', pem('PRIVATE KEY', Buffer.alloc(3, 255)).replace('////', '____'), /base64/],
    ['base64 with stray bits', pem('PRIVATE KEY', Buffer.of(0)).replace('AA==', 'AB=='), /base64/],
    ['padding inside', pem('PRIVATE KEY', Buffer.of(0, 0)).replace('AAA=', 'A=AA'), /base64/],
    ['an empty PEM', '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n', /base64/],
    ['X25519', pkcs8Of(generateKeyPairSync('x25519')), /kind/],
    ['Ed448', pkcs8Of(generateKeyPairSync('ed448')), /kind/],
    ['secp256k1', pkcs8Of(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), /kind/],
    ['P-384 in SEC 1', sec1Of(generateKeyPairSync('ec', { namedCurve: 'P-384' })), /another curve/],
    ['P-256 by its numbers', pkcs8Of(explicit), /named_curve/],
    ['P-256 by its numbers in SEC 1', sec1Of(explicit), /named_curve/],
    ['P-384', pkcs8Of(generateKeyPairSync('ec', { namedCurve: 'P-384' })), /kind/],
    ['RSA for PSS alone', pkcs8Of(generateKeyPairSync('rsa-pss', { modulusLength: 2048 })), /PSS/],
    ['a scalar 0', p256Pkcs8(Buffer.alloc(32)), /out of range/],
    ['a scalar as large as the order', p256Pkcs8(order), /out of range/],
    ['a long scalar', p256Pkcs8(Buffer.alloc(33, 1)), /out of range/],
    ['no scalar', p256Pkcs8(Buffer.alloc(0)), /out of range/],
    ['a short seed', sequence(integer(0n), ED25519_ID, der(0x04, der(0x04, Buffer.alloc(31)))), /damaged/],
    ['version 2', sequence(integer(2n), ED25519_ID, der(0x04, der(0x04, order))), /damaged/],
    [
      'a point behind a bit count',
      p256Pkcs8(Buffer.alloc(32, 7), der(0xa1, der(0x03, Buffer.of(4), SEVEN))),
      /damaged/,
    ],
    ['two points', p256Pkcs8(Buffer.alloc(32, 7), POINT, POINT), /damaged/],
    ['a symmetric JWK', { kty: 'oct', k: 'AAAA' }, /JWK/],
    ['a public JWK', { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }, /JWK/],
    ['a JWK of bytes that are too few', { kty: 'OKP', crv: 'Ed25519', x: 'AA', d: 'AA' }, /32 bytes/],
    ['an RSA JWK of three primes', { kty: 'RSA', ...rsaMembers, oth: [{ r: 'AQ' }] }, /oth/],
    ['an RSA JWK without primes', { kty: 'RSA', n: 'AQAB', e: 'AQAB', d: 'AQAB' }, /see p/],
  ])('%s', async (_, source, message) => {
    await expect(readPrivateKey(source as PrivateKeySource)).rejects.toMatchObject({
      code: 'bad_key',
      message: expect.stringMatching(message),
    });
  });

  it.each(['Ed25519', 'P-256'] as const)('%s with the public half of another key', async (kind) => {
    const jwk = await exportPrivateKey(keys[kind].pkcs8, keys[kind].publicJwk, 'jwk');
    const { publicJwk } = await generatePrivateKey(kind);
    await expect(readPrivateKey({ ...jwk, ...publicJwk })).rejects.toMatchObject({
      code: 'bad_key',
      message: expect.stringContaining('another key'),
    });
  });

  describe('OpenSSH files that are', () => {
    // Offsets in a file of one Ed25519 key: see the layout in openssh-key.ts.
    const [COUNT, PUBLIC, CHECK] = [38, 93, 98] as const;
    it.each<[string, (file: Buffer) => Buffer]>([
      ['of two keys', (file) => edited(file, COUNT, 2)],
      ['of another public key outside', (file) => edited(file, PUBLIC, 255)],
      ['under another check number', (file) => edited(file, CHECK, 255)],
      ['padded otherwise', (file) => edited(file, file.length - 1, 9)],
      ['cut short', (file) => file.subarray(0, -8)],
      ['longer than they say', (file) => Buffer.concat([file, Buffer.alloc(8)])],
      ['of another magic', (file) => edited(file, 0, 0)],
      ['nothing but a magic', (file) => file.subarray(0, 15)],
    ])('%s', async (_, change) => {
      const { pkcs8, publicJwk } = await generatePrivateKey();
      const text = await exportPrivateKey(pkcs8, publicJwk, 'openssh', (length) => new Uint8Array(length));
      const file = Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64');
      expect((await readPrivateKey(pem('OPENSSH PRIVATE KEY', file))).pkcs8).toEqual(pkcs8);
      await expect(readPrivateKey(pem('OPENSSH PRIVATE KEY', change(file)))).rejects.toMatchObject({
        code: 'bad_key',
        message: expect.stringContaining('a damaged OpenSSH key'),
      });
    });

    const edited = (file: Buffer, at: number, value: number) => {
      const out = Buffer.from(file);
      expect(out[at]).not.toBe(value);
      out[at] = value;
      return out;
    };
  });

  it('an Ed25519 seed of another length, which OpenSSL would cut', async () => {
    const { pkcs8, publicJwk } = await generatePrivateKey('Ed25519');
    const seed = Buffer.from(pkcs8).subarray(-32);
    for (const d of [seed.subarray(1), Buffer.concat([seed, Buffer.alloc(1)]), Buffer.concat([seed, seed])]) {
      const jwk = { ...publicJwk, d: d.toString('base64url') };
      await expect(readPrivateKey(jwk as PrivateKeySource)).rejects.toMatchObject({ code: 'bad_key' });
    }
  });

  it('public and symmetric CryptoKeys', async () => {
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const secret = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
    for (const key of [publicKey, secret]) {
      await expect(readPrivateKey(key)).rejects.toMatchObject({
        message: expect.stringContaining('not a private'),
      });
    }
    const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, [
      'sign',
      'verify',
    ]);
    await expect(readPrivateKey(privateKey)).rejects.toMatchObject({ code: 'bad_key' });
  });

  it('and never in another error, whatever is changed in a file', async () => {
    const texts: string[] = [];
    for (const kind of KINDS) {
      const { pkcs8, publicJwk } = keys[kind];
      texts.push(
        await exportPrivateKey(pkcs8, publicJwk, 'pkcs8-pem'),
        await exportPrivateKey(pkcs8, publicJwk, 'openssh'),
      );
    }
    const { pkcs8, publicJwk } = keys['RSA-2048'];
    texts.push(await exportPrivateKey(pkcs8, publicJwk, 'pkcs1-pem'));
    const files = texts.flatMap((text) => {
      const [, label = '', body = ''] = /BEGIN ([A-Z ]+)-----([^-]*)/.exec(text) ?? [];
      return { label, bytes: Buffer.from(body, 'base64') };
    });
    const change = fc.record({
      at: fc.nat(),
      length: fc.nat({ max: 8 }),
      insert: fc.uint8Array({ maxLength: 8 }),
    });
    const changed = fc
      .record({ file: fc.constantFrom(...files), changes: fc.array(change, { maxLength: 3 }) })
      .map(({ file: { label, bytes }, changes }) => {
        let out: Buffer = bytes;
        for (const { at, length, insert } of changes) {
          const from = at % Math.min(out.length, 400);
          out = Buffer.concat([out.subarray(0, from), insert, out.subarray(from + length)]);
        }
        return pem(label, out);
      });
    const anything = fc.oneof(fc.string(), fc.uint8Array(), fc.anything(), changed, changed, changed);
    await fc.assert(
      fc.asyncProperty(anything, async (source) => {
        await readPrivateKey(source as PrivateKeySource).catch((error: unknown) => {
          expect(isRoamingKeyError(error, 'bad_key')).toBe(true);
          expect((error as Error).cause).toBeUndefined();
        });
      }),
      { numRuns: 1500 },
    );
  });
});

describe('using a retrieved key', () => {
  const signing: [PrivateKeyKind, KeyUse][] = [
    ['Ed25519', 'Ed25519'],
    ['P-256', 'ES256'],
    ...(['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const).map(
      (alg): [PrivateKeyKind, KeyUse] => ['RSA-2048', alg],
    ),
  ];
  it.each(signing)('%s signs %s', async (kind, alg) => {
    const { pkcs8, publicJwk } = keys[kind];
    const key = await importForUse(pkcs8, publicJwk, alg);
    expect(key.extractable).toBe(false);
    const jws = await new CompactSign(Buffer.from('text')).setProtectedHeader({ alg }).sign(key);
    const at = jws.lastIndexOf('.');
    const publicKey = createPublicKey({ format: 'jwk', key: { ...publicJwk } });
    const isPss = alg.startsWith('PS');
    expect(
      nodeVerify(
        kind === 'Ed25519' ? null : `sha${alg.slice(2)}`,
        Buffer.from(jws.slice(0, at)),
        { key: publicKey, dsaEncoding: 'ieee-p1363', ...(isPss ? { padding: 6, saltLength: -1 } : {}) },
        Buffer.from(jws.slice(at + 1), 'base64url'),
      ),
    ).toBe(true);
  });

  it.each<[PrivateKeyKind, KeyUse]>([
    ['P-256', 'ECDH-ES'],
    ['RSA-2048', 'RSA-OAEP-256'],
  ])('%s decrypts %s', async (kind, alg) => {
    const { pkcs8, publicJwk } = keys[kind];
    const jwe = await new CompactEncrypt(Buffer.from('text'))
      .setProtectedHeader({ alg, enc: 'A256GCM' })
      .encrypt(await importJWK({ ...publicJwk }, alg));
    const { plaintext } = await compactDecrypt(jwe, await importForUse(pkcs8, publicJwk, alg));
    expect(new TextDecoder().decode(plaintext)).toBe('text');
  });

  it('is refused for what the key is no good for', async () => {
    const { pkcs8, publicJwk } = keys['Ed25519'];
    for (const alg of ['ES256', 'PS256', 'none', 'constructor', '__proto__']) {
      await expect(importForUse(pkcs8, publicJwk, alg as KeyUse)).rejects.toThrow(TypeError);
    }
    const dh = { kty: 'DH', group: 'ffdhe2048', y: '' } as const;
    await expect(exportPrivateKey(pkcs8, dh, 'jwk')).rejects.toThrow(TypeError);
  });

  it.each(KINDS)('%s: another key is a wrong answer', async (kind) => {
    const alg = ({ Ed25519: 'Ed25519', 'P-256': 'ES256' } as Record<string, KeyUse>)[kind] ?? 'PS256';
    const { publicJwk } = keys[kind];
    for (const other of [
      (await generatePrivateKey(kind)).pkcs8,
      ...KINDS.filter((k) => k !== kind).map((k) => keys[k].pkcs8),
    ]) {
      await expect(importForUse(other, publicJwk, alg)).rejects.toMatchObject({ code: 'bad_response' });
      await expect(exportPrivateKey(other, publicJwk, 'pkcs8-pem')).rejects.toMatchObject({
        code: 'bad_response',
      });
    }
  });

  it.each(KINDS)(
    '%s: an assistant that flips bits of the masked key is found out',
    async (kind) => {
      const alg = ({ Ed25519: 'Ed25519', 'P-256': 'ES256' } as Record<string, KeyUse>)[kind] ?? 'RS256';
      const { pkcs8, publicJwk } = keys[kind];
      const total = pkcs8.length * 8;
      // Every bit of the curve keys; of RSA every 13th, so that each byte's turn comes within two.
      for (let bit = 0; bit < total; bit += total > 2000 ? 13 : 1) {
        const flipped = pkcs8.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        const error: unknown = await importForUse(flipped, publicJwk, alg).catch((e: unknown) => e);
        expect(isRoamingKeyError(error, 'bad_response'), `bit ${bit}`).toBe(true);
      }
      const lengths = [new Uint8Array(0), pkcs8.slice(0, -1), pkcs8.slice(1), new Uint8Array([...pkcs8, 0])];
      for (const bytes of [...lengths, new Uint8Array(pkcs8.length)]) {
        await expect(importForUse(bytes, publicJwk, alg)).rejects.toMatchObject({ code: 'bad_response' });
      }
    },
    60_000,
  );

  it('leaves the retrieved bytes to their owner to wipe', async () => {
    const { pkcs8, publicJwk } = keys['P-256'];
    const before = pkcs8.slice();
    await importForUse(pkcs8, publicJwk, 'ES256');
    expect(pkcs8).toEqual(before);
    const out = await exportPrivateKey(pkcs8, publicJwk, 'pkcs8-der');
    out.fill(0);
    expect(pkcs8).toEqual(before);
  });
});

describe('giving a key out', () => {
  const text: PrivateKeyFormat[] = ['pkcs8-pem', 'pkcs1-pem', 'openssh'];
  it.each(KINDS)('%s: every form reads back as the same key', async (kind) => {
    const { pkcs8, publicJwk } = keys[kind];
    for (const format of text.filter((f) => f !== 'pkcs1-pem' || kind === 'RSA-2048') as 'openssh'[]) {
      expect(await readPrivateKey(await exportPrivateKey(pkcs8, publicJwk, format))).toEqual({
        pkcs8,
        publicJwk,
      });
    }
    expect(await exportPrivateKey(pkcs8, publicJwk, 'pkcs8-der')).toEqual(pkcs8);
  });

  it.skipIf(isAbsent('openssl')).each(KINDS)('%s: openssl reads it', async (kind) => {
    const { pkcs8, publicJwk } = keys[kind];
    for (const format of (kind === 'RSA-2048'
      ? ['pkcs8-pem', 'pkcs1-pem']
      : ['pkcs8-pem']) as 'pkcs8-pem'[]) {
      const file = write('out.pem', await exportPrivateKey(pkcs8, publicJwk, format));
      const spki = run('openssl', 'pkey', '-in', file, '-pubout');
      expect(createPublicKey(spki).export({ format: 'jwk' })).toEqual(publicJwk);
      if (kind === 'RSA-2048')
        expect(run('openssl', 'rsa', '-in', file, '-check', '-noout')).toContain('RSA key ok');
    }
  });

  it('draws the check number of OpenSSH from the generator it is given', async () => {
    const { pkcs8, publicJwk } = keys['Ed25519'];
    const fixed = () =>
      exportPrivateKey(pkcs8, publicJwk, 'openssh', (length) => new Uint8Array(length).fill(5));
    expect(await fixed()).toBe(await fixed());
    expect(await exportPrivateKey(pkcs8, publicJwk, 'openssh')).not.toBe(await fixed());
  });

  it('has PKCS#1 for RSA alone, and no other forms', async () => {
    const { pkcs8, publicJwk } = keys['Ed25519'];
    await expect(exportPrivateKey(pkcs8, publicJwk, 'pkcs1-pem')).rejects.toThrow(TypeError);
    await expect(exportPrivateKey(pkcs8, publicJwk, 'ppk' as 'openssh')).rejects.toThrow(TypeError);
  });
});

describe('the vectors of the independent implementation', () => {
  it('have the key that their record names', async () => {
    const { privateKey, publicJwk, jkt } = vectors.retrieve.enrol;
    const pkcs8 = hex(privateKey);
    expect(await readPrivateKey(pkcs8)).toEqual({ pkcs8, publicJwk });
    expect(await thumbprint(publicJwk)).toBe(jkt);
    expect((await importForUse(pkcs8, publicJwk, 'Ed25519')).usages).toEqual(['sign']);
  });
});
