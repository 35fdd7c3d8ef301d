import { constants, type KeyObject, randomBytes, sign } from 'node:crypto';
import express, { type Express } from 'express';
import expressSession from 'express-session';
import { calculateJwkThumbprint } from 'jose';
import { Passport, type PassportStatic } from 'passport';
import request from 'supertest';
import { hideClaims } from '../../lib/protocol/claims.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { type LoginOptions, login } from '../../lib/strategy/login.ts';
import type { RegisteredKey } from '../../lib/strategy/registered-key.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { RoamingKeyStrategy } from '../../lib/strategy/strategy.ts';
import { generateKeyPairSync } from '../support/key-pair.ts';

export const AUDIENCE = 'https://app.example';
export const SECRET = 'a secret of the relying party, long enough';
export const NOW = 1_795_000_000;
export const ACCOUNT = 'alice';

export type Alg = 'Ed25519' | 'ES256' | 'PS256' | 'RS256';

/** A user's key pair and the name under which it can be disabled; signs as a device would. */
export class TestKey {
  readonly alg: Alg;
  readonly jwk: RegisteredKey['jwk'];
  readonly u = randomBytes(32).toString('base64url');
  readonly #privateKey: KeyObject;

  constructor(alg: Alg, bits = 2048) {
    this.alg = alg;
    const { privateKey, publicKey } =
      alg === 'Ed25519'
        ? generateKeyPairSync('ed25519')
        : alg === 'ES256'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('rsa', { modulusLength: bits });
    this.#privateKey = privateKey;
    this.jwk = publicKey.export({ format: 'jwk' }) as RegisteredKey['jwk'];
  }

  get registered(): RegisteredKey & { readonly alg: Alg; readonly u: string } {
    return { jwk: this.jwk, alg: this.alg, u: this.u };
  }

  get privateJwk(): object {
    return this.#privateKey.export({ format: 'jwk' });
  }

  thumbprint(): Promise<string> {
    return calculateJwkThumbprint({ ...this.jwk });
  }

  sign(data: string, alg: Alg = this.alg): Buffer {
    const input = Buffer.from(data);
    if (alg === 'Ed25519') return sign(null, input, this.#privateKey);
    if (alg === 'ES256') return sign('sha256', input, { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    const padding = alg === 'PS256' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    return sign('sha256', input, { key: this.#privateKey, padding, saltLength: 32 });
  }

  /** A compact JWS over exactly these texts. */
  jws(header: string, payload: string, alg?: Alg): string {
    const input = `${base64url(header)}.${base64url(payload)}`;
    return `${input}.${this.sign(input, alg).toString('base64url')}`;
  }

  /** A login proof; `header` and `claims` replace or add members, those that are `undefined` are left out. */
  async login(nonce: string, changes: Changes = {}): Promise<string> {
    const { header = {}, claims = {}, alg, isHidden = false } = changes;
    const shown = { ...claimsFor(nonce), ...claims };
    const { payload, suffix } = isHidden ? hideClaims(shown) : { payload: JSON.stringify(shown), suffix: '' };
    const head = { alg: alg ?? this.alg, typ: 'rk-login+jwt', kid: await this.thumbprint(), ...header };
    return `${this.jws(JSON.stringify(head), payload, alg)}${suffix}`;
  }

  /** A registration proof. */
  async register(nonce: string, { header = {}, claims = {}, alg, ...more }: Changes = {}): Promise<string> {
    return this.login(nonce, {
      ...more,
      header: { typ: 'rk-register+jwt', jwk: this.jwk, ...header },
      claims: { u: this.u, ...claims },
      ...(alg ? { alg } : {}),
    });
  }
}

export interface Changes {
  /** Hides the claims from an assistant that helps to sign. */
  readonly isHidden?: boolean;
  readonly header?: object;
  readonly claims?: object;
  /** Signs so, whatever the key is registered for. */
  readonly alg?: Alg;
}

export function claimsFor(nonce: string): Record<string, unknown> {
  return {
    aud: AUDIENCE,
    sub: ACCOUNT,
    nonce,
    iat: NOW,
    exp: NOW + 120,
    jti: randomBytes(16).toString('base64url'),
  };
}

export function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** A relying party with accounts in memory and a clock that stands still until it is moved. */
export class TestParty {
  clock = NOW;
  readonly accounts = new Map<string, readonly RegisteredKey[]>();
  readonly store = new MemoryStore({ now: () => this.clock });
  readonly errors: unknown[] = [];
  /** How often the app was asked for keys. */
  lookups = 0;

  options(changes: Partial<RelyingPartyOptions> = {}): RelyingPartyOptions {
    return {
      audience: AUDIENCE,
      secret: SECRET,
      store: this.store,
      keysOf: (account) => {
        this.lookups++;
        return this.accounts.get(account);
      },
      now: () => this.clock,
      ...changes,
    };
  }

  get reporting(): { onError: (error: unknown) => void; clock: () => number } {
    return { onError: (error) => this.errors.push(error), clock: () => this.clock };
  }

  /** Marks a key as disabled, as an assistant does that shares the store. */
  async disable(u: string): Promise<void> {
    await this.store.disable({ u, t: randomBytes(16).toString('base64url') });
  }

  /** An app with login by key, with or without sessions; answers what it knows of the user. */
  app({
    options = {},
    login: loginOptions = {},
    sessions = false,
    use = () => {},
  }: AppOptions = {}): Express {
    const passport = newPassport();
    passport.use(new RoamingKeyStrategy(this.options(options), (account) => ({ account })));
    const app = express();
    if (sessions) app.use(session(), passport.session());
    use(app, passport);
    app.post('/login/challenge', challenge(this.options(options)));
    app.post(
      '/login',
      login(passport, { session: sessions, ...this.reporting, ...loginOptions }),
      (req, res) => {
        res.json({ user: req.user, info: req.authInfo });
      },
    );
    app.get('/me', (req, res) => {
      res.json({ user: req.user ?? null });
    });
    return app;
  }
}

export interface AppOptions {
  readonly options?: Partial<RelyingPartyOptions>;
  readonly login?: LoginOptions;
  readonly sessions?: boolean;
  /** More middleware, between sessions and routes. */
  readonly use?: (app: Express, passport: PassportStatic) => void;
}

export function newPassport(): PassportStatic {
  const passport = new Passport() as unknown as PassportStatic;
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user, done) => done(null, user as Express.User));
  return passport;
}

export function session() {
  return expressSession({ secret: 'of the session cookie', resave: false, saveUninitialized: false });
}

/** The first hop: fetches a challenge. */
export async function fetchChallenge(app: Express): Promise<string> {
  const { body } = await request(app).post('/login/challenge').expect(200);
  return body.challenge as string;
}

/** The second hop: posts a proof as a page of the app's own origin does. */
export function post(app: Express, proof: unknown, path = '/login') {
  return request(app).post(path).set('Origin', AUDIENCE).send({ proof });
}
