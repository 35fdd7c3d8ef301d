/** express-session with every kind of session store: in memory, in files, in Redis, in PostgreSQL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import connectPgSimple from 'connect-pg-simple';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session, { type Store as SessionStore } from 'express-session';
import pg from 'pg';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileSessions } from '../../examples/support/file-sessions.ts';
import { requireLiveKey } from '../../lib/strategy/live-key.ts';
import { login } from '../../lib/strategy/login.ts';
import { isAbsent } from '../support/binaries.ts';
import { startPostgres } from '../support/postgres.ts';
import { redisAvailable, startRedis } from '../support/redis.ts';
import { listen } from '../support/world.ts';
import { Accounts, passportWith, SECRET, type Visitor, visitor } from './support.ts';

/** Opens a session store; calling what it returns opens it anew, as the app's next process does. */
type Kind = () => Promise<() => SessionStore>;

const inMemory: Kind = async () => {
  const store = new session.MemoryStore();
  return () => store;
};

const inFiles: Kind = async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return () => new FileSessions(folder);
};

const inRedis: Kind = async () => {
  const server = await startRedis();
  const options = server.url.startsWith('redis') ? { url: server.url } : { socket: { path: server.url } };
  const client = await createClient(options as object).connect();
  onTestFinished(async () => {
    client.destroy();
    await server.stop();
  });
  return () => new RedisStore({ client: client as never });
};

const inPostgres: Kind = async () => {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {});
  const Store = connectPgSimple(session);
  const opened: InstanceType<typeof Store>[] = [];
  onTestFinished(async () => {
    for (const store of opened) store.close();
    await pool.end();
    await server.stop();
  });
  return () => {
    const store = new Store({ pool, createTableIfMissing: true });
    opened.push(store);
    return store;
  };
};

async function start(sessions: SessionStore, { store }: Visitor, accounts: Accounts): Promise<string> {
  const app = express();
  const origin = await listen(app);
  const options = accounts.options(origin, store);
  const passport = passportWith(options);
  app.use(session({ secret: SECRET, store: sessions, resave: false, saveUninitialized: false }));
  app.use(passport.session());
  accounts.mount(app, options);
  app.post('/login', login(passport), (req, res) => void res.json(req.user));
  app.get('/me', requireLiveKey(options), (req, res) => {
    if (req.user) res.json(req.user);
    else res.sendStatus(401);
  });
  app.post('/logout', (req, res, next) => req.logout((error) => (error ? next(error) : res.sendStatus(204))));
  return origin;
}

const kinds: [string, Kind][] = [
  ['in memory', inMemory],
  ['in files', inFiles],
  ['in PostgreSQL', inPostgres],
];
if (redisAvailable || !isAbsent('redis-server')) kinds.push(['in Redis', inRedis]);

describe.each(kinds)('sessions %s', (_name, open) => {
  it('last, also beyond a restart, until the user logs out', async () => {
    const sessions = await open();
    const [ada, accounts] = [await visitor(), new Accounts()];
    const origin = await start(sessions(), ada, accounts);
    await ada.register(origin);
    expect(await ada.login(origin)).toEqual({ account: 'ada' });
    expect((await ada.fetch(`${origin}/me`)).status).toBe(200);

    const next = await start(sessions(), ada, accounts);
    ada.cookies.set(next, new Map(ada.cookies.get(origin)));
    expect(await (await ada.fetch(`${next}/me`)).json()).toEqual({ account: 'ada' });

    const before = new Map(ada.cookies.get(next));
    expect((await ada.fetch(`${next}/logout`, { method: 'POST' })).status).toBe(204);
    ada.cookies.set(next, before);
    expect((await ada.fetch(`${next}/me`)).status).toBe(401);
  });

  it('end when the key is disabled, and are not only refused', async () => {
    const sessions = await open();
    const [ada, accounts] = [await visitor(), new Accounts()];
    const origin = await start(sessions(), ada, accounts);
    await ada.register(origin);
    await ada.login(origin);
    const thief = new Map(ada.cookies.get(origin));
    await ada.disable();
    ada.cookies.set(origin, new Map(thief));
    const refused = await ada.fetch(`${origin}/me`);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'disabled']);
    ada.cookies.set(origin, thief);
    expect((await ada.fetch(`${origin}/me`)).status).toBe(401);
  });
});
