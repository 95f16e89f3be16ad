import { sql } from "pg-sql2";
import type { Database, Queryable } from "../database.ts";
import {
  columnsQuery,
  constraintsQuery,
  fingerprintQuery,
  functionsQuery,
  mediaHandlersQuery,
  relationsQuery,
  representationsQuery,
  roleSettingsQuery,
  settingSourcesQuery,
  timezonesQuery,
  uniqueIndexesQuery,
  viewsQuery,
} from "./queries.ts";
import type { CatalogRows } from "./rows.ts";

/**
 * Reads everything in one snapshot: a repeatable-read transaction, so that a migration committing meanwhile is seen whole
 * or not at all.
 *
 * @throws what the database throws; the caller keeps its old picture.
 */
export async function loadRows(
  database: Database,
  schemas: readonly string[],
  timeoutMs: number,
): Promise<CatalogRows & { readonly fingerprint: string }> {
  const read = async (tx: Queryable): Promise<CatalogRows & { readonly fingerprint: string }> => {
    await tx.query(sql`set transaction isolation level repeatable read, read only`);
    // No search path: every printed name is then qualified. No JIT: compiling costs more than these queries.
    await tx.query(sql`
      select set_config('search_path', '', true), set_config('jit', 'off', true),
        set_config('statement_timeout', ${sql.value(String(timeoutMs))}, true),
        set_config('lock_timeout', ${sql.value(String(timeoutMs))}, true)`);
    return {
      relations: await tx.query(relationsQuery(schemas)),
      columns: await tx.query(columnsQuery(schemas)),
      constraints: await tx.query(constraintsQuery),
      uniqueIndexes: await tx.query(uniqueIndexesQuery(schemas)),
      views: await tx.query(viewsQuery(schemas)),
      functions: await tx.query(functionsQuery(schemas)),
      mediaHandlers: await tx.query(mediaHandlersQuery(schemas)),
      representations: await tx.query(representationsQuery),
      roleSettings: await tx.query(roleSettingsQuery),
      settingSources: await tx.query(settingSourcesQuery),
      fingerprint: (await tx.query<{ fingerprint: string }>(fingerprintQuery))[0]!.fingerprint,
    };
  };
  // These look at every object there is, and the connection would remember them all: some 6 MB.
  return database.transaction(read, { closesConnection: true });
}

/** Names `set timezone` accepts, in lower case. They come with the server's files and do not change while it runs. */
export async function loadTimezones(database: Database): Promise<ReadonlySet<string>> {
  const rows = await database.query<{ name: string }>(timezonesQuery);
  return new Set(rows.map((row) => row.name));
}

export async function readFingerprint(database: Database): Promise<string> {
  return (await database.query<{ fingerprint: string }>(fingerprintQuery))[0]!.fingerprint;
}
