import type { Node } from "../parser.ts";
import { newTable, type SchemaModel, type TableModel } from "./model.ts";
import type { Place } from "./rules.ts";
import { type Body, nameKey, relationKey, strings, walk } from "./tree.ts";

/** What one statement does to the model. Statements that only code can tell (DO, dynamic SQL) are not seen. */
export function learn(model: SchemaModel, node: Node, place: Place): void {
  if ("CreateStmt" in node) createTable(model, node.CreateStmt, place);
  else if ("CreateTableAsStmt" in node) {
    const { objtype, into } = node.CreateTableAsStmt;
    if (objtype === "OBJECT_TABLE" && into?.rel?.relpersistence !== "t") {
      model.tables.set(relationKey(into?.rel), newTable(place));
    }
  } else if ("AlterTableStmt" in node) alterTable(model, node.AlterTableStmt);
  else if ("IndexStmt" in node) {
    const { relation, idxname, indexParams } = node.IndexStmt;
    const [first] = indexParams ?? [];
    const column = first && "IndexElem" in first ? first.IndexElem.name : undefined;
    if (column) addIndex(model.tables.get(relationKey(relation)), idxname, column);
  } else if ("CreatePolicyStmt" in node) {
    const { table, policy_name: name, qual, with_check: check, cmd_name: command } = node.CreatePolicyStmt;
    const using = command === "insert" ? null : (qual ?? null);
    model.tables.get(relationKey(table))?.policies.set(name ?? "", { place, using, check: check ?? null });
  } else if ("AlterPolicyStmt" in node) {
    const { table, policy_name: name = "", qual, with_check: check } = node.AlterPolicyStmt;
    const policies = model.tables.get(relationKey(table))?.policies;
    const before = policies?.get(name);
    if (before) policies?.set(name, { place, using: qual ?? before.using, check: check ?? before.check });
  } else if ("ViewStmt" in node) {
    const reads: string[] = [];
    walk(node.ViewStmt.query, (kind, body) => {
      if (kind === "RangeVar") reads.push(relationKey(body as Body<"RangeVar">));
    });
    model.views.set(relationKey(node.ViewStmt.view), { place, reads, isInvoker: isInvoker(node.ViewStmt.options) });
  } else if ("CreateFunctionStmt" in node) {
    const { funcname, options } = node.CreateFunctionStmt;
    model.functions.set(nameKey(strings(funcname)), {
      place,
      isDefiner: (options ?? []).some(
        (option) =>
          "DefElem" in option &&
          option.DefElem.defname === "security" &&
          option.DefElem.arg !== undefined &&
          "Boolean" in option.DefElem.arg &&
          option.DefElem.arg.Boolean.boolval === true,
      ),
      hasSearchPath: setsSearchPath(options),
    });
  } else if ("AlterFunctionStmt" in node) {
    const { func, actions } = node.AlterFunctionStmt;
    const known = model.functions.get(nameKey(strings(func?.objname)));
    if (known && setsSearchPath(actions)) known.hasSearchPath = true;
  } else if ("DropStmt" in node) drop(model, node.DropStmt);
  else if ("RenameStmt" in node) rename(model, node.RenameStmt);
}

/** Names of the relations a statement creates: locks on them block nobody. */
export function createdBy(node: Node): string | null {
  if ("CreateStmt" in node) return relationKey(node.CreateStmt.relation);
  if ("CreateTableAsStmt" in node) return relationKey(node.CreateTableAsStmt.into?.rel);
  return null;
}

function createTable(model: SchemaModel, statement: Body<"CreateStmt">, place: Place): void {
  const key = relationKey(statement.relation);
  if (statement.relation?.relpersistence === "t" || (statement.if_not_exists && model.tables.has(key))) return;
  const table = newTable(place);
  model.tables.set(key, table);
  for (const element of statement.tableElts ?? []) {
    if ("ColumnDef" in element) learnColumn(table, element.ColumnDef);
    else if ("Constraint" in element) learnConstraint(table, element.Constraint);
  }
}

function learnColumn(table: TableModel, { colname, constraints }: Body<"ColumnDef">): void {
  for (const constraint of constraints ?? []) {
    if (!("Constraint" in constraint)) continue;
    const { contype } = constraint.Constraint;
    if (contype === "CONSTR_PRIMARY" || contype === "CONSTR_UNIQUE") addIndex(table, undefined, colname);
  }
}

function learnConstraint(table: TableModel, { contype, conname, keys }: Body<"Constraint">): void {
  if (contype === "CONSTR_PRIMARY" || contype === "CONSTR_UNIQUE") addIndex(table, conname, strings(keys)[0]);
}

/** Unnamed ones get a name of our own: nothing of the files can drop them by theirs. */
function addIndex(table: TableModel | undefined, name: string | undefined, column: string | undefined): void {
  if (table && column) table.indexes.set(name ?? `#${table.indexes.size}`, column);
}

function alterTable(model: SchemaModel, { relation, cmds, objtype }: Body<"AlterTableStmt">): void {
  const key = relationKey(relation);
  for (const cmd of cmds ?? []) {
    if (!("AlterTableCmd" in cmd)) continue;
    const { subtype, def } = cmd.AlterTableCmd;
    if (objtype === "OBJECT_VIEW") {
      const view = model.views.get(key);
      const options = def && "List" in def ? def.List.items : undefined;
      if (view && subtype === "AT_SetRelOptions" && isInvoker(options)) view.isInvoker = true;
      continue;
    }
    const table = model.tables.get(key);
    if (table === undefined) continue;
    if (subtype === "AT_EnableRowSecurity") table.hasRowSecurity = true;
    else if (subtype === "AT_DisableRowSecurity") table.hasRowSecurity = false;
    else if (subtype === "AT_AddColumn" && def && "ColumnDef" in def) learnColumn(table, def.ColumnDef);
    else if (subtype === "AT_AddConstraint" && def && "Constraint" in def) learnConstraint(table, def.Constraint);
  }
}

function drop(model: SchemaModel, { removeType, objects }: Body<"DropStmt">): void {
  for (const object of objects ?? []) {
    const parts = "List" in object ? strings(object.List.items) : [];
    if (removeType === "OBJECT_TABLE") model.tables.delete(nameKey(parts));
    else if (removeType === "OBJECT_VIEW") model.views.delete(nameKey(parts));
    else if (removeType === "OBJECT_POLICY") {
      model.tables.get(nameKey(parts.slice(0, -1)))?.policies.delete(parts.at(-1) ?? "");
    } else if (removeType === "OBJECT_INDEX") {
      for (const table of model.tables.values()) table.indexes.delete(parts.at(-1) ?? "");
    } else if (removeType === "OBJECT_FUNCTION" && "ObjectWithArgs" in object) {
      model.functions.delete(nameKey(strings(object.ObjectWithArgs.objname)));
    }
  }
}

function rename(model: SchemaModel, { renameType, relation, subname = "", newname = "" }: Body<"RenameStmt">): void {
  const key = relationKey(relation);
  const renamed = relationKey({ ...relation, relname: newname });
  if (renameType === "OBJECT_TABLE") move(model.tables, key, renamed);
  else if (renameType === "OBJECT_VIEW") move(model.views, key, renamed);
  else if (renameType === "OBJECT_POLICY") {
    const policies = model.tables.get(key)?.policies;
    if (policies) move(policies, subname, newname);
  } else if (renameType === "OBJECT_COLUMN") {
    const indexes = model.tables.get(key)?.indexes;
    for (const [name, column] of indexes ?? []) if (column === subname) indexes?.set(name, newname);
  }
}

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from);
  if (value === undefined) return;
  map.delete(from);
  map.set(to, value);
}

function isInvoker(options: readonly Node[] | undefined): boolean {
  return (options ?? []).some((option) => {
    if (!("DefElem" in option) || option.DefElem.defname !== "security_invoker") return false;
    const { arg } = option.DefElem;
    if (arg === undefined) return true;
    if ("String" in arg) return ["true", "on", "yes", "1"].includes(arg.String.sval ?? "");
    if ("Boolean" in arg) return arg.Boolean.boolval === true;
    return "Integer" in arg && arg.Integer.ival === 1;
  });
}

function setsSearchPath(options: readonly Node[] | undefined): boolean {
  return (options ?? []).some(
    (option) =>
      "DefElem" in option &&
      option.DefElem.defname === "set" &&
      option.DefElem.arg !== undefined &&
      "VariableSetStmt" in option.DefElem.arg &&
      option.DefElem.arg.VariableSetStmt.name === "search_path",
  );
}
