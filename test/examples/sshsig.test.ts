import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type RsaPublicKey,
  type SignRs512,
  sshPublicKey,
  sshSignature,
} from '../../examples/support/sshsig.ts';
import { isAbsent } from '../support/binaries.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sshsig-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = publicKey.export({ format: 'jwk' }) as unknown as RsaPublicKey;
const sign: SignRs512 = (data) => nodeSign('sha512', data, privateKey);
const message = new TextEncoder().encode('the contents of a file\n') as Uint8Array<ArrayBuffer>;

const signers = path.join(folder, 'allowed_signers');
writeFileSync(signers, `alice@example.org ${sshPublicKey(jwk)}\n`);

function verify(
  signature: string,
  input: Uint8Array,
  namespace = 'file',
): { status: number | null; output: string } {
  const file = path.join(folder, 'signature.sig');
  writeFileSync(file, signature);
  const args = ['-Y', 'verify', '-f', signers, '-I', 'alice@example.org', '-n', namespace, '-s', file];
  const { status, stdout } = spawnSync('ssh-keygen', args, { input, encoding: 'utf8' });
  return { status, output: stdout };
}

describe.skipIf(isAbsent('ssh-keygen'))('sshsig', () => {
  it('is accepted by ssh-keygen -Y verify', async () => {
    const { status, output } = verify(await sshSignature(message, 'file', jwk, sign), message);
    expect(output).toContain('Good "file" signature for alice@example.org with RSA key');
    expect(status).toBe(0);
  });

  it('is refused for another message and for another purpose', async () => {
    const signature = await sshSignature(message, 'file', jwk, sign);
    expect(verify(signature, new Uint8Array([1])).status).not.toBe(0);
    expect(verify(signature, message, 'git').status).not.toBe(0);
  });

  it('has, byte for byte, what ssh-keygen -Y sign makes with the same key', async () => {
    const keyFile = path.join(folder, 'key');
    writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs1' }), { mode: 0o600 });
    writeFileSync(`${keyFile}.pub`, sshPublicKey(jwk));
    const file = path.join(folder, 'message');
    writeFileSync(file, message);
    execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', keyFile, '-n', 'file', file], { stdio: 'ignore' });
    expect(await sshSignature(message, 'file', jwk, sign)).toBe(readFileSync(`${file}.sig`, 'utf8'));
  });

  it('writes the public key as ssh-keygen does', () => {
    const file = path.join(folder, 'public.pem');
    writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
    const line = execFileSync('ssh-keygen', ['-i', '-m', 'PKCS8', '-f', file], { encoding: 'utf8' }).trim();
    expect(sshPublicKey(jwk)).toBe(line);
    expect(sshPublicKey(jwk, 'alice')).toBe(`${line} alice`);
  });

  it('refuses a purpose that is none', async () => {
    for (const namespace of ['', 'two words', 'ü', 'x'.repeat(256)]) {
      await expect(sshSignature(message, namespace, jwk, sign)).rejects.toThrow(TypeError);
    }
  });
});
