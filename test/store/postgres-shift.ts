import type { Pool } from 'pg';

interface StoredTally {
  readonly last: number | null;
  readonly recent: number[];
  readonly open: [string, number][];
  readonly used: { readonly at: number; readonly until: number } | null;
  readonly reissues: { readonly count: number; readonly last: number } | null;
}

/** Moves every time that the store holds into the past: the server's clock cannot be set. */
export async function shift(shared: Pool, schema: string, by: number): Promise<void> {
  const { rows } = await shared.query<{ id: string; tally: string }>(
    `SELECT id, tally FROM ${schema}.guesses`,
  );
  for (const { id, tally } of rows) {
    const old = JSON.parse(tally) as StoredTally;
    const moved = {
      ...old,
      last: old.last === null ? null : old.last - by,
      recent: old.recent.map((at) => at - by),
      open: old.open.map(([jti, deadline]) => [jti, deadline - by]),
      used: old.used && { at: old.used.at - by, until: old.used.until - by },
      reissues: old.reissues && { ...old.reissues, last: old.reissues.last - by },
    };
    await shared.query(`UPDATE ${schema}.guesses SET tally = $2, empty_at = empty_at - $3 WHERE id = $1`, [
      id,
      JSON.stringify(moved),
      by,
    ]);
  }
  await shared.query(`UPDATE ${schema}.once SET until = until - $1`, [by]);
  await shared.query(`UPDATE ${schema}.counters SET until = until - $1`, [by]);
}
