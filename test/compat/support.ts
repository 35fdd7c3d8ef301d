/** A visitor with a device and a cookie jar, for apps of any shape, and the parts such apps are made of. */
import type { Express } from 'express';
import type { PassportStatic } from 'passport';
import { Passport } from 'passport';
import { Device } from '../../lib/device/device.ts';
import { disable } from '../../lib/device/disable.ts';
import { enroll } from '../../lib/device/enroll.ts';
import type { Enrolment } from '../../lib/device/make-record.ts';
import type { Store } from '../../lib/store/store.ts';
import { challenge } from '../../lib/strategy/challenge.ts';
import { mergeKey, type RegisteredKey } from '../../lib/strategy/registered-key.ts';
import { registration } from '../../lib/strategy/registration.ts';
import type { RelyingPartyOptions } from '../../lib/strategy/relying-party.ts';
import { RoamingKeyStrategy } from '../../lib/strategy/strategy.ts';
import { PASSWORD, quickArgon2id, startAssistant } from '../support/world.ts';

export const SECRET = 'a secret of at least thirty-two bytes, for apps';

/** An app's accounts: public keys by name, and the invitations that let somebody register the first one. */
export class Accounts {
  readonly keys = new Map<string, readonly RegisteredKey[]>();

  /** Options for everything of one relying party. */
  options(audience: string, store: Store): RelyingPartyOptions {
    return { audience, secret: SECRET, store, keysOf: (account) => this.keys.get(account) };
  }

  /** `/login/challenge`, `/register/challenge` and `/register` for whoever is invited or logged in. */
  mount(app: Express, options: RelyingPartyOptions): void {
    app.post(['/login/challenge', '/register/challenge'], challenge(options));
    app.post(
      '/register',
      registration({
        ...options,
        account: (req) => (req.user as { account?: string } | undefined)?.account ?? req.get('x-invited'),
        save: (_req, key) => this.keys.set(key.account, mergeKey(this.keys.get(key.account) ?? [], key)),
      }),
    );
  }
}

/** Passport with the strategy, users as they are in the session. */
export function passportWith(options: RelyingPartyOptions): PassportStatic {
  const passport = new Passport() as unknown as PassportStatic;
  passport.use(new RoamingKeyStrategy(options, (account) => ({ account })));
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  return passport;
}

/** Somebody with a device, at an assistant of its own, who goes to apps. */
export interface Visitor {
  readonly device: Device;
  readonly enrolment: Enrolment;
  /** The assistant's store, which an app may share. */
  readonly store: Store;
  /** As a browser does it: keeps cookies for each origin. */
  readonly fetch: typeof globalThis.fetch;
  /** Cookies by origin, as they would be sent. */
  readonly cookies: Map<string, Map<string, string>>;
  register(origin: string, path?: string): Promise<void>;
  login(origin: string, path?: string): Promise<unknown>;
  /** Shows the disabling secret. */
  disable(): Promise<void>;
}

/** Enrols somebody; `route` says where an origin really is, as a name server would. */
export async function visitor(route: (url: string) => string = (url) => url): Promise<Visitor> {
  const { enrolment: options, store, url } = await startAssistant();
  const enrolment = await enroll(options);
  const cookies = new Map<string, Map<string, string>>();
  const fetch = withCookies(cookies, route);
  const device = new Device(enrolment.record, { assistant: url, argon2id: quickArgon2id, fetch });
  const party = (origin: string, path: string) => ({
    url: `${origin}${path}`,
    account: 'ada',
    password: PASSWORD,
  });
  return {
    device,
    enrolment,
    store,
    fetch,
    cookies,
    async register(origin, path = '/register') {
      await device.register({ ...party(origin, path), headers: { 'x-invited': 'ada' } });
    },
    async login(origin, path = '/login') {
      return (await device.login(party(origin, path))).body;
    },
    disable: async () => void (await disable(enrolment.kit)),
  };
}

function withCookies(
  jars: Map<string, Map<string, string>>,
  route: (url: string) => string,
): typeof globalThis.fetch {
  return async (input, init) => {
    const url = (input as string | URL).toString();
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    const headers = new Headers(init?.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await globalThis.fetch(route(url), { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim()) as [string, ...string[]];
      const at = pair.indexOf('=');
      const isGone = attributes.some((a) => /^expires=/i.test(a) && Date.parse(a.slice(8)) <= Date.now());
      if (isGone) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return response;
  };
}
