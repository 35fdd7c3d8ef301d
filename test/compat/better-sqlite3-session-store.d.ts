declare module 'better-sqlite3-session-store' {
  import type session from 'express-session';

  /** The package has no types of its own; `client` is anything with the interface of better-sqlite3. */
  export default function sqliteSessions(
    expressSession: typeof session,
  ): new (options: {
    readonly client: object;
  }) => session.Store;
}
