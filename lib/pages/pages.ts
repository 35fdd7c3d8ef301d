/** Pages for login, sign-up, kit, lost device, pickup, devices and password, with all that they ask of the app. */
import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { Authenticator } from 'passport';
import { fromBase64url, toBase64url } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { checkFunction, checkFunctions, checkOptions, wrongOption } from '../base/options.ts';
import { inTime } from '../base/time-limit.ts';
import { answerJson } from '../http/answer.ts';
import { handler } from '../http/handler.ts';
import { jsonBody } from '../http/json-body.ts';
import { problemHandler } from '../http/problem.ts';
import { addressLimit } from '../limits/address-limit.ts';
import { isAccountName } from '../protocol/claims.ts';
import { disablingName } from '../protocol/disabling.ts';
import { type RoamingRecordsOptions, type RoamingRecordsRouter, roamingRecords } from '../roaming/router.ts';
import { challenge } from '../strategy/challenge.ts';
import { liveSession } from '../strategy/live-key.ts';
import { login } from '../strategy/login.ts';
import { findKey, type Registration } from '../strategy/registered-key.ts';
import { registration } from '../strategy/registration.ts';
import { type RelyingPartyOptions, relyingParty } from '../strategy/relying-party.ts';
import { fallWith } from '../strategy/standing.ts';
import { isDeceptive, spellAccount } from '../ui/flows/names.ts';
import { type AppKey, type AppKeyState, keysOfAccount } from './account-keys.ts';
import { type BrowserAssets, browserAssets } from './browser-assets.ts';
import { escapeHtml, type Page, type PageId, plainLayout } from './layout.ts';
import { PAGE_WORDS } from './words.ts';

/** What the app is called and where it goes on. */
export interface Site {
  readonly name: string;
  /** Where users go after they have logged in. Default `/`. */
  readonly home?: string;
  /** BCP 47 language tag: `en` (default) or `de`. */
  readonly locale?: string;
}

export interface RoamingKeyPagesOptions {
  /** The same object as the strategy's. */
  readonly rp: RelyingPartyOptions;
  /** With a strategy `roaming-key`. */
  readonly passport: Pick<Authenticator, 'authenticate'>;
  /** The assistant's URL. */
  readonly assistant: string;
  /** Where keys wait to be picked up: options of `roamingRecords`. Default: nothing is kept for pickup. */
  readonly records?: Omit<RoamingRecordsOptions, 'audience' | 'accountOf' | 'assistant' | 'relyingParty'>;
  readonly site: Site | string;
  /**
   * Stores a key. With `isNew` the account must be made, and a name that any account has must be refused, in the same step:
   * `throw new RoamingKeyError('refused', 'this name is taken')`. The router sees only names that have keys: to it, an account
   * with a password alone is free, and without this check the first stranger who asks takes it over.
   */
  readonly save: (req: Request, registration: Registration, about: { readonly isNew: boolean }) => unknown;
  /** Which names accounts may have, besides those that are refused because they look like others. Default: all. */
  readonly isName?: (account: string) => boolean;
  /** The account whose key bears this disabling name, so that a kit's page can say what it switches off. */
  readonly accountNamed?: (u: string) => string | undefined | Promise<string | undefined>;
  /**
   * The account of a session that no key opened, such as one that a password opened: it may make a key for the account as long
   * as no key of the account is good. Needs `withoutKey: 'allow'`. Default: only keys let keys in.
   */
  readonly accountOf?: (req: Request) => string | undefined | Promise<string | undefined>;
  /** Keys of an account for other uses than login, to be shown beside the others. */
  readonly otherKeys?: (account: string) => readonly AppKey[] | Promise<readonly AppKey[]>;
  /** Frames a page, such as by `res.render`. Default: a plain page. */
  readonly layout?: (page: Page, req: Request, res: Response) => string | Promise<string>;
  /** Headers that scripts send to the app, such as a CSRF token's. */
  readonly headers?: (req: Request, res: Response) => Readonly<Record<string, string>>;
  /** Changes the pages' Content-Security-Policy; `false` leaves it to the app. */
  readonly csp?:
    | false
    | ((
        policy: Record<string, readonly string[]>,
        req: Request,
        res: Response,
      ) => Record<string, readonly string[]>);
  /** When the kit is shown: before the account is made, or later by `<roaming-key-kit>`. Default `first`. */
  readonly kit?: 'first' | 'later';
  /** What passwords cost to guess, where that is not the default. */
  readonly kdf?: { readonly t?: number; readonly m?: number; readonly p?: number };
  /** Requests that an address may make in a minute, for each kind. Default 60. */
  readonly perMinute?: number;
  /** Default: those of the package. */
  readonly assets?: BrowserAssets;
}

/** The pages as a router. */
export interface RoamingKeyPages extends Router {
  /** The record service, to be prepared and closed with the app. */
  readonly records?: RoamingRecordsRouter['records'];
}

const PAGES: Readonly<Record<PageId, string>> = {
  login: 'roaming-key-login',
  create: 'roaming-key-enroll',
  lost: 'roaming-key-lost',
  pickup: 'roaming-key-pickup',
  devices: 'roaming-key-devices',
  password: 'roaming-key-password',
  kit: 'roaming-key-kit',
};
const MAX_CODES = 10;
/** Pages wait 20 seconds for an answer. */
const REFRESH_SECONDS = 10;
const OPTIONS = {
  rp: true,
  passport: true,
  assistant: true,
  records: true,
  site: true,
  save: true,
  isName: true,
  accountNamed: true,
  accountOf: true,
  otherKeys: true,
  layout: true,
  headers: true,
  csp: true,
  kit: true,
  kdf: true,
  perMinute: true,
  assets: true,
} as const satisfies Record<keyof RoamingKeyPagesOptions, true>;

/**
 * An Express router with every page that users need around their keys, and the routes behind them. Mount it after sessions
 * and Passport.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * const save = (req, key, { isNew }) => db.saveKey(key, { mustBeNew: isNew });
 * app.use('/account', roamingKeyPages({ rp, passport, assistant, site: 'Inkwell', save }));
 */
export function roamingKeyPages(options: RoamingKeyPagesOptions): RoamingKeyPages {
  checkOptions(options, OPTIONS);
  const { passport, assistant, save, perMinute = 60 } = options;
  const rp = relyingParty(options.rp);
  if (typeof passport?.authenticate !== 'function')
    throw wrongOption('passport', 'an instance of Passport', passport);
  if (typeof assistant !== 'string' || !URL.canParse(assistant))
    throw wrongOption('assistant', 'the URL of the assistant', assistant);
  checkFunction('save', save);
  checkFunctions(options, ['isName', 'accountNamed', 'accountOf', 'otherKeys', 'layout', 'headers']);
  if (options.accountOf && rp.withoutKey !== 'allow')
    throw new TypeError(
      "accountOf needs rp.withoutKey to be 'allow': else sessions that no key opened are refused",
    );
  const site: Site = typeof options.site === 'string' ? { name: options.site } : options.site;
  if (typeof site?.name !== 'string' || site.name === '')
    throw wrongOption('site', 'a name, or an object with one', options.site);
  const assets = options.assets ?? browserAssets();

  const router = Router();
  router.use('/assets', assets);
  router.get('/', (req, res, next) => {
    // At the root, the first page is the app's.
    if (req.baseUrl === '') next();
    else res.redirect(302, `${req.baseUrl}/devices`);
  });
  for (const id of Object.keys(PAGES) as PageId[]) router.get(`/${id}`, page(id));

  const api = Router();
  const limit = (purpose: string): RequestHandler =>
    addressLimit({
      limit: perMinute,
      windowSeconds: 60,
      purpose: `pages-${purpose}`,
      realm: rp.audience,
      store: options.rp.store,
    });
  const read = jsonBody({ limit: 8192 });
  api.use(ownPages(rp.allowedOrigins), (_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  api.post(['/login/challenge', '/register/challenge', '/keys/challenge'], challenge(options.rp));
  api.post('/login', login(passport), (req, res) => {
    const { account } = (req.authInfo ?? {}) as { account?: string };
    answerJson(res, 200, { account });
  });
  // A new account and another key for an account are two things: two tabs that make one name never merge.
  api.post(
    '/register',
    limit('register'),
    registration({
      ...options.rp,
      account: async (req, claimed) => {
        if (req.user) throw new RoamingKeyError('refused', 'log out first: somebody is logged in');
        await requireFree(claimed);
        return claimed;
      },
      save: async (req, key) => {
        await requireFree(key.account);
        return save(req, key, { isNew: true });
      },
    }),
  );
  api.post(
    '/keys',
    limit('keys'),
    registration({ ...options.rp, account: ownerOf, save: (req, key) => save(req, key, { isNew: false }) }),
  );
  api.get(
    '/session',
    handler(async (req, res) => {
      const session = await liveSession(rp, req);
      const account = session?.account ?? (await options.accountOf?.(req)) ?? null;
      const keys = account === null ? [] : await keysOfAccount(options.rp, account, options.otherKeys);
      answerJson(res, 200, {
        account,
        now: rp.now(),
        ...(session ? { jkt: session.jkt } : account !== null && !keys.some(mayLogIn) && { needsKey: true }),
        keys: keys.map(({ u: _u, by: _by, ...key }) => key),
      });
    }),
  );
  api.post('/logout', (req, res, next) => {
    req.logout((error) => (error ? next(error) : answerJson(res, 200, { account: null })));
  });
  api.post(
    '/names',
    limit('names'),
    read,
    handler(async (req, res) => {
      const account = text(req.body, 'account');
      const isName = mayBeName(account);
      answerJson(res, 200, { isName, isTaken: isName && (await isTaken(account)) });
    }),
  );
  api.post(
    '/known',
    limit('known'),
    read,
    handler(async (req, res) => {
      const [account, jkt] = [text(req.body, 'account'), text(req.body, 'jkt')];
      const own = isAccountName(account) ? await rp.keysOf(account) : undefined;
      const others = (isAccountName(account) && (await options.otherKeys?.(account))) || [];
      const isKnown = findKey(own ?? [], jkt) !== undefined || others.some((key) => key.jkt === jkt);
      answerJson(res, 200, { isKnown });
    }),
  );
  api.post(
    '/killed',
    limit('killed'),
    read,
    handler(async (req, res) => {
      const { codes, isDone } = req.body as { codes?: unknown; isDone?: unknown };
      if (!Array.isArray(codes) || codes.length > MAX_CODES)
        throw new RoamingKeyError('invalid_request', `codes must be an array of at most ${MAX_CODES}`);
      const look = async () => (options.accountNamed ? Promise.all(codes.map(killed)) : null);
      let keys = await look();
      // A code may be public before it is known here: a name is told by the list as it is now, or not at all.
      const isNamed = (key: object) => 'account' in key;
      if (isDone === true || keys?.some(isNamed))
        keys = (await isUpToDate())
          ? await look()
          : (keys?.map((key) => (isNamed(key) ? { isKnown: true, isDisabled: false } : key)) ?? null);
      answerJson(res, 200, { keys });
    }),
  );
  const records =
    options.records &&
    roamingRecords({
      // What sign-up makes.
      profile: { scheme: 'ed25519', ...(options.kdf && { kdf: options.kdf }) },
      ...options.records,
      relyingParty: options.rp,
      audience: rp.audience,
      assistant,
      accountOf,
    });
  if (records) api.use('/records', records);
  api.use((_req, _res, next) =>
    next(new RoamingKeyError('invalid_request', 'there is nothing here', { status: 404 })),
  );
  api.use(problemHandler());
  router.use('/api', api);
  return Object.assign(router, records && { records: records.records });

  /** Whose session it is, where a key opened it. */
  async function accountOf(req: Request): Promise<string | undefined> {
    return (await liveSession(rp, req))?.account;
  }

  /** For whose account a session may register a key. */
  async function ownerOf(req: Request): Promise<string | undefined> {
    const opened = await accountOf(req);
    if (opened !== undefined) return opened;
    const account = await options.accountOf?.(req);
    if (account === undefined) return undefined;
    // Else a password would do to get a key, and the key would be no better than the password.
    if ((await keysOfAccount(options.rp, account, options.otherKeys)).some(mayLogIn))
      throw new RoamingKeyError('refused', 'log in with a key to add another');
    return account;
  }

  function mayBeName(account: string): boolean {
    return (
      isAccountName(account) &&
      spellAccount(account) === account &&
      !isDeceptive(account) &&
      (options.isName?.(account) ?? true)
    );
  }

  async function isTaken(account: string): Promise<boolean> {
    return ((await rp.keysOf(account)) ?? []).length > 0;
  }

  async function requireFree(account: string): Promise<void> {
    if (!mayBeName(account)) throw new RoamingKeyError('refused', 'an account cannot have this name');
    if (await isTaken(account)) throw new RoamingKeyError('refused', 'this name is taken');
  }

  /** Reads what is public of disabled keys by now; false where that fails or takes too long. */
  async function isUpToDate(): Promise<boolean> {
    try {
      await inTime(Promise.resolve(options.rp.disabled?.refresh?.()), REFRESH_SECONDS);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Which key a code switches off. Who shows a code whose key is still on holds the kit, and may learn the account; codes of
   * keys that are off stand in a public list, and tell no name.
   */
  async function killed(code: unknown): Promise<object> {
    const t = typeof code === 'string' ? fromBase64url(code) : undefined;
    if (t?.length !== 16)
      throw new RoamingKeyError('invalid_request', 'codes must be disabling secrets of 16 bytes');
    const u = toBase64url(disablingName(t));
    const account = await options.accountNamed?.(u);
    if (account === undefined) return { isKnown: false, isDisabled: false };
    const keys = await keysOfAccount(options.rp, account, options.otherKeys);
    const key = keys.find((one) => one.u.includes(u));
    if (!key) return { isKnown: false, isDisabled: false };
    const { isDisabled, jkt } = key;
    if (isDisabled) return { isKnown: true, isDisabled };
    // What else the code switches off, and what is suspended with it, is no key to log in with.
    const bears = keys.filter((one) => one.u.includes(u));
    const fallen = rp.vouchFor === 0 ? new Set(bears.map((one) => one.jkt)) : fallWith(keys, bears);
    const spare = keys.filter(
      (one) => one !== key && one.purpose === 'login' && !one.isDisabled && !one.isSuspended,
    );
    const hasOther = spare.some((one) => !fallen.has(one.jkt));
    const hasHeld = spare.some((one) => fallen.has(one.jkt) && !one.u.includes(u));
    const purposes = [...new Set(bears.map((one) => one.purpose))];
    return { isKnown: true, isDisabled, account, purposes, jkt, hasOther, hasHeld };
  }

  function page(id: PageId): RequestHandler {
    return handler(async (req, res) => {
      const { locale = 'en', home = '/' } = site;
      const words = PAGE_WORDS[/^de\b/i.test(locale) ? 'de' : 'en'];
      const base = req.baseUrl;
      const under = (name: string) => `${base}/assets${assets.pathOf(name)}`;
      const pages = {
        home,
        ...Object.fromEntries(Object.keys(PAGES).map((name) => [name, `${base}/${name}`])),
      };
      const config = {
        assistant,
        app: `${base}/api`,
        pages,
        site: site.name,
        hasRecords: records !== undefined,
        ...(options.kdf && { kdf: options.kdf }),
        ...(options.headers && { headers: options.headers(req, res) }),
      };
      const tag = PAGES[id];
      const attribute =
        id === 'create' && options.kit ? ` kit="${options.kit}"` : id === 'kit' ? ' alone' : '';
      const heading = `<h1>${words[id]}</h1>`;
      const made: Page = {
        name: id,
        title: words[id],
        locale,
        head: [
          `<meta name="roaming-key" content="${escapeHtml(JSON.stringify(config))}">`,
          `<link rel="stylesheet" href="${under('ui.css')}">`,
          `<link rel="stylesheet" href="${under('pages.css')}">`,
          `<link rel="modulepreload" href="${under('core.js')}">`,
          `<script type="module" src="${under('ui.js')}"></script>`,
        ].join('\n'),
        // The element brings a heading of its own, but for that of kits, which is a card.
        body: `${id === 'kit' ? heading : ''}<${tag}${attribute}>${id === 'kit' ? '' : heading}<p class="rk-wait">${words.loading}</p><p class="rk-late">${words.late}</p><noscript><p><strong>${words.noScript}</strong></p></noscript></${tag}>`,
      };
      res.set({
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
      });
      if (options.csp !== false) {
        const policy = assets.policy(assistant);
        const changed = options.csp?.(policy, req, res) ?? policy;
        const parts = Object.entries(changed).map(([name, values]) => [name, ...values].join(' '));
        res.set('Content-Security-Policy', parts.join('; '));
      }
      const html = options.layout ? await options.layout(made, req, res) : plainLayout(made, site.name, home);
      res.type('html').send(html);
    });
  }
}

/** Refuses requests that pages of other origins have sent: the session's cookie goes along with those. */
function ownPages(origins: readonly string[]): RequestHandler {
  return (req, _res, next) => {
    const { origin, 'sec-fetch-site': site } = req.headers;
    const isOwn = origin === undefined ? site !== 'cross-site' : origins.includes(origin);
    next(
      isOwn ? undefined : new RoamingKeyError('refused', 'the request comes from a page of another origin'),
    );
  };
}

function text(body: unknown, name: string): string {
  const value = (body as Record<string, unknown>)[name];
  if (typeof value !== 'string' || value.length > 512)
    throw new RoamingKeyError('invalid_request', `${name} must be text of at most 512 characters`);
  return value;
}

/** Whether a key is one to log in with, now or once it is confirmed. */
function mayLogIn({ purpose, isDisabled }: AppKeyState): boolean {
  return purpose === 'login' && !isDisabled;
}
