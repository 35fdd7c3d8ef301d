import type { SqliteHandle } from '../databases/sqlite-driver.ts';

/** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
export const MIGRATIONS = [
  `
  CREATE TABLE roaming_key_disabled (seq INTEGER PRIMARY KEY, u TEXT NOT NULL UNIQUE, t TEXT NOT NULL, at INTEGER NOT NULL,
    tag TEXT NOT NULL);
  CREATE TABLE roaming_key_retired (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL);
  CREATE TABLE roaming_key_guesses (id TEXT PRIMARY KEY, tally TEXT NOT NULL, empty_at INTEGER) WITHOUT ROWID;
  CREATE INDEX roaming_key_guesses_empty ON roaming_key_guesses (empty_at) WHERE empty_at IS NOT NULL;
  CREATE TABLE roaming_key_once (scope TEXT NOT NULL, name TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (scope, name))
    WITHOUT ROWID;
  CREATE INDEX roaming_key_once_until ON roaming_key_once (until);
  `,
  `
  CREATE TABLE roaming_key_counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX roaming_key_counters_until ON roaming_key_counters (until);
  `,
];

/** The statements of the store, prepared once. `scope` is an id for seen requests, empty for claims. */
export function prepareAll(db: SqliteHandle) {
  return {
    known: db.prepare(`SELECT EXISTS (SELECT 1 FROM roaming_key_disabled WHERE u = ?) AS disabled,
      EXISTS (SELECT 1 FROM roaming_key_retired WHERE id = ?) AS retired,
      (SELECT until FROM roaming_key_once WHERE scope = ? AND name = ?) AS seen,
      (SELECT tally FROM roaming_key_guesses WHERE id = ?) AS tally`),
    tally: db.prepare('SELECT tally FROM roaming_key_guesses WHERE id = ?'),
    liveTally: db.prepare(`SELECT tally FROM roaming_key_guesses
      WHERE id = ? AND (empty_at IS NULL OR empty_at > ?)`),
    keepTally: db.prepare(`INSERT INTO roaming_key_guesses (id, tally, empty_at) VALUES (?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET tally = excluded.tally, empty_at = excluded.empty_at`),
    dropTally: db.prepare('DELETE FROM roaming_key_guesses WHERE id = ?'),
    isTaken: db.prepare('SELECT until FROM roaming_key_once WHERE scope = ? AND name = ?'),
    take: db.prepare(`INSERT INTO roaming_key_once (scope, name, until) VALUES (?, ?, ?)
      ON CONFLICT (scope, name) DO UPDATE SET until = max(until, excluded.until)`),
    counter: db.prepare('SELECT count, until FROM roaming_key_counters WHERE name = ? AND until > ?'),
    keepCounter: db.prepare(`INSERT INTO roaming_key_counters (name, count, until) VALUES (?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET count = excluded.count, until = excluded.until`),
    dropCounter: db.prepare('DELETE FROM roaming_key_counters WHERE name = ?'),
    pruneCounters: db.prepare(`DELETE FROM roaming_key_counters WHERE name IN
      (SELECT name FROM roaming_key_counters WHERE until <= ? LIMIT ?)`),
    dropScope: db.prepare('DELETE FROM roaming_key_once WHERE scope = ?'),
    pruneOnce: db.prepare(`DELETE FROM roaming_key_once WHERE (scope, name) IN
      (SELECT scope, name FROM roaming_key_once WHERE until <= ? LIMIT ?)`),
    pruneTallies: db.prepare(`DELETE FROM roaming_key_guesses WHERE id IN
      (SELECT id FROM roaming_key_guesses WHERE empty_at <= ? LIMIT ?)`),
    disable: db.prepare(`INSERT INTO roaming_key_disabled (u, t, at, tag) VALUES (?, ?, ?, ?)
      ON CONFLICT (u) DO NOTHING`),
    isDisabled: db.prepare(`SELECT EXISTS (SELECT 1 FROM roaming_key_disabled
      WHERE u IN (SELECT value FROM json_each(?))) AS found`),
    retire: db.prepare('INSERT INTO roaming_key_retired (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING'),
    feedTag: db.prepare('SELECT tag FROM roaming_key_disabled WHERE seq = ?'),
    feed: db.prepare(
      'SELECT seq, tag, u, t, at FROM roaming_key_disabled WHERE seq > ? ORDER BY seq LIMIT ?',
    ),
    retired: db.prepare('SELECT seq, id, at FROM roaming_key_retired WHERE seq > ? ORDER BY seq LIMIT ?'),
  };
}
