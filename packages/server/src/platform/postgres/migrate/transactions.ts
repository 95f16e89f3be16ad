import type { Node } from "libpg-query";
import type { Statement } from "./parser.ts";

/** A header line that takes a file out of its transaction. Anywhere in the comments before the first statement. */
const header = /^--\s*mainstay:\s*no[ -]transaction\s*$/im;

/** Whether the file asks, in its leading comments, to run outside a transaction. */
export function asksForNoTransaction(sql: string): boolean {
  const leading = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(sql)?.[0] ?? "";
  return header.test(leading);
}

/**
 * What PostgreSQL refuses inside a transaction block ("cannot run inside a transaction block"), in the words of an error
 * message; `null` for everything else. What depends on the data (REINDEX and CLUSTER of a partitioned table) is not seen here
 * and is refused by the server.
 */
export function outsideTransaction(node: Node): string | null {
  if ("IndexStmt" in node) return node.IndexStmt.concurrent ? "CREATE INDEX CONCURRENTLY" : null;
  if ("DropStmt" in node) return node.DropStmt.concurrent ? "DROP INDEX CONCURRENTLY" : null;
  if ("ReindexStmt" in node) return reindex(node.ReindexStmt);
  if ("VacuumStmt" in node) return node.VacuumStmt.is_vacuumcmd ? "VACUUM" : null;
  if ("ClusterStmt" in node) return node.ClusterStmt.relation ? null : "CLUSTER of all tables";
  if ("AlterTableStmt" in node) {
    const detaches = node.AlterTableStmt.cmds?.some(
      (cmd) =>
        "AlterTableCmd" in cmd &&
        cmd.AlterTableCmd.def !== undefined &&
        "PartitionCmd" in cmd.AlterTableCmd.def &&
        cmd.AlterTableCmd.def.PartitionCmd.concurrent === true,
    );
    return detaches ? "DETACH PARTITION CONCURRENTLY" : null;
  }
  if ("CreatedbStmt" in node) return "CREATE DATABASE";
  if ("DropdbStmt" in node) return "DROP DATABASE";
  if ("CreateTableSpaceStmt" in node) return "CREATE TABLESPACE";
  if ("DropTableSpaceStmt" in node) return "DROP TABLESPACE";
  if ("AlterSystemStmt" in node) return "ALTER SYSTEM";
  if ("CreateSubscriptionStmt" in node) {
    const slot = option(node.CreateSubscriptionStmt.options, "create_slot");
    return slot === "false" || slot === "off" ? null : "CREATE SUBSCRIPTION";
  }
  if ("DropSubscriptionStmt" in node) return "DROP SUBSCRIPTION";
  return null;
}

type Reindex = Extract<Node, { ReindexStmt: unknown }>["ReindexStmt"];

function reindex(statement: Reindex): string | null {
  if (statement.params?.some((param) => "DefElem" in param && param.DefElem.defname === "concurrently")) {
    return "REINDEX CONCURRENTLY";
  }
  const isWide = statement.kind !== "REINDEX_OBJECT_INDEX" && statement.kind !== "REINDEX_OBJECT_TABLE";
  return isWide ? "REINDEX of a schema or database" : null;
}

function option(options: readonly Node[] | undefined, name: string): string | null {
  for (const element of options ?? []) {
    if (!("DefElem" in element) || element.DefElem.defname !== name) continue;
    const value = element.DefElem.arg;
    if (value && "String" in value) return value.String.sval ?? null;
    if (value && "Boolean" in value) return String(value.Boolean.boolval ?? false);
  }
  return null;
}

/** `begin`, `commit`, `rollback` …: the word in lower case; `null` for statements that do not move the transaction. */
export function transactionControl(node: Node): "begin" | "commit" | "rollback" | "prepare" | null {
  if (!("TransactionStmt" in node)) return null;
  switch (node.TransactionStmt.kind) {
    case "TRANS_STMT_BEGIN":
    case "TRANS_STMT_START":
      return "begin";
    case "TRANS_STMT_COMMIT":
      return "commit";
    case "TRANS_STMT_ROLLBACK":
      return "rollback";
    case "TRANS_STMT_PREPARE":
    case "TRANS_STMT_COMMIT_PREPARED":
    case "TRANS_STMT_ROLLBACK_PREPARED":
      return "prepare";
    default:
      return null;
  }
}

/** What is applied whole or not at all. */
export interface Unit {
  readonly statements: readonly Statement[];
  /** False for a single statement that PostgreSQL runs only by itself. */
  readonly isTransactional: boolean;
}

export type Plan =
  /** The whole file in one transaction; `begin` and `commit` of the file itself left out. */
  | { readonly mode: "transaction"; readonly statements: readonly Statement[] }
  /** Unit by unit, each recorded, so that a killed run goes on where it was. */
  | { readonly mode: "units"; readonly units: readonly Unit[] }
  | { readonly mode: "refused"; readonly statement: Statement; readonly reason: string; readonly hint: string };

const escapeHint =
  "Put it into a file of its own, or start this file with the line `-- mainstay: no transaction`: its statements then run one by one.";

/** How a file is run. Pure: the same text gives the same plan, so a resumed run counts the same units. */
export function planFile(sql: string, statements: readonly Statement[]): Plan {
  const refused = statements.find(({ node }) => {
    const control = transactionControl(node);
    return control === "rollback" || control === "prepare";
  });
  if (refused) {
    return {
      mode: "refused",
      statement: refused,
      reason: "A migration must not roll back or prepare a transaction.",
      hint: "Remove the statement: a file is applied whole or not at all.",
    };
  }
  const work = statements.filter(({ node }) => transactionControl(node) === null);
  const alone = work.find(({ node }) => outsideTransaction(node) !== null);
  const isAllAlone = work.length > 0 && work.every(({ node }) => outsideTransaction(node) !== null);
  if (asksForNoTransaction(sql) || isAllAlone) return { mode: "units", units: unitsOf(statements) };
  if (alone) {
    return {
      mode: "refused",
      statement: alone,
      reason: `${outsideTransaction(alone.node)} cannot run in a transaction, and this file is one.`,
      hint: escapeHint,
    };
  }
  return { mode: "transaction", statements: work };
}

/** `begin … commit` is one unit, every other statement is one by itself. */
function unitsOf(statements: readonly Statement[]): readonly Unit[] {
  const units: Unit[] = [];
  let open: Statement[] | null = null;
  for (const statement of statements) {
    const control = transactionControl(statement.node);
    if (control === "begin") {
      open ??= [];
    } else if (control === "commit") {
      if (open?.length) units.push({ statements: open, isTransactional: true });
      open = null;
    } else if (open) {
      open.push(statement);
    } else {
      units.push({ statements: [statement], isTransactional: outsideTransaction(statement.node) === null });
    }
  }
  if (open?.length) units.push({ statements: open, isTransactional: true });
  return units;
}
