/**
 * Types that Express and express-session lack, for who reads them: `import 'passport-roaming-key/express'`.
 *
 * `req.session.roamingKey` is the key that opened the session, `req.authInfo` what a login by key has shown.
 */
import type {} from 'express-session';
import type { SessionKey } from './strategy/session-mark.ts';
import type { LoginInfo } from './strategy/strategy.ts';

declare module 'express-session' {
  interface SessionData {
    roamingKey?: SessionKey;
  }
}

declare global {
  namespace Express {
    interface AuthInfo extends Partial<LoginInfo> {}
  }
}
