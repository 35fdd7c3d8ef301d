import { hash, verify } from '@node-rs/argon2';
import express from 'express';
import { Passport } from 'passport';
import { Strategy } from 'passport-local';

/** A password sent to the server, and Argon2id with the least that OWASP advises: 19 MiB, two passes. */
export async function argon2idApp() {
  const stored = await hash('correct horse', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  const passport = new Passport();
  passport.use(
    new Strategy((username, password, done) => {
      verify(stored, password).then((good) => done(null, good && { username }), done);
    }),
  );
  const app = express();
  app.use(express.json());
  app.post('/login', passport.authenticate('local', { session: false }), (req, res) => {
    res.json(req.user);
  });
  return app;
}
