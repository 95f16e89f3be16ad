import type pg from "pg";
import type { Node } from "./parser.ts";

/**
 * Extensions that stand in nearly every schema pulled from a hosted project, used or not. A plain PostgreSQL does not have
 * them; asking for one must not stop a project, using one still fails, at the statement that does. Those that bring types for
 * columns are not among them: without the type the table cannot be made, and the first statement had better say so.
 */
const optional: ReadonlySet<string> = new Set([
  "http",
  "hypopg",
  "index_advisor",
  "pg_cron",
  "pg_graphql",
  "pg_net",
  "pg_stat_monitor",
  "pgjwt",
  "pgsodium",
  "pgtap",
  "supabase_vault",
  "wrappers",
]);

/** Why `create extension if not exists …` is left out here; `null` when the statement is to be run. */
export async function absentExtension(client: pg.ClientBase, node: Node): Promise<string | null> {
  if (!("CreateExtensionStmt" in node)) return null;
  const { extname, if_not_exists: isLenient } = node.CreateExtensionStmt;
  if (!isLenient || !optional.has(extname ?? "")) return null;
  const { rowCount } = await client.query("select from pg_catalog.pg_available_extensions where name = $1", [extname]);
  return rowCount
    ? null
    : `extension "${extname}" is not available on this server: the statement was left out, and SQL that uses it will fail`;
}
