/**
 * The app's side of the demo. It sees public keys, proofs and sealed notes; device records only of those who want to
 * pick theirs up elsewhere; never a password, a private key, or what the assistant knows.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import passport from 'passport';
import {
  disabledFeed,
  problemHandler,
  type RelyingPartyEvent,
  RoamingKeyError,
  RoamingKeyStrategy,
  requireLiveKey,
} from 'passport-roaming-key';
import { type BrowserAssets, roamingKeyPages } from 'passport-roaming-key/pages';
import { SqliteRecordStore } from 'passport-roaming-key/roaming';
import { SqliteStore } from 'passport-roaming-key/store/sqlite';
import { type Assets, escapeHtml, frameHtml, renderPage, securityHeaders, serveAssets } from './assets.ts';
import { MAX_NOTE, readKeyBody, readNoteBody } from './bodies.ts';
import { AppDatabase, SESSION_SECONDS } from './database.ts';

export interface AppSideOptions {
  readonly folder: string;
  readonly origin: string;
  readonly assistantUrl: string;
  /** What passwords cost to guess, where that is not the default. */
  readonly kdf: { readonly t?: number; readonly m?: number; readonly p?: number };
  readonly assets: Assets;
  /** The package's client and elements. */
  readonly packageAssets: BrowserAssets;
}

export interface AppSide {
  readonly handler: RequestListener;
  close(): Promise<void>;
}

/** Route → the page in ./pages. */
const PAGES = {
  '/': 'welcome',
  '/home': 'home',
  '/sign': 'sign',
  '/notes': 'notes',
  '/picture': 'picture',
  '/thief': 'thief',
  '/knows': 'knows',
} as const;

const PATHS = {
  home: '/home',
  ...Object.fromEntries(
    ['login', 'create', 'pickup', 'lost', 'devices', 'password'].map((name) => [name, `/${name}`]),
  ),
};

/** Letters and digits of any script; what could be mistaken for another name by its case alone is refused. */
const ACCOUNT = /^[\p{L}\p{N}][\p{L}\p{N}._-]{1,31}$/u;
const isName = (name: string) => ACCOUNT.test(name) && name === name.normalize('NFC').toLowerCase();

const agents = new AsyncLocalStorage<string>();

/** The browser of a request, in two words. */
function agentOf(req: Request): string {
  const agent = req.get('user-agent') ?? '';
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(agent)?.[1]?.replace('Edg', 'Edge') ?? 'A browser';
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(agent)?.[1];
  return system ? `${browser} on ${system.replace('Mac OS X', 'Mac')}` : browser;
}

export async function startApp(options: AppSideOptions): Promise<AppSide> {
  const { folder, origin, assistantUrl, kdf, assets, packageAssets } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const secrets = readSecrets(`${folder}/secrets.json`);
  const db = new AppDatabase(`${folder}/app.db`);
  const store = new SqliteStore(db.handle);
  await store.init();
  // All that comes from the assistant: its public list of disabled keys.
  const disabled = disabledFeed({ url: assistantUrl, every: 2, marks: store });
  disabled.start();
  const rp = {
    audience: origin,
    secret: secrets.challenge,
    store,
    disabled,
    keysOf: (account: string) => db.loginKeys(account),
    onEvent: (event: RelyingPartyEvent) => {
      if (event.type !== 'sessionEnded' || event.reason !== 'disabled') return;
      for (const u of event.u ?? []) {
        const account = db.accountNamed(u);
        if (account) return db.addEvent(account, 'ended', '');
      }
    },
    updateKeys: db.updateKeys.bind(db),
  };
  const authenticator = new passport.Passport();
  authenticator.use(
    new RoamingKeyStrategy({ ...rp, passReqToCallback: true }, (req, account) => {
      db.addEvent(account, 'login', agentOf(req));
      return { account };
    }),
  );
  authenticator.serializeUser((user, done) => done(null, user));
  authenticator.deserializeUser((user: Express.User, done) => done(null, user));

  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders({ connect: [new URL(assistantUrl).origin] }), serveAssets(assets));
  const frame = appFrame(options);
  for (const [route, name] of Object.entries(PAGES)) {
    const html = renderPage(name, frame);
    app.get(route, (_req, res) => void res.set('Cache-Control', 'no-cache').type('html').send(html));
  }
  app.use(
    session({
      name: 'inkwell',
      secret: secrets.session,
      store: db.sessions(),
      resave: false,
      saveUninitialized: false,
      cookie: { sameSite: 'lax', secure: origin.startsWith('https:'), maxAge: SESSION_SECONDS * 1000 },
    }),
    authenticator.session(),
    requireLiveKey({ ...rp, onEnded: toLogin }),
  );
  const ownPage = fromOwnPage(origin);

  // Signing up, logging in, kit, lost device, pickup, devices, password: the package's own pages.
  const pages = roamingKeyPages({
    rp,
    passport: authenticator,
    assistant: assistantUrl,
    kdf,
    records: {
      store: new SqliteRecordStore(db.handle),
      secret: secrets.records,
      disabled,
      sweepEvery: 5,
      accountName: (name) => name.toLowerCase(),
      onEvent: (event) => {
        if (event.type === 'fetched' && event.matched)
          db.addEvent(event.account, 'pickup', agents.getStore() ?? '');
      },
    },
    site: { name: 'Inkwell', home: '/home' },
    isName,
    accountNamed: (u) => db.accountNamed(u),
    otherKeys: (account) =>
      db
        .keys(account)
        .filter(({ purpose }) => purpose !== 'login')
        .map(({ jkt, jwk, purpose, u, at }) => ({
          jkt,
          kind: jwk['crv'] ?? jwk['kty'] ?? '',
          purpose,
          u,
          at,
        })),
    save: (req, key, { isNew }) => {
      db.register(key, !isNew);
      db.addEvent(key.account, isNew ? 'created' : 'key', agentOf(req));
    },
    layout: ({ name, title, head, body }) =>
      frameHtml(
        {
          name,
          title,
          head,
          script: 'account',
          content: `<div class="narrow">${body}</div>`,
        },
        frame,
      ),
    kit: 'later',
    csp: false,
    assets: packageAssets,
  });
  // The record service's events do not say which browser asked.
  app.use((req, _res, next) => agents.run(agentOf(req), next));
  app.use(pages);

  // What the app is for.
  const api = express.Router();
  api.use(ownPage, express.json({ limit: MAX_NOTE + 1024 }), noStore);
  api.get('/people/:name/keys', limit(120), async (req, res) => {
    const keys = db.keys(String(req.params['name'])).filter(({ purpose }) => purpose !== 'login');
    res.json({ keys: await withMarks(keys) });
  });
  api.get('/me', async (req, res) => {
    const now = Math.floor(Date.now() / 1000);
    if (!req.user) return void res.json({ account: null, now });
    const { account } = req.user;
    const { since = now, roamingKey } = req.session as { since?: number; roamingKey?: { jkt: string } };
    const keys = await withMarks(db.keys(account));
    const sessions = db.countSessions(account);
    res.json({ account, now, since, jkt: roamingKey?.jkt, sessions, keys });
  });
  api.post('/logout/everywhere', (req, res, next) => {
    const ended = db.endSessions(accountOf(req));
    req.logout((error) => (error ? next(error) : res.json({ ended })));
  });
  api.post('/keys', (req, res) => {
    const account = accountOf(req);
    const { purpose, jwk, jkt, u } = readKeyBody(req.body);
    db.publish(account, purpose, jkt, jwk, u);
    res.status(201).json({ jkt });
  });
  api.get('/notes', (req, res) => void res.json({ notes: db.notes(accountOf(req)) }));
  api.post('/notes', limit(60), (req, res) => {
    const from = accountOf(req);
    const note = readNoteBody(req.body);
    if (!db.keys(note.to).some(({ purpose, jkt }) => purpose === 'notes' && jkt === note.key))
      throw new RoamingKeyError('refused', 'there is no such key');
    db.addNote(from, note);
    res.status(201).json({ sent: true });
  });
  api.delete('/notes/:id', (req, res) => {
    res.json({ removed: db.removeNote(accountOf(req), Number(req.params['id'])) });
  });
  api.get('/timeline', (req, res) => void res.json({ events: db.events(accountOf(req)) }));
  api.get('/knows', (req, res) => void res.json({ tables: db.everythingAbout(accountOf(req)) }));
  app.use('/data', api);
  app.use('/data', (_req, _res, next) =>
    next(new RoamingKeyError('invalid_request', 'there is nothing here')),
  );
  app.use((req, res, next) => {
    if (req.method !== 'GET') return next(new RoamingKeyError('invalid_request', 'there is nothing here'));
    res.status(404).type('html').send(renderPage('missing', frame));
  });
  app.use(problemHandler());

  async function withMarks<T extends { readonly u: readonly string[] }>(keys: readonly T[]) {
    return Promise.all(
      keys.map(async ({ u, ...key }) => {
        return { ...key, isDisabled: await disabled.isDisabled(u).catch(() => false) };
      }),
    );
  }

  return {
    handler: app,
    async close() {
      disabled.stop();
      await pages.records?.close();
      await store.close();
      db.close();
    },
  };
}

function accountOf(req: Request): string {
  if (!req.user) throw new RoamingKeyError('refused', 'log in first');
  return req.user.account;
}

/** Who comes with a key that is off is logged out: people get a page, scripts an answer. */
const toLogin: ErrorRequestHandler = (error, req, res, next) =>
  req.accepts(['json', 'html']) === 'html' ? res.redirect('/login') : problemHandler()(error, req, res, next);

/** The session's cookie goes along with requests that other pages make; these must not do anything. */
function fromOwnPage(origin: string): RequestHandler {
  return (req, _res, next) => {
    const from = req.get('origin');
    const isRead = req.method === 'GET' || req.method === 'HEAD';
    const isOwn = from === undefined ? req.get('sec-fetch-site') !== 'cross-site' : from === origin;
    next(isRead || isOwn ? undefined : new RoamingKeyError('refused', 'the request comes from another page'));
  };
}

const noStore: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'no-store');
  next();
};

function limit(perMinute: number): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: perMinute,
    legacyHeaders: false,
    handler: (_req, _res, next) => next(new RoamingKeyError('busy', 'too many requests')),
  });
}

function readSecrets(file: string): { session: string; challenge: string; records: string } {
  if (!existsSync(file)) {
    const secret = () => randomBytes(32).toString('base64url');
    const made = { session: secret(), challenge: secret(), records: secret() };
    writeFileSync(file, JSON.stringify(made), { mode: 0o600, flag: 'wx' });
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}

function appFrame({ origin, assistantUrl, kdf, packageAssets }: AppSideOptions) {
  const app = escapeHtml(new URL(origin).host);
  const helper = escapeHtml(new URL(assistantUrl).host);
  return {
    site: 'Inkwell',
    config: { assistant: assistantUrl, kdf: JSON.stringify(kdf) },
    head: `<meta name="roaming-key" content="${escapeHtml(JSON.stringify({ assistant: assistantUrl, app: '/api', pages: PATHS, site: 'Inkwell', kdf }))}">
<link rel="stylesheet" href="/assets${packageAssets.pathOf('ui.css')}">`,
    navigation: `<a class="brand" href="/"><span class="brand-mark" aria-hidden="true"></span>Inkwell</a>
<nav aria-label="Main" id="nav"></nav>`,
    footer: `<p class="origins"><span><span class="party party-app">${app}</span> is this app, Inkwell.</span>
<span><span class="party party-assistant">${helper}</span> is the assistant: <a href="${escapeHtml(new URL(assistantUrl).origin)}/">another
program</a>, best run by somebody else.</span></p>
<p><a href="/picture">What happens, as a picture</a> · <a href="/lost">Lost a device?</a></p>`,
  };
}

declare global {
  namespace Express {
    interface User {
      account: string;
    }
  }
}
