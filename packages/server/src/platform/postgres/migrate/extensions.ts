import type pg from "pg";
import type { Node } from "./parser.ts";

/**
 * Extensions that stand in nearly every schema pulled from a hosted project, whose work the server does itself. A plain
 * PostgreSQL does not have them; asking for one must not stop a project, using one still fails, at the statement that does.
 */
const replaced: ReadonlyMap<string, string> = new Map([
  ["pg_graphql", "GraphQL is served without it"],
  ["pg_net", "webhooks and functions on change do its work"],
  ["http", "webhooks and functions on change do its work"],
  ["pg_cron", "scheduled functions do its work"],
  ["supabase_vault", "secrets are kept by the server"],
  ["pgsodium", "secrets are kept by the server"],
  ["pgjwt", "tokens are made by the server"],
  ["wrappers", "there is nothing in its place"],
  ["pg_stat_monitor", "there is nothing in its place"],
  ["hypopg", "it serves development only"],
  ["index_advisor", "it serves development only"],
  ["pgtap", "it serves tests only"],
]);

/** Why `create extension if not exists …` is left out here; `null` when the statement is to be run. */
export async function replacedExtension(client: pg.ClientBase, node: Node): Promise<string | null> {
  if (!("CreateExtensionStmt" in node)) return null;
  const { extname, if_not_exists: isLenient } = node.CreateExtensionStmt;
  const reason = replaced.get(extname ?? "");
  if (reason === undefined || !isLenient) return null;
  const { rowCount } = await client.query("select from pg_catalog.pg_available_extensions where name = $1", [extname]);
  return rowCount ? null : `extension "${extname}" is not available on this server and was left out: ${reason}`;
}
