import type { Node } from "../parser.ts";
import { type Finding, finding, type Place } from "./rules.ts";
import { type Body, nameKey, relationKey, strings, walk } from "./tree.ts";

/**
 * What a statement does to those who use the table meanwhile. `isFresh` says whether a table was created in this very file:
 * nobody uses it yet, so nothing blocks.
 */
export function judgeStatement(node: Node, place: Place, isFresh: (key: string) => boolean): readonly Finding[] {
  return blocking(node, place, isFresh).filter((each) => each !== null);
}

function blocking(node: Node, place: Place, isFresh: (key: string) => boolean): (Finding | null)[] {
  if ("IndexStmt" in node) {
    const key = relationKey(node.IndexStmt.relation);
    if (node.IndexStmt.concurrent || isFresh(key)) return [];
    return [finding("index-blocks-writes", place, key, "Nobody can write to the table while this index is built.")];
  }
  if ("RenameStmt" in node) {
    const { renameType, relation, subname, newname } = node.RenameStmt;
    const key = relationKey(relation);
    const isName = renameType === "OBJECT_COLUMN" || renameType === "OBJECT_TABLE" || renameType === "OBJECT_VIEW";
    if (!isName || isFresh(key)) return [];
    const what = renameType === "OBJECT_COLUMN" ? `Column "${subname}"` : `"${key}"`;
    return [finding("breaks-released-apps", place, key, `${what} is renamed to "${newname}".`)];
  }
  if (
    "DropStmt" in node &&
    (node.DropStmt.removeType === "OBJECT_TABLE" || node.DropStmt.removeType === "OBJECT_VIEW")
  ) {
    const keys = (node.DropStmt.objects ?? []).map((object) =>
      nameKey("List" in object ? strings(object.List.items) : []),
    );
    return keys
      .filter((key) => !isFresh(key))
      .map((key) => finding("breaks-released-apps", place, key, `"${key}" is dropped.`));
  }
  if ("AlterTableStmt" in node && node.AlterTableStmt.objtype === "OBJECT_TABLE") {
    const key = relationKey(node.AlterTableStmt.relation);
    if (isFresh(key)) return [];
    return (node.AlterTableStmt.cmds ?? []).flatMap((cmd) =>
      "AlterTableCmd" in cmd ? [alteration(cmd.AlterTableCmd, key, place)] : [],
    );
  }
  return [];
}

function alteration({ subtype, name, def }: Body<"AlterTableCmd">, key: string, place: Place): Finding | null {
  switch (subtype) {
    case "AT_AddColumn": {
      const reason = def && "ColumnDef" in def ? rewriteReason(def.ColumnDef) : null;
      if (reason === null) return null;
      return finding("column-rewrites-table", place, key, `The table is locked and rewritten: ${reason}.`);
    }
    case "AT_SetNotNull":
      return finding(
        "not-null-scans-table",
        place,
        key,
        `Every row is checked for "${name}" under a lock on reads and writes.`,
      );
    case "AT_AlterColumnType":
      return finding(
        "type-change-rewrites-table",
        place,
        key,
        `Changing the type of "${name}" can rewrite the table under a lock.`,
      );
    case "AT_DropColumn":
      return finding("breaks-released-apps", place, key, `Column "${name}" is dropped.`);
    case "AT_AddConstraint":
      return def && "Constraint" in def ? constraint(def.Constraint, key, place) : null;
    default:
      return null;
  }
}

function constraint(added: Body<"Constraint">, key: string, place: Place): Finding | null {
  switch (added.contype) {
    case "CONSTR_FOREIGN":
    case "CONSTR_CHECK": {
      if (added.skip_validation) return null;
      const what = added.contype === "CONSTR_FOREIGN" ? "foreign key" : "check";
      return finding(
        "constraint-scans-table",
        place,
        key,
        `Every row is checked against the ${what} under a lock on writes.`,
      );
    }
    case "CONSTR_PRIMARY":
    case "CONSTR_UNIQUE":
    case "CONSTR_EXCLUSION":
      if (added.indexname) return null;
      return finding(
        "index-blocks-writes",
        place,
        key,
        "The constraint builds its index under a lock on reads and writes.",
      );
    default:
      return null;
  }
}

/** Functions that give every row its own value; PostgreSQL then has to write every row. */
const volatileFunctions = new Set([
  "random",
  "gen_random_uuid",
  "uuidv4",
  "uuidv7",
  "uuid_generate_v1",
  "uuid_generate_v1mc",
  "uuid_generate_v4",
  "clock_timestamp",
  "timeofday",
  "nextval",
  "gen_random_bytes",
  "gen_salt",
]);
const serials = new Set(["smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"]);

function rewriteReason({ typeName, constraints }: Body<"ColumnDef">): string | null {
  if (serials.has(strings(typeName?.names).at(-1) ?? "")) return "a serial column numbers the rows";
  for (const constraint of constraints ?? []) {
    if (!("Constraint" in constraint)) continue;
    const { contype, raw_expr: expression, generated_kind: kind } = constraint.Constraint;
    if (contype === "CONSTR_IDENTITY") return "an identity column numbers the rows";
    if (contype === "CONSTR_GENERATED" && kind !== "v") return "a stored generated column is computed for every row";
    if (contype !== "CONSTR_DEFAULT") continue;
    let called: string | null = null;
    walk(expression, (nodeKind, body) => {
      const name = nodeKind === "FuncCall" ? strings((body as Body<"FuncCall">).funcname).at(-1) : undefined;
      if (name !== undefined && volatileFunctions.has(name)) called = name;
    });
    if (called !== null) return `the default calls ${called}(), which differs from row to row`;
  }
  return null;
}
