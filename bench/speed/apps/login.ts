import express from 'express';
import { Passport } from 'passport';
import { storeFromUrl } from '../../../lib/store/url.ts';
import { challenge } from '../../../lib/strategy/challenge.ts';
import { login } from '../../../lib/strategy/login.ts';
import type { RegisteredKey } from '../../../lib/strategy/registered-key.ts';
import { RoamingKeyStrategy } from '../../../lib/strategy/strategy.ts';

export interface LoginAppOptions {
  readonly store: string;
  readonly keys: Record<string, readonly RegisteredKey[]>;
}

/** The origin that proofs are for. */
export const AUDIENCE = 'https://app.example';

/** Challenge and login by key, without sessions, as the peers are. */
export async function loginApp({ store: url, keys }: LoginAppOptions) {
  const store = await storeFromUrl(url);
  await store.init();
  const rp = {
    audience: AUDIENCE,
    secret: 'an app has a secret of at least thirty-two bytes',
    store,
    keysOf: (account: string) => keys[account],
  };
  const passport = new Passport();
  passport.use(new RoamingKeyStrategy(rp, (account) => ({ account })));
  const app = express();
  // No limit, which a benchmark from one address would meet.
  app.post('/login/challenge', challenge(rp));
  app.post('/login', login(passport, { session: false }), (req, res) => {
    res.json(req.user);
  });
  return app;
}
