import { migrationFrom, SCHEMA_VERSION, type Statements } from '../store/postgres-schema.ts';
import type { Connections, Query } from './postgres-connection.ts';

/**
 * What the server's settings put at risk, in words.
 *
 * @throws Error where the server is read-only, as a replica is: it may lag behind, and no store works on it
 */
export async function findings(connections: Connections, sql: Statements): Promise<string[]> {
  const { rows } = await connections.use((query) => query(sql.settings));
  const [settings] = rows as [Record<string, unknown>];
  if (settings['read_only']) throw new Error('The PostgreSQL server is read-only: connect to the primary.');
  const found: string[] = [];
  if (settings['fsync'] !== 'on') {
    found.push('PostgreSQL may lose or damage everything in a power cut: set fsync = on.');
  }
  if (settings['full_page_writes'] !== 'on') {
    found.push('PostgreSQL may damage tables in a power cut: set full_page_writes = on.');
  }
  if (settings['synchronous_commit'] === 'off') {
    found.push('PostgreSQL may forget the last wrong passwords in a crash: set synchronous_commit = on.');
  }
  return found;
}

async function versionOf(query: Query, schema: string, sql: Statements): Promise<number> {
  const { rows } = await query(sql.hasVersion, [schema]);
  if (!(rows[0] as { found: boolean }).found) return 0;
  const [row] = (await query(sql.readVersion)).rows as [{ version: number } | undefined];
  const version = Number(row?.version ?? 0);
  if (version > SCHEMA_VERSION) {
    throw new Error(`The store's schema has version ${version}; this package knows ${SCHEMA_VERSION}.`);
  }
  return version;
}

/**
 * Brings the schema up to date; several processes may do so at once, and one that finds it so needs no right to change it.
 *
 * @throws Error where the schema is of a newer version of this package
 */
export async function migrate(connections: Connections, schema: string, sql: Statements): Promise<void> {
  const found = await connections.use((query) => versionOf(query, schema, sql));
  if (found === SCHEMA_VERSION) return;
  await connections.transaction([{ name: `${schema} migrate` }], true, async (query) => {
    const version = await versionOf(query, schema, sql);
    if (version === SCHEMA_VERSION) return;
    const { rows } = await query(sql.hasSchema, [schema]);
    if (!(rows[0] as { found: boolean }).found) await query(`CREATE SCHEMA "${schema}"`);
    await query(migrationFrom(version, `"${schema}"`));
  });
}
