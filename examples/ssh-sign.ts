/**
 * Uses a shared RSA key as an SSH identity: signs a file so that `ssh-keygen -Y verify` accepts it.
 *
 *     npx tsx examples/ssh-sign.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Device, enroll } from 'passport-roaming-key/device';
import { sshPublicKey, sshSignature } from 'passport-roaming-key/device/node';
import { startApp } from './support/start.ts';
import { hasTool, run } from './support/tools.ts';

if (hasTool('ssh-keygen')) {
  const app = await startApp('quickstart.ts');
  const assistant = `${app.origin}/assistant`;
  const password = 'correct horse battery staple';

  const { record } = await enroll({ assistant, password, scheme: 'rsa', key: 'RSA-3072' });
  const device = new Device(record, { assistant, purposes: ['sign'] });

  const release = new TextEncoder().encode('release 1.0.0\n');
  const signature = await sshSignature(release, 'file', record.jwk, (data, alg) =>
    device.sign(data, { alg, password }),
  );

  const folder = mkdtempSync(path.join(tmpdir(), 'ssh-'));
  writeFileSync(path.join(folder, 'release.sig'), signature);
  writeFileSync(path.join(folder, 'allowed_signers'), `ada@example.org ${sshPublicKey(record.jwk)}\n`);
  const verify = ['-Y', 'verify', '-n', 'file', '-I', 'ada@example.org'];
  const files = ['-f', path.join(folder, 'allowed_signers'), '-s', path.join(folder, 'release.sig')];
  console.log('ssh-keygen says:', run('ssh-keygen', [...verify, ...files], release));
  rmSync(folder, { recursive: true });
  await app.stop();
}
