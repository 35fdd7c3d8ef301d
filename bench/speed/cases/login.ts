import { randomUUID, sign } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { generateKeyPairSync } from '../../../test/support/key-pair.ts';
import { AUDIENCE } from '../apps/login.ts';
import { MeasuredServer } from '../measured-server.ts';
import { newSqlite } from './assistant.ts';
import { type Case, many, prepared } from './case.ts';

/** Challenge and login at a relying party, by an Ed25519 key: what follows an unlock. */
export function loginCase(): Case {
  return {
    name: 'challenge and login, SQLite',
    batch: 800,
    async start() {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const { crv = '', x = '' } = publicKey.export({ format: 'jwk' });
      const jwk = { kty: 'OKP', crv, x };
      const kid = await calculateJwkThumbprint(jwk);
      const keys = { ada: [{ jwk, alg: 'Ed25519', u: 'A'.repeat(43) }] };
      const server = await MeasuredServer.start('login', { app: { store: newSqlite(), keys } });
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const header = encode({ alg: 'Ed25519', typ: 'rk-login+jwt', kid });
      const proof = ({ challenge, now }: { challenge: string; now: number }) => {
        const claims = {
          aud: AUDIENCE,
          sub: 'ada',
          nonce: challenge,
          iat: now,
          exp: now + 120,
          jti: randomUUID(),
        };
        const signed = `${header}.${encode(claims)}`;
        return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
      };
      return {
        server,
        async run(times, send) {
          const { answers } = await send(
            Array.from({ length: times }, () => prepared('/login/challenge', {})),
          );
          await send(
            await many(times, (i) => prepared('/login', { proof: proof(JSON.parse(answers[i] as string)) })),
          );
        },
      };
    },
  };
}
