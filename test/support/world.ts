import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import session from 'express-session';
import passport from 'passport';
import { onTestFinished } from 'vitest';
import type { Assistant } from '../../lib/assistant/assistant.ts';
import type { AssistantEvent } from '../../lib/assistant/events.ts';
import { KeySet } from '../../lib/assistant/keys.ts';
import { type AssistantRouterOptions, assistant } from '../../lib/assistant/router.ts';
import type { EnrolmentOptions } from '../../lib/device/make-record.ts';
import type { ProblemOptions } from '../../lib/http/problem.ts';
import { type Argon2id, argon2idInline } from '../../lib/protocol/password.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { Store } from '../../lib/store/store.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { mergeKey, type RegisteredKey } from '../../lib/strategy/registered-key.ts';
import { registration } from '../../lib/strategy/registration.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { RoamingKeyStrategy } from '../../lib/strategy/strategy.ts';

/** The cheapest Argon2id that records may have. */
export const CHEAP_KDF = { t: 2, m: 19_456, p: 1 } as const;
export const PASSWORD = 'correct horse battery staple';

/** Stands where Argon2id would be: what it costs to stretch a password is not what most tests are about. */
export const quickArgon2id: Argon2id = async (password, salt, { t, m, p }) =>
  new Uint8Array(createHash('sha256').update(password).update(salt).update(`${t} ${m} ${p}`).digest());

const stretched = new Map<string, Promise<Uint8Array>>();

/** Argon2id that computes each value once, for tests in which one device asks many times. */
export const argon2idOnce: Argon2id = async (password, salt, kdf) => {
  const name = JSON.stringify([[...password], [...salt], kdf]);
  const known = stretched.get(name) ?? argon2idInline(password, salt, kdf);
  stretched.set(name, known);
  return new Uint8Array(await known);
};

/** An enrolment as a user has it: with the package's own Argon2id. */
export function inEarnest({ argon2id: _argon2id, ...enrolment }: AssistantWorld['enrolment']) {
  return enrolment;
}

/** What passed on the wire, as somebody who reads everything saw it. */
export interface Exchange {
  readonly url: string;
  readonly request: string;
  readonly status: number;
  readonly response: string;
}

/** An assistant of its own on a real port. */
export interface AssistantWorld {
  readonly url: string;
  readonly app: Express;
  readonly assistant: Assistant;
  readonly keys: KeySet;
  readonly store: Store;
  readonly events: AssistantEvent[];
  /** `fetch` that writes down what passes. */
  readonly fetch: typeof globalThis.fetch;
  readonly traffic: Exchange[];
  /** What an enrolment with this assistant needs. */
  readonly enrolment: EnrolmentOptions & { readonly scheme?: 'retrieve' };
  /** The assistant's clock, which a test may move. */
  readonly clock: { offset: number; now(): number };
}

/** Listens on the loopback until the test is over. */
export async function listen(app: Express): Promise<string> {
  const server: Server = createServer(app);
  // Attacks open a thousand connections at once. A system resets those for which its queue has no room.
  await new Promise<void>((ready) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, ready));
  onTestFinished(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts an assistant that has never heard of anybody. */
export async function startAssistant(options: Partial<AssistantRouterOptions> = {}): Promise<AssistantWorld> {
  const clock = { offset: 0, now: () => Math.floor(Date.now() / 1000) + clock.offset };
  const keys = (await options.keys) ?? (await KeySet.generate());
  const store = options.store ?? new MemoryStore({ now: clock.now });
  const events: AssistantEvent[] = [];
  const router = assistant({
    now: clock.now,
    onError: () => {},
    onEvent: (event) => void events.push(event),
    ...options,
    // A worker may take long to start on a busy machine.
    ...(!options.policy && { workers: { timeLimit: 29_000, ...options.workers } }),
    keys,
    store,
  });
  // The worker threads start with the first job that needs them, which most tests have not.
  await store.init();
  onTestFinished(() => router.assistant.close());
  const app = express();
  app.use('/assistant', router);
  const url = `${await listen(app)}/assistant`;
  const traffic: Exchange[] = [];
  const fetch = recording(traffic);
  return {
    url,
    app,
    assistant: router.assistant,
    keys,
    store,
    events,
    fetch,
    traffic,
    clock,
    enrolment: {
      assistant: url,
      password: PASSWORD,
      kdf: CHEAP_KDF,
      argon2id: quickArgon2id,
      fetch,
      scheme: 'retrieve',
    },
  };
}

function recording(traffic: Exchange[]): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await globalThis.fetch(input, init);
    const text = await response.clone().text();
    traffic.push({
      url: (input as string | URL).toString(),
      request: (init?.body as string | undefined) ?? '',
      status: response.status,
      response: text,
    });
    return response;
  };
}

/** An app whose accounts are made by whoever comes first, with sessions, beside or apart from the assistant. */
export interface RelyingPartyWorld {
  readonly origin: string;
  readonly app: Express;
  readonly accounts: Map<string, RegisteredKey[]>;
}

/** Starts an app with `/login`, `/register`, `/me` that asks `disabled` which keys are disabled. */
export async function startRelyingParty(
  store: Store,
  more: Partial<RelyingPartyOptions> & Pick<ProblemOptions, 'onError'> = {},
): Promise<RelyingPartyWorld> {
  const accounts = new Map<string, RegisteredKey[]>();
  const app = express();
  const origin = await listen(app);
  const options = {
    audience: origin,
    secret: 'an app has a secret of at least thirty-two bytes',
    store,
    keysOf: (account: string) => accounts.get(account),
    ...more,
  };
  const problems = more.onError ? { onError: more.onError } : {};
  const authenticator = new passport.Passport();
  authenticator.use(new RoamingKeyStrategy(options, (account) => ({ account })));
  authenticator.serializeUser((user, done) => done(null, user));
  authenticator.deserializeUser((user: Express.User, done) => done(null, user));
  app.use(session({ secret: 'x'.repeat(32), resave: false, saveUninitialized: false }));
  app.use(authenticator.session());
  app.post(['/login/challenge', '/register/challenge'], challenge(options));
  app.post('/login', login(authenticator, problems), (req, res) => void res.json({ user: req.user }));
  app.post(
    '/register',
    registration({
      ...options,
      account: (req) => req.get('x-invited'),
      save: (_req, registered) =>
        accounts.set(registered.account, mergeKey(accounts.get(registered.account) ?? [], registered)),
    }),
  );
  app.get('/me', requireLiveKey(options), (req, res) => {
    if (req.user) res.json({ user: req.user });
    else res.sendStatus(401);
  });
  return { origin, app, accounts };
}
