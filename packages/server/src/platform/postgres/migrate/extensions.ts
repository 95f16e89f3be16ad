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
  "pgmq",
  "pgsodium",
  "pgtap",
  "supabase_vault",
  "wrappers",
]);

/** Extensions whose functions our own migrations bring, each with one of them: where that is, nothing is missing. */
const provided: ReadonlyMap<string, { readonly schema: string; readonly function: string }> = new Map([
  ["pg_cron", { schema: "cron", function: "schedule" }],
  ["pg_net", { schema: "net", function: "http_post" }],
  ["pgmq", { schema: "pgmq", function: "send" }],
]);

/** A statement that is not run. `warning` is `null` when nobody will miss anything. */
export interface LeftOut {
  readonly warning: string | null;
}

/** Whether a statement about an extension is left out here, and why; `null` when it is to be run. */
export async function leftOut(client: pg.ClientBase, node: Node): Promise<LeftOut | null> {
  if ("CreateExtensionStmt" in node) {
    const { extname = "", if_not_exists: isLenient } = node.CreateExtensionStmt;
    if (await isProvided(client, extname)) return { warning: null };
    if (!isLenient || !optional.has(extname)) return null;
    const { rowCount } = await client.query("select from pg_catalog.pg_available_extensions where name = $1", [
      extname,
    ]);
    return rowCount
      ? null
      : {
          warning: `extension "${extname}" is not available on this server: the statement was left out, and SQL that uses it will fail`,
        };
  }
  const named = extensionsOf(node);
  if (named.length === 0) return null;
  for (const extname of named) if (!(await isProvided(client, extname))) return null;
  return { warning: null };
}

/** Which extensions a statement drops, alters or comments on. */
function extensionsOf(node: Node): readonly string[] {
  if ("AlterExtensionStmt" in node) return [node.AlterExtensionStmt.extname ?? ""];
  if ("CommentStmt" in node && node.CommentStmt.objtype === "OBJECT_EXTENSION") return names([node.CommentStmt.object]);
  if ("DropStmt" in node && node.DropStmt.removeType === "OBJECT_EXTENSION") return names(node.DropStmt.objects ?? []);
  return [];
}

const names = (nodes: readonly (Node | undefined)[]): readonly string[] =>
  nodes.map((node) => (node !== undefined && "String" in node ? (node.String.sval ?? "") : ""));

/** Whether its functions are there without it. Asked of the catalogue: `to_regprocedure` fails on a schema we may not look into. */
async function isProvided(client: pg.ClientBase, extname: string): Promise<boolean> {
  const face = provided.get(extname);
  if (face === undefined) return false;
  const { rowCount } = await client.query(
    `select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname = $1 and p.proname = $2
       and not exists (select from pg_catalog.pg_extension e where e.extname = $3)
     limit 1`,
    [face.schema, face.function, extname],
  );
  return (rowCount ?? 0) > 0;
}
