/**
 * Signs a document with an RSA key that exists nowhere, and has OpenSSL verify it.
 *
 *     npx tsx examples/sign-document.ts
 */
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Device, disable, enroll, isRoamingKeyError } from 'passport-roaming-key/device';
import { startApp } from './support/start.ts';
import { hasTool, run } from './support/tools.ts';

if (hasTool('openssl')) {
  const app = await startApp('quickstart.ts');
  const assistant = `${app.origin}/assistant`;
  const password = 'correct horse battery staple';
  const folder = mkdtempSync(path.join(tmpdir(), 'document-'));
  const file = (name: string, content: string | Uint8Array) => {
    const full = path.join(folder, name);
    writeFileSync(full, content);
    return full;
  };

  // Enrolment splits the key: one half comes out of the password, the other lies in the ticket, for the assistant only.
  const { record, kit } = await enroll({ assistant, password, scheme: 'rsa', key: 'RSA-2048' });
  const device = new Device(record, { assistant, purposes: ['sign'] });

  const text = new TextEncoder().encode('I owe you ten pounds.\n');
  const signature = await device.sign(text, { alg: 'RS256', password });
  const pem = createPublicKey({ key: { ...device.jwk }, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  const [key, document, sig] = [file('key.pem', pem), file('iou.txt', text), file('iou.sig', signature)];
  console.log(
    'openssl says:',
    run('openssl', ['dgst', '-sha256', '-verify', key, '-signature', sig, document]),
  );

  const pss = file('iou.pss', await device.sign(text, { alg: 'PS256', password }));
  const padding = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'];
  console.log(
    'and of PSS:',
    run('openssl', ['dgst', '-sha256', '-verify', key, ...padding, '-signature', pss, document]),
  );

  // The device and its password were stolen. The kit stops every further signature.
  await disable(kit);
  await device.sign(text, { alg: 'RS256', password }).catch((error: unknown) => {
    if (!isRoamingKeyError(error, 'disabled')) throw error;
    console.log('disabled: no further signature, password or not');
  });
  rmSync(folder, { recursive: true });
  await app.stop();
}
