/**
 * Receives messages that only device, password and assistant together can read; the sender uses npm jose and has
 * never heard of any of this.
 *
 *     npx tsx examples/receive-message.ts
 */
import { CompactEncrypt, importJWK } from 'jose';
import { Device, encryptTo, enroll } from 'passport-roaming-key/device';
import { startApp } from './support/start.ts';

const app = await startApp('quickstart.ts');
const assistant = `${app.origin}/assistant`;
const password = 'correct horse battery staple';

const { record } = await enroll({ assistant, password, scheme: 'elgamal' });
const device = new Device(record, { assistant });
console.log('publish this key:', JSON.stringify(device.jwk));

// The sender: any JOSE library, a standard algorithm, the public key.
const jwe = await new CompactEncrypt(new TextEncoder().encode('Meet me at noon.'))
  .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
  .encrypt(await importJWK({ ...device.jwk }, 'ECDH-ES+A256KW'));
console.log('received:', new TextDecoder().decode(await device.decrypt(jwe, { password })));

// Classic ElGamal groups work too; their messages have a frame of our own.
const classic = await enroll({ assistant, password, scheme: 'elgamal', key: 'ffdhe2048' });
const note = await encryptTo(classic.record.jwk, new TextEncoder().encode('In a group of RFC 7919.'));
const reader = new Device(classic.record, { assistant });
console.log('received:', new TextDecoder().decode(await reader.decrypt(note, { password })));
await app.stop();
