import { createHash, randomBytes, sign } from 'node:crypto';
import * as opaque from '@serenity-kit/opaque';
import { SRPClientSession, SRPParameters, SRPRoutines } from 'tssrp6a';
import { generateKeyPairSync } from '../../../test/support/key-pair.ts';
import { MeasuredServer } from '../measured-server.ts';
import { type Case, many, prepared } from './case.ts';

/** Both requests of an OPAQUE login. The client's own stretching is made cheap: it is not the server's. */
export function opaqueCase(): Case {
  const keyStretching = { 'argon2id-custom': { iterations: 1, memory: 8, parallelism: 1 } } as const;
  const [password, userIdentifier] = ['correct horse', 'ada'];
  return {
    name: 'OPAQUE login',
    batch: 120,
    async start() {
      await opaque.ready;
      const server = await MeasuredServer.start('opaque');
      const { clientRegistrationState, registrationRequest } = opaque.client.startRegistration({ password });
      const started = await server.send(
        [prepared('/register/start', { userIdentifier, registrationRequest })],
        1,
      );
      const { registrationResponse } = JSON.parse(started.answers[0] as string);
      const { registrationRecord } = opaque.client.finishRegistration({
        clientRegistrationState,
        registrationResponse,
        password,
        keyStretching,
      });
      await server.send([prepared('/register/finish', { userIdentifier, registrationRecord })], 1);
      return {
        server,
        async run(times, send) {
          const logins = await many(times, () => opaque.client.startLogin({ password }));
          const { answers } = await send(
            logins.map(({ startLoginRequest }) =>
              prepared('/login/start', { userIdentifier, startLoginRequest }),
            ),
          );
          const finishes = logins.map(({ clientLoginState }, i) => {
            const { loginResponse, state } = JSON.parse(answers[i] as string);
            const done = opaque.client.finishLogin({
              clientLoginState,
              loginResponse,
              password,
              keyStretching,
            });
            if (!done) throw new Error('the OPAQUE login failed');
            return prepared('/login/finish', { state, finishLoginRequest: done.finishLoginRequest });
          });
          await send(finishes);
        },
      };
    },
  };
}

/** The verification of a WebAuthn assertion by an ES256 key, and the request for its options where it counts too. */
export function webauthnCase({ withOptions }: { readonly withOptions: boolean }): Case {
  const [rpID, origin] = ['app.example', 'https://app.example'];
  return {
    name: withOptions ? 'WebAuthn login, options and verification' : 'WebAuthn verification',
    batch: 1000,
    async start() {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
      const id = randomBytes(16).toString('base64url');
      // COSE_Key: a map of kty, alg, crv, x, y (RFC 9053 section 7.1).
      const cose = Buffer.concat([
        Buffer.from('a5010203262001215820', 'hex'),
        Buffer.from(x, 'base64url'),
        Buffer.from('225820', 'hex'),
        Buffer.from(y, 'base64url'),
      ]);
      const credential = { id, publicKey: cose.toString('base64url') };
      const server = await MeasuredServer.start('webauthn', { app: { rpID, origin, credential } });
      // Who it is for, that the user was present and verified, and a counter that is not used.
      const authenticatorData = Buffer.concat([
        createHash('sha256').update(rpID).digest(),
        Buffer.of(5, 0, 0, 0, 0),
      ]);
      const assertion = (challenge: string) => {
        const client = Buffer.from(
          JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }),
        );
        const signed = Buffer.concat([authenticatorData, createHash('sha256').update(client).digest()]);
        return prepared('/verify', {
          id,
          rawId: id,
          type: 'public-key',
          clientExtensionResults: {},
          response: {
            authenticatorData: authenticatorData.toString('base64url'),
            clientDataJSON: client.toString('base64url'),
            signature: sign('sha256', signed, privateKey).toString('base64url'),
          },
        });
      };
      return {
        server,
        async run(times, send) {
          const asked = Array.from({ length: times }, () => prepared('/options', {}));
          const { answers } = withOptions ? await send(asked) : await server.send(asked, 32);
          await send(answers.map((answer) => assertion(JSON.parse(answer).challenge)));
        },
      };
    },
  };
}

/** A password that the server sees and stretches. */
export function argon2idCase(): Case {
  const request = prepared('/login', { username: 'ada', password: 'correct horse' });
  return {
    name: 'passport-local with Argon2id, 19 MiB',
    batch: 12,
    async start() {
      const server = await MeasuredServer.start('argon2id');
      return {
        server,
        async run(times, send) {
          await send(Array.from({ length: times }, () => request));
        },
      };
    },
  };
}

/** Both requests of an SRP-6a login. */
export function srpCase(): Case {
  return {
    name: 'SRP-6a login, 2048 bits',
    batch: 10,
    async start() {
      const routines = new SRPRoutines(new SRPParameters());
      const server = await MeasuredServer.start('srp');
      return {
        server,
        async run(times, send) {
          const clients = await many(times, () =>
            new SRPClientSession(routines).step1('ada', 'correct horse'),
          );
          const started = Array.from({ length: times }, () => prepared('/start', { user: 'ada' }));
          const { answers } = await send(started);
          const finishes = await many(times, async (i) => {
            const { state, salt, B } = JSON.parse(answers[i] as string);
            const client = clients[i] as (typeof clients)[0];
            const { A, M1 } = await client.step2(BigInt(`0x${salt}`), BigInt(`0x${B}`));
            return prepared('/finish', { state, A: A.toString(16), M1: M1.toString(16) });
          });
          await send(finishes);
        },
      };
    },
  };
}
