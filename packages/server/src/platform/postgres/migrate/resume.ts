import pg from "pg";
import type { Node, Statement } from "./parser.ts";

/**
 * A statement that runs only outside a transaction cannot be recorded together with its effect. When a run was killed between
 * the two, these questions to the catalogue tell what is left to do.
 * @returns `done` when the effect is there, `run` when the statement is to be run (what a broken attempt left behind is gone)
 */
export async function settleUnfinished(client: pg.ClientBase, statement: Statement): Promise<"done" | "run"> {
  const { node } = statement;
  if ("IndexStmt" in node) return settleIndex(client, node.IndexStmt);
  if ("DropStmt" in node) return (await anyExists(client, node.DropStmt.objects ?? [])) ? "run" : "done";
  if ("AlterTableStmt" in node) return settleDetach(client, node.AlterTableStmt);
  if ("CreatedbStmt" in node) return exists(client, "pg_database", "datname", node.CreatedbStmt.dbname);
  if ("CreateTableSpaceStmt" in node) {
    return exists(client, "pg_tablespace", "spcname", node.CreateTableSpaceStmt.tablespacename);
  }
  if ("CreateSubscriptionStmt" in node) {
    return exists(client, "pg_subscription", "subname", node.CreateSubscriptionStmt.subname);
  }
  if ("DropdbStmt" in node) {
    return flip(await exists(client, "pg_database", "datname", node.DropdbStmt.dbname));
  }
  if ("DropTableSpaceStmt" in node) {
    return flip(await exists(client, "pg_tablespace", "spcname", node.DropTableSpaceStmt.tablespacename));
  }
  if ("DropSubscriptionStmt" in node) {
    return flip(await exists(client, "pg_subscription", "subname", node.DropSubscriptionStmt.subname));
  }
  // VACUUM, REINDEX, ALTER SYSTEM, CLUSTER: doing it twice is doing it.
  return "run";
}

type Body<K extends string> = Extract<Node, Record<K, unknown>> extends Record<K, infer B> ? B : never;

/**
 * CREATE INDEX CONCURRENTLY that was killed or failed leaves an invalid index, which costs writes and serves no read. It is
 * dropped before the next attempt. Without a name of its own the index is found by being invalid, on this table, and not under
 * construction by anybody.
 */
async function settleIndex(client: pg.ClientBase, index: Body<"IndexStmt">): Promise<"done" | "run"> {
  const table = qualified(index.relation?.schemaname, index.relation?.relname);
  const { rows } = await client.query<{ index: string; isValid: boolean }>(
    `select format('%I.%I', n.nspname, c.relname) as index, i.indisvalid as "isValid"
     from pg_catalog.pg_index i
     join pg_catalog.pg_class c on c.oid = i.indexrelid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where i.indrelid = to_regclass($1)
       and case when $2::text is null then not i.indisvalid else c.relname = $2 end
       and not exists (select from pg_catalog.pg_stat_progress_create_index p where p.index_relid = i.indexrelid)`,
    [table, index.idxname ?? null],
  );
  if (rows.some((row) => row.isValid)) return "done";
  // From the catalogue and quoted by the server.
  for (const row of rows) await client.query(`drop index concurrently if exists ${row.index}`);
  return "run";
}

/** A killed DETACH … CONCURRENTLY leaves the partition half detached; only FINALIZE gets it out of there. */
async function settleDetach(client: pg.ClientBase, alter: Body<"AlterTableStmt">): Promise<"done" | "run"> {
  const [command] = alter.cmds ?? [];
  const def = command && "AlterTableCmd" in command ? command.AlterTableCmd.def : undefined;
  if (def === undefined || !("PartitionCmd" in def)) return "run";
  const parent = qualified(alter.relation?.schemaname, alter.relation?.relname);
  const partition = qualified(def.PartitionCmd.name?.schemaname, def.PartitionCmd.name?.relname);
  const { rows } = await client.query<{ isPending: boolean }>(
    `select inhdetachpending as "isPending" from pg_catalog.pg_inherits
     where inhparent = to_regclass($1) and inhrelid = to_regclass($2)`,
    [parent, partition],
  );
  if (rows[0] === undefined) return "done";
  if (!rows[0].isPending) return "run";
  await client.query(`alter table ${parent} detach partition ${partition} finalize`);
  return "done";
}

/** `relation` and `column` are literals of this file. */
async function exists(
  client: pg.ClientBase,
  relation: "pg_database" | "pg_tablespace" | "pg_subscription",
  column: "datname" | "spcname" | "subname",
  name: string | undefined,
): Promise<"done" | "run"> {
  const { rowCount } = await client.query(`select from pg_catalog.${relation} where ${column} = $1`, [name]);
  return rowCount ? "done" : "run";
}

const flip = (answer: "done" | "run"): "done" | "run" => (answer === "done" ? "run" : "done");

async function anyExists(client: pg.ClientBase, objects: readonly Node[]): Promise<boolean> {
  const names = objects.flatMap((object) => ("List" in object ? [listName(object.List.items ?? [])] : []));
  const { rows } = await client.query<{ exists: boolean }>(
    "select bool_or(to_regclass(name) is not null) as exists from unnest($1::text[]) as name",
    [names],
  );
  return rows[0]?.exists ?? false;
}

const listName = (items: readonly Node[]): string =>
  items.map((item) => ("String" in item ? pg.escapeIdentifier(item.String.sval ?? "") : "")).join(".");

const qualified = (schema: string | undefined, name: string | undefined): string =>
  (schema ? `${pg.escapeIdentifier(schema)}.` : "") + pg.escapeIdentifier(name ?? "");
