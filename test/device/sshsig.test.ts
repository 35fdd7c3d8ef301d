import { spawnSync } from 'node:child_process';
import { sign as nodeSign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PublicJwk } from '../../lib/crypto/keys/public-jwk.ts';
import { type SshAlg, sshPublicKey, sshSignatureBlob } from '../../lib/crypto/ssh/encoding.ts';
import { sshSignature } from '../../lib/crypto/ssh/sshsig.ts';
import { isAbsent } from '../support/binaries.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sshsig-'));
afterAll(() => rmSync(folder, { recursive: true }));

const message = new TextEncoder().encode('the contents of a file\n');

function newKey(kind: 'Ed25519' | 'P-256' | 'RSA') {
  const { privateKey, publicKey } =
    kind === 'Ed25519'
      ? generateKeyPairSync('ed25519')
      : kind === 'P-256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = publicKey.export({ format: 'jwk' }) as unknown as PublicJwk;
  const hash: Partial<Record<SshAlg, string>> = { ES256: 'sha256', RS512: 'sha512' };
  const sign = (data: Uint8Array, alg: SshAlg) =>
    nodeSign(hash[alg] ?? null, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { jwk, sign };
}

function verify(jwk: PublicJwk, signature: string, input: Uint8Array, namespace = 'file'): number | null {
  const [signers, file] = [path.join(folder, 'signers'), path.join(folder, 'signature')];
  writeFileSync(signers, `alice@example.org ${sshPublicKey(jwk, 'a comment')}\n`);
  writeFileSync(file, signature);
  const args = ['-Y', 'verify', '-f', signers, '-I', 'alice@example.org', '-n', namespace, '-s', file];
  return spawnSync('ssh-keygen', args, { input }).status;
}

describe.skipIf(isAbsent('ssh-keygen'))('sshSignature', () => {
  it.each(['Ed25519', 'P-256', 'RSA'] as const)('is accepted by ssh-keygen for %s keys', async (kind) => {
    const { jwk, sign } = newKey(kind);
    const signature = await sshSignature(message, 'file', jwk, sign);
    expect(verify(jwk, signature, message)).toBe(0);
    expect(verify(jwk, signature, message, 'git')).not.toBe(0);
    expect(verify(jwk, signature, new TextEncoder().encode('something else\n'))).not.toBe(0);
    expect(verify(newKey(kind).jwk, signature, message)).not.toBe(0);
  });

  it('has ECDSA numbers in their shortest form, whatever their first bytes', async () => {
    const { jwk, sign } = newKey('P-256');
    const signatures = await Promise.all(
      Array.from({ length: 12 }, () => sshSignature(message, 'file', jwk, sign)),
    );
    for (const signature of signatures) expect(verify(jwk, signature, message)).toBe(0);
    const numbers = new Uint8Array(64).fill(0x80, 31, 32).fill(1, 63);
    expect([...sshSignatureBlob('ES256', numbers).subarray(-11)]).toEqual([
      0, 0, 0, 2, 0, 0x80, 0, 0, 0, 1, 1,
    ]);
  });

  it('refuses namespaces that are none, and keys that do not sign', async () => {
    const { jwk, sign } = newKey('Ed25519');
    for (const namespace of ['', 'two words', 'umläut', 'x'.repeat(256)]) {
      await expect(sshSignature(message, namespace, jwk, sign)).rejects.toThrow(TypeError);
    }
    const dh: PublicJwk = { kty: 'DH', group: 'ffdhe2048', y: 'AA' };
    await expect(sshSignature(message, 'file', dh, sign)).rejects.toMatchObject({ code: 'unsupported' });
    expect(() => sshPublicKey(dh)).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
  });
});
