/** What the app remembers: accounts, public keys, notes that it cannot read, and who is logged in. One SQLite file. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { type SessionData, Store as SessionStore } from 'express-session';
import Database from 'libsql';
import {
  mergeKey,
  mergeNames,
  type RegisteredKey,
  type Registration,
  RoamingKeyError,
} from 'passport-roaming-key';

/** What a key is for. One key, one purpose. */
export type Purpose = 'login' | 'sign' | 'notes';

/** A key as the app shows it to its owner. */
export interface KeyRow {
  readonly jkt: string;
  readonly purpose: Purpose;
  readonly jwk: Record<string, string>;
  /** Names under which it can be disabled. */
  readonly u: readonly string[];
  readonly at: number;
}

export interface NoteRow {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly jwe: string;
  readonly at: number;
  /** Thumbprint of the key that it was sealed for; empty where it is not known. */
  readonly key: string;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS keys (account TEXT NOT NULL, purpose TEXT NOT NULL, jkt TEXT NOT NULL, alg TEXT,
    jwk TEXT NOT NULL, u TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (account, purpose, jkt));
  CREATE TABLE IF NOT EXISTS login_keys (account TEXT PRIMARY KEY, keys TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, sender TEXT NOT NULL, recipient TEXT NOT NULL,
    jwe TEXT NOT NULL, at INTEGER NOT NULL, key TEXT NOT NULL DEFAULT '');
  CREATE INDEX IF NOT EXISTS notes_recipient ON notes (recipient, id);
  CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, account TEXT NOT NULL, type TEXT NOT NULL,
    agent TEXT NOT NULL, at INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS events_account ON events (account, id);
  CREATE TABLE IF NOT EXISTS sessions (sid TEXT PRIMARY KEY, account TEXT, expires INTEGER NOT NULL,
    data TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS sessions_account ON sessions (account);
`;
/** For how long a session lasts, in seconds. */
export const SESSION_SECONDS = 7 * 86_400;
const MAX_KEYS = 16;

type Row = Record<string, string | number>;

export class AppDatabase {
  /** To be shared with the package's stores. */
  readonly handle: Database.Database;

  constructor(file: string) {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, 'a', 0o600));
    this.handle = new Database(file);
    this.handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000');
    this.handle.exec(SCHEMA);
    // Files from before notes named their key.
    if (this.#all("SELECT 1 FROM pragma_table_info('notes') WHERE name = 'key'").length === 0)
      this.handle.exec("ALTER TABLE notes ADD COLUMN key TEXT NOT NULL DEFAULT ''");
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.handle.prepare(sql).all(values) as Row[];
  }

  #run(sql: string, ...values: (string | number)[]): number {
    return this.handle.prepare(sql).run(values).changes;
  }

  hasAccount(name: string): boolean {
    return this.#all('SELECT 1 FROM accounts WHERE name = ?', name).length > 0;
  }

  /** Keys with which an account logs in, as `mergeKey` made them. */
  loginKeys(account: string): RegisteredKey[] {
    const [row] = this.#all('SELECT keys FROM login_keys WHERE account = ?', account);
    return row ? JSON.parse(row['keys'] as string) : [];
  }

  /** Changes the keys with which an account logs in, in one transaction. */
  updateKeys(account: string, change: (keys: readonly RegisteredKey[]) => RegisteredKey[]): void {
    this.#inTransaction(() => this.#putLoginKeys(account, change(this.loginKeys(account))));
  }

  #putLoginKeys(account: string, keys: readonly RegisteredKey[]): void {
    this.#run(
      'INSERT OR REPLACE INTO login_keys (account, keys) VALUES (?, ?)',
      account,
      JSON.stringify(keys),
    );
  }

  /**
   * Registers a key for login.
   *
   * @param isOwner whether this request is logged in as that account; else the name must be free
   */
  register(key: Registration, isOwner: boolean): void {
    this.#inTransaction(() => {
      if (!isOwner) {
        if (this.hasAccount(key.account)) throw new RoamingKeyError('refused', 'this name is taken');
        this.#run('INSERT INTO accounts (name, at) VALUES (?, ?)', key.account, now());
      }
      this.#putLoginKeys(key.account, mergeKey(this.loginKeys(key.account), key));
      const { jkt, jwk, alg, disablingNames: u } = key;
      this.#putKey(key.account, 'login', { jkt, jwk, alg, u });
    });
  }

  /** Publishes a key for another purpose than login. */
  publish(account: string, purpose: Purpose, jkt: string, jwk: object, u: string): void {
    const keys = this.keys(account);
    if (keys.length >= MAX_KEYS) throw new RoamingKeyError('refused', 'too many keys');
    // Names are only ever added, or a session could put the owner's kit out of force.
    const known = keys.find((key) => key.purpose === purpose && key.jkt === jkt)?.u ?? [];
    this.#putKey(account, purpose, { jkt, jwk, alg: '', u: [...new Set([...known, u])] });
  }

  #putKey(
    account: string,
    purpose: Purpose,
    { jkt, jwk, alg, u }: { jkt: string; jwk: object; alg: string; u: readonly string[] },
  ): void {
    // Names are only ever added: another could void the kit of the key's owner.
    const known = this.keys(account).find((key) => key.purpose === purpose && key.jkt === jkt);
    this.#run(
      `INSERT INTO keys (account, purpose, jkt, alg, jwk, u, at) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (account, purpose, jkt) DO UPDATE SET u = excluded.u`,
      account,
      purpose,
      jkt,
      alg,
      JSON.stringify(jwk),
      JSON.stringify(mergeNames(known?.u ?? [], u)),
      now(),
    );
  }

  /** All keys of an account, newest first. */
  keys(account: string): KeyRow[] {
    return this.#all(
      'SELECT jkt, purpose, jwk, u, at FROM keys WHERE account = ? ORDER BY at DESC, jkt DESC',
      account,
    ).map(({ jkt, purpose, jwk, u, at }) => ({
      jkt: jkt as string,
      purpose: purpose as Purpose,
      jwk: JSON.parse(jwk as string),
      u: JSON.parse(u as string),
      at: at as number,
    }));
  }

  /** The account whose key bears a disabling name. */
  accountNamed(u: string): string | undefined {
    const [row] = this.#all('SELECT account FROM keys WHERE instr(u, ?) > 0 LIMIT 1', JSON.stringify(u));
    return row?.['account'] as string | undefined;
  }

  addEvent(account: string, type: string, agent: string): void {
    this.#run(
      'INSERT INTO events (account, type, agent, at) VALUES (?, ?, ?, ?)',
      account,
      type,
      agent,
      now(),
    );
  }

  /** What happened to an account, newest first. */
  events(account: string): Row[] {
    return this.#all(
      'SELECT type, agent, at FROM events WHERE account = ? ORDER BY id DESC LIMIT 12',
      account,
    );
  }

  /** Every row about an account, as it stands in the file. */
  everythingAbout(account: string): Readonly<Record<string, Row[]>> {
    return {
      accounts: this.#all('SELECT * FROM accounts WHERE name = ?', account),
      keys: this.#all('SELECT * FROM keys WHERE account = ?', account),
      notes: this.#all('SELECT * FROM notes WHERE recipient = ? OR sender = ?', account, account),
      sessions: this.#all('SELECT sid, account, expires FROM sessions WHERE account = ?', account),
      events: this.#all('SELECT * FROM events WHERE account = ?', account),
    };
  }

  addNote(from: string, { to, jwe, key }: Pick<NoteRow, 'to' | 'jwe' | 'key'>): void {
    this.#run(
      'INSERT INTO notes (sender, recipient, jwe, at, key) VALUES (?, ?, ?, ?, ?)',
      from,
      to,
      jwe,
      now(),
      key,
    );
  }

  /** The last notes that an account has got, newest first. */
  notes(to: string): NoteRow[] {
    return this.#all(
      'SELECT id, sender, recipient, jwe, at, key FROM notes WHERE recipient = ? ORDER BY id DESC LIMIT 50',
      to,
    ).map(({ id, sender, recipient, jwe, at, key }) => ({
      id: id as number,
      from: sender as string,
      to: recipient as string,
      jwe: jwe as string,
      at: at as number,
      key: key as string,
    }));
  }

  removeNote(to: string, id: number): boolean {
    return this.#run('DELETE FROM notes WHERE recipient = ? AND id = ?', to, id) > 0;
  }

  countSessions(account: string): number {
    return this.#all('SELECT sid FROM sessions WHERE account = ? AND expires > ?', account, now()).length;
  }

  endSessions(account: string): number {
    return this.#run('DELETE FROM sessions WHERE account = ?', account);
  }

  #inTransaction(act: () => void): void {
    this.handle.exec('BEGIN IMMEDIATE');
    try {
      act();
      this.handle.exec('COMMIT');
    } catch (error) {
      this.handle.exec('ROLLBACK');
      throw error;
    }
  }

  /** Sessions beside the accounts, so that those of one account can be ended together. */
  sessions(): SessionStore {
    return new Sessions(this.handle);
  }

  close(): void {
    this.handle.close();
  }
}

class Sessions extends SessionStore {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    super();
    this.#db = db;
  }

  override get(sid: string, done: (error: unknown, data?: SessionData | null) => void): void {
    attempt(done, () => {
      const row = this.#db
        .prepare('SELECT data FROM sessions WHERE sid = ? AND expires > ?')
        .get([hash(sid), now()]) as Row | undefined;
      return row ? (JSON.parse(row['data'] as string) as SessionData) : null;
    });
  }

  override set(sid: string, data: SessionData, done: (error?: unknown) => void = () => {}): void {
    attempt(done, () => {
      const { passport } = data as { passport?: { user?: { account?: string } } };
      this.#db.prepare('DELETE FROM sessions WHERE expires <= ?').run([now()]);
      this.#db
        .prepare('INSERT OR REPLACE INTO sessions (sid, account, expires, data) VALUES (?, ?, ?, ?)')
        .run([hash(sid), passport?.user?.account ?? null, now() + SESSION_SECONDS, JSON.stringify(data)]);
    });
  }

  override destroy(sid: string, done: (error?: unknown) => void = () => {}): void {
    attempt(done, () => void this.#db.prepare('DELETE FROM sessions WHERE sid = ?').run([hash(sid)]));
  }
}

function attempt<T>(done: (error: unknown, value?: T) => void, act: () => T): void {
  let value: T;
  try {
    value = act();
  } catch (error) {
    done(error);
    return;
  }
  done(null, value);
}

/** Whoever reads the file must not be logged in by what stands there. */
function hash(sid: string): string {
  return createHash('sha256').update(sid).digest('base64url');
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
