import {
  generateAuthenticationOptions,
  verifyAuthenticationResponse,
  type WebAuthnCredential,
} from '@simplewebauthn/server';
import express from 'express';

export interface WebauthnAppOptions {
  readonly rpID: string;
  readonly origin: string;
  /** The one credential: its id and its COSE key, base64url. */
  readonly credential: { readonly id: string; readonly publicKey: string };
}

/** A WebAuthn login by @simplewebauthn/server. */
export function webauthnApp({ rpID, origin, credential }: WebauthnAppOptions) {
  const known: WebAuthnCredential = {
    id: credential.id,
    publicKey: new Uint8Array(Buffer.from(credential.publicKey, 'base64url')),
    counter: 0,
  };
  const challenges = new Set<string>();
  const app = express();
  app.use(express.json());
  app.post('/options', async (_req, res) => {
    const options = await generateAuthenticationOptions({ rpID, allowCredentials: [{ id: known.id }] });
    challenges.add(options.challenge);
    res.json(options);
  });
  app.post('/verify', async (req, res) => {
    const { verified } = await verifyAuthenticationResponse({
      response: req.body,
      expectedChallenge: (challenge) => challenges.delete(challenge),
      expectedOrigin: origin,
      expectedRPID: rpID,
      credential: known,
    });
    res.status(verified ? 200 : 403).json({ verified });
  });
  return app;
}
