/** Each entry leads from the version that is its index to the next. Entries are never changed, only added. */
export const MIGRATIONS: readonly ((schema: string) => string)[] = [
  (schema) => `
  CREATE TABLE ${schema}.disabled (seq bigint PRIMARY KEY, u text NOT NULL UNIQUE, t text NOT NULL, at bigint NOT NULL,
    tag text NOT NULL);
  CREATE TABLE ${schema}.retired (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
    at bigint NOT NULL);
  CREATE TABLE ${schema}.guesses (id text PRIMARY KEY, tally text NOT NULL, empty_at bigint);
  CREATE INDEX guesses_empty ON ${schema}.guesses (empty_at) WHERE empty_at IS NOT NULL;
  CREATE TABLE ${schema}.once (scope text NOT NULL, name text NOT NULL, until bigint NOT NULL, PRIMARY KEY (scope, name));
  CREATE INDEX once_until ON ${schema}.once (until);`,
  // Unlogged: hits need not survive a crash, so that none of them waits for the disk or for a standby.
  (schema) => `
  CREATE UNLOGGED TABLE ${schema}.counters (name text PRIMARY KEY, count bigint NOT NULL, until bigint NOT NULL);
  CREATE INDEX counters_until ON ${schema}.counters (until);`,
];

export const TABLES = ['disabled', 'retired', 'guesses', 'once', 'counters'];

const NOW = 'floor(extract(epoch FROM clock_timestamp()))::bigint';

const keepTally = (schema: string, first: number) => `
  INSERT INTO ${schema}.guesses (id, tally, empty_at) VALUES ($${first}, $${first + 1}, $${first + 2})
  ON CONFLICT (id) DO UPDATE SET tally = excluded.tally, empty_at = excluded.empty_at`;

const take = (schema: string) => `
  INSERT INTO ${schema}.once AS o (scope, name, until) VALUES ($1, $2, $3)
  ON CONFLICT (scope, name) DO UPDATE SET until = greatest(o.until, excluded.until)`;

/** What a statement that counts hits begins with: it reads the clock once. A counter with 0 hits is as good as none. */
const clock = `WITH clock AS MATERIALIZED (SELECT ${NOW} AS now)`;
const counterAnswer = 'count, until, (SELECT now FROM clock) AS now';

/** The statements of the store. `scope` is an id for seen requests, empty for claims. */
export function statements(schema: string) {
  return {
    known: `SELECT ${NOW} AS now,
      EXISTS (SELECT FROM ${schema}.disabled WHERE u = $1) AS disabled,
      EXISTS (SELECT FROM ${schema}.retired WHERE id = $2) AS retired,
      (SELECT until FROM ${schema}.once WHERE scope = $2 AND name = $3) AS seen,
      (SELECT tally FROM ${schema}.guesses WHERE id = $2) AS tally`,
    tally: `SELECT ${NOW} AS now, (SELECT tally FROM ${schema}.guesses WHERE id = $1) AS tally`,
    liveTally: `SELECT ${NOW} AS now, (SELECT tally FROM ${schema}.guesses
      WHERE id = $1 AND (empty_at IS NULL OR empty_at > ${NOW})) AS tally`,
    take: take(schema),
    takeAndKeepTally: `WITH taken AS (${take(schema)}) ${keepTally(schema, 4)}`,
    keepTally: keepTally(schema, 1),
    dropTally: `DELETE FROM ${schema}.guesses WHERE id = $1`,
    dropScope: `DELETE FROM ${schema}.once WHERE scope = $1`,
    claim: `INSERT INTO ${schema}.once AS o (scope, name, until) SELECT '', $1, $2::bigint WHERE $2::bigint > ${NOW}
      ON CONFLICT (scope, name) DO UPDATE SET until = excluded.until WHERE o.until <= ${NOW}`,
    addHits: `${clock} INSERT INTO ${schema}.counters AS c (name, count, until)
      SELECT $1, $3::bigint, now + $2::bigint FROM clock
      ON CONFLICT (name) DO UPDATE SET
        count = CASE WHEN c.until > (SELECT now FROM clock) THEN least(c.count + excluded.count, $4) ELSE excluded.count END,
        until = CASE WHEN c.until > (SELECT now FROM clock) AND c.count > 0 THEN least(c.until, excluded.until)
          ELSE excluded.until END
      RETURNING ${counterAnswer}`,
    takeHits: `${clock} UPDATE ${schema}.counters SET count = greatest(0, count + $3::bigint),
        until = least(until, (SELECT now FROM clock) + $2::bigint)
      WHERE name = $1 AND until > (SELECT now FROM clock) RETURNING ${counterAnswer}`,
    hits: `${clock} SELECT now, count, least(until, now + $2::bigint) AS until
      FROM clock LEFT JOIN ${schema}.counters ON name = $1 AND until > now`,
    pruneCounters: `DELETE FROM ${schema}.counters WHERE until <= ${NOW} AND name IN
      (SELECT name FROM ${schema}.counters WHERE until <= ${NOW} LIMIT $1)`,
    pruneOnce: `DELETE FROM ${schema}.once WHERE until <= ${NOW} AND (scope, name) IN
      (SELECT scope, name FROM ${schema}.once WHERE until <= ${NOW} LIMIT $1)`,
    pruneTallies: `DELETE FROM ${schema}.guesses WHERE empty_at <= ${NOW} AND id IN
      (SELECT id FROM ${schema}.guesses WHERE empty_at <= ${NOW} LIMIT $1)`,
    disable: `INSERT INTO ${schema}.disabled (seq, u, t, at, tag)
      SELECT (SELECT coalesce(max(seq), 0) FROM ${schema}.disabled) + row_number() OVER (ORDER BY o), u, t,
        coalesce(at, ${NOW}), tag
      FROM (SELECT DISTINCT ON (u) u, t, at, tag, o
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) WITH ORDINALITY AS new (u, t, at, tag, o)
        WHERE NOT EXISTS (SELECT FROM ${schema}.disabled AS old WHERE old.u = new.u) ORDER BY u, o) AS fresh`,
    retire: `INSERT INTO ${schema}.retired (id, at)
      SELECT id, coalesce(at, ${NOW}) FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS new (id, at, o)
      ORDER BY o ON CONFLICT (id) DO NOTHING`,
    isDisabled: `SELECT EXISTS (SELECT FROM ${schema}.disabled WHERE u = ANY ($1::text[])) AS found`,
    feedTag: `SELECT tag FROM ${schema}.disabled WHERE seq = $1`,
    feed: `SELECT seq, tag, u, t, at FROM ${schema}.disabled WHERE seq > $1 ORDER BY seq LIMIT $2`,
    retired: `SELECT seq, id, at FROM ${schema}.retired WHERE seq > $1 ORDER BY seq LIMIT $2`,
  };
}

export type Statements = ReturnType<typeof statements>;
