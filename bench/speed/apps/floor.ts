import { createDiffieHellman, randomBytes } from 'node:crypto';
import express from 'express';
import { objectPower } from '../../../lib/exponentiation/worker.js';
import { generateKeyPairSync } from '../../../test/support/key-pair.ts';

/** The floor of a shared RSA-2048 signature: OpenSSL's constant-time exponentiation, its modulus prepared. */
export function floorApp() {
  const { n = '', d = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    format: 'jwk',
  });
  const object = createDiffieHellman(Buffer.from(n, 'base64url'), 2);
  const exponent = Buffer.from(d, 'base64url');
  const app = express();
  app.post('/powers', express.json(), (req, res) => {
    for (let i = 0; i < req.body.times; i++) {
      const base = randomBytes(256);
      base[0] = 0;
      objectPower(object, base, exponent);
    }
    res.json({});
  });
  return app;
}
