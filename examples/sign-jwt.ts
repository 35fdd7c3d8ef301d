/**
 * Signs a JWT with a shared RSA key; npm jose verifies it against a JWKS, as any service would.
 *
 *     npx tsx examples/sign-jwt.ts
 */
import { createLocalJWKSet, jwtVerify } from 'jose';
import { Device, enroll } from 'passport-roaming-key/device';
import { startApp } from './support/start.ts';

const app = await startApp('quickstart.ts');
const assistant = `${app.origin}/assistant`;
const password = 'correct horse battery staple';

const { record } = await enroll({ assistant, password, scheme: 'rsa' });
const device = new Device(record, { assistant, purposes: ['sign'] });
await device.unlockShared(password, { forSeconds: 60 });

const now = Math.floor(Date.now() / 1000);
const claims = {
  iss: 'https://issuer.example',
  sub: 'ada',
  aud: 'https://api.example',
  iat: now,
  exp: now + 300,
};
const jwt = await device.signJws(JSON.stringify(claims), {
  alg: 'PS256',
  header: { typ: 'JWT', kid: 'ada-1' },
});

const keys = createLocalJWKSet({ keys: [{ ...device.jwk, kid: 'ada-1', alg: 'PS256', use: 'sig' }] });
const { payload } = await jwtVerify(jwt, keys, {
  issuer: 'https://issuer.example',
  audience: 'https://api.example',
});
console.log('verified by jose:', payload);
await app.stop();
