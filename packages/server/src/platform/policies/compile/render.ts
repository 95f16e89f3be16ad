import type { FuncCall, SelectStmt, TypeCast } from "libpg-query";
import { pureCasts, pureFunctions } from "./functions.ts";
import type { Node } from "./parser.ts";
import { as, beyond, builtInFunction, builtInOperator, constantText, kindOf, words } from "./tree.ts";
import type { KnownFunction, PolicyInput, RelationShape, TableName } from "./types.ts";

/** The tables that a sub-select and those around it have in reach, by the names they are printed with: no two are the same. */
export interface Scope {
  readonly tables: ReadonlyMap<string, RelationShape>;
  readonly outer: Scope | null;
}

export const lookUp = (scope: Scope | null, alias: string): RelationShape | null =>
  scope === null ? null : (scope.tables.get(alias) ?? lookUp(scope.outer, alias));

/** What is read on the way. */
export interface Rendering {
  readonly input: PolicyInput;
  readonly tables: Map<string, TableName>;
}

export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const string = (text: string): string =>
  text.includes("\\") ? `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;
const list = (nodes: readonly Node[] | undefined, scope: Scope | null, to: Rendering): string =>
  (nodes ?? []).map((node) => render(node, scope, to)).join(", ");

/**
 * The SQL of an expression inside a sub-select. It is a list of what is allowed: only nodes whose value depends on nothing but rows
 * of tables, constants and the caller, so that what is fetched once holds until one of the tables changes.
 * @throws Beyond for everything else, columns of the policy's own table above all
 */
export function render(node: Node, scope: Scope | null, to: Rendering): string {
  const kind = kindOf(node);
  switch (kind) {
    case "ColumnRef": {
      const [alias, name, ...more] = words(as("ColumnRef", node)?.fields);
      if (alias === undefined || name === undefined || more.length > 0) return beyond("a column without its table");
      const table = lookUp(scope, alias) ?? beyond("a column from outside");
      if (!table.columns.some((column) => column.name === name)) return beyond(`the column ${alias}.${name}`);
      return `${identifier(alias)}.${identifier(name)}`;
    }
    case "A_Const":
      return constant(node);
    case "TypeCast":
      return castText(as("TypeCast", node)!, scope, to);
    case "A_Expr":
      return operation(node, scope, to);
    case "BoolExpr": {
      const { boolop, args } = as("BoolExpr", node)!;
      const parts = (args ?? []).map((arg) => render(arg, scope, to));
      return boolop === "NOT_EXPR" ? `(not ${parts[0]})` : `(${parts.join(boolop === "AND_EXPR" ? " and " : " or ")})`;
    }
    case "NullTest": {
      const { arg, nulltesttype, argisrow } = as("NullTest", node)!;
      if (argisrow || !arg) return beyond("IS NULL of a row");
      return `(${render(arg, scope, to)} is ${nulltesttype === "IS_NULL" ? "" : "not "}null)`;
    }
    case "BooleanTest": {
      const { arg, booltesttype } = as("BooleanTest", node)!;
      return `(${render(arg!, scope, to)} ${String(booltesttype).toLowerCase().replaceAll("_", " ")})`;
    }
    case "CoalesceExpr":
      return `coalesce(${list(as("CoalesceExpr", node)!.args, scope, to)})`;
    case "CaseExpr": {
      const { arg, args, defresult } = as("CaseExpr", node)!;
      const branches = (args ?? []).map((branch) => {
        const { expr, result } = as("CaseWhen", branch) ?? beyond("an odd CASE");
        return ` when ${render(expr!, scope, to)} then ${render(result!, scope, to)}`;
      });
      const otherwise = defresult ? ` else ${render(defresult, scope, to)}` : "";
      return `(case${arg ? ` ${render(arg, scope, to)}` : ""}${branches.join("")}${otherwise} end)`;
    }
    case "FuncCall":
      return call(as("FuncCall", node)!, scope, to);
    case "SQLValueFunction": {
      const { op } = as("SQLValueFunction", node)!;
      if (op === "SVFOP_CURRENT_USER" || op === "SVFOP_CURRENT_ROLE") return "current_user";
      return beyond("a value of the session or the clock");
    }
    case "A_ArrayExpr":
      return `array[${list(as("A_ArrayExpr", node)!.elements, scope, to)}]`;
    case "SubLink":
      return subLink(node, scope, to);
    default:
      return beyond(kind);
  }
}

function constant(node: Node): string {
  const value = as("A_Const", node)!;
  if (value.isnull) return "null";
  if (value.boolval) return value.boolval.boolval ? "true" : "false";
  if (value.ival) return String(value.ival.ival ?? 0);
  if (value.fval?.fval && /^[0-9.e+-]+$/i.test(value.fval.fval)) return value.fval.fval;
  return value.sval ? string(value.sval.sval ?? "") : beyond("a constant");
}

function castText({ arg, typeName }: TypeCast, scope: Scope | null, to: Rendering): string {
  const parts = words(typeName?.names);
  if (!arg || typeName?.typmods?.length || typeName?.setof || typeName?.pct_type)
    return beyond("a cast to a limited length");
  const builtIn = builtInOperator(typeName?.names);
  // A literal has been read once already, when the policy was made: it is a value of its type.
  const isLiteral = as("A_Const", arg) !== undefined;
  if (!isLiteral && (builtIn === null || !pureCasts.has(builtIn))) return beyond(`a cast to ${parts.join(".")}`);
  const array = typeName?.arrayBounds?.length ? "[]" : "";
  return `(${render(arg, scope, to)})::${parts.map(identifier).join(".")}${array}`;
}

function operation(node: Node, scope: Scope | null, to: Rendering): string {
  const { kind, name, lexpr, rexpr } = as("A_Expr", node)!;
  const operator = builtInOperator(name) ?? beyond("an operator of somebody's own");
  if (!rexpr || !/^[-+*/<>=~!@#%^&|`?]+$/.test(operator)) return beyond(`the operator ${operator}`);
  const left = lexpr ? `${render(lexpr, scope, to)} ` : "";
  const right = render(rexpr, scope, to);
  switch (kind) {
    case "AEXPR_OP":
      return `(${left}operator(pg_catalog.${operator}) ${right})`;
    case "AEXPR_OP_ANY":
      return `(${left}operator(pg_catalog.${operator}) any (${right}))`;
    case "AEXPR_OP_ALL":
      return `(${left}operator(pg_catalog.${operator}) all (${right}))`;
    case "AEXPR_DISTINCT":
      return `(${left}is distinct from ${right})`;
    case "AEXPR_NOT_DISTINCT":
      return `(${left}is not distinct from ${right})`;
    case "AEXPR_NULLIF":
      return `nullif(${left}, ${right})`;
    default:
      return beyond(String(kind));
  }
}

function call(of: FuncCall, scope: Scope | null, to: Rendering): string {
  const { funcname, args, agg_star, agg_distinct, agg_filter, agg_order, over, func_variadic } = of;
  if (agg_star || agg_distinct || agg_filter || agg_order || over || func_variadic) return beyond("an aggregate");
  const name = words(funcname).join(".");
  if (to.input.knownFunctions.has(name as KnownFunction) && !args?.length) return `${name}()`;
  const builtIn = builtInFunction(funcname);
  const isSetting = builtIn === "current_setting" && (constantText(args?.[0]) ?? "").startsWith("request.jwt.claim");
  if (builtIn === null || !(isSetting || pureFunctions.has(builtIn))) return beyond(`the function ${name}`);
  return `pg_catalog.${identifier(builtIn)}(${list(args, scope, to)})`;
}

function subLink(node: Node, scope: Scope | null, to: Rendering): string {
  const { subLinkType, testexpr, operName, subselect } = as("SubLink", node)!;
  const select = as("SelectStmt", subselect) ?? beyond("an odd sub-select");
  const text = `(${renderSelect(select, scope, to)})`;
  switch (subLinkType) {
    case "EXISTS_SUBLINK":
      return `exists ${text}`;
    case "EXPR_SUBLINK":
      return text;
    case "ARRAY_SUBLINK":
      return `array${text}`;
    case "ANY_SUBLINK":
      if (operName?.length || !testexpr) return beyond("ANY of a sub-select");
      return `(${render(testexpr, scope, to)} operator(pg_catalog.=) any ${text})`;
    default:
      return beyond(String(subLinkType));
  }
}

function renderSelect(select: SelectStmt, outer: Scope | null, to: Rendering): string {
  const { scope, from } = renderFrom(plain(select), outer, to);
  const targets = (select.targetList ?? []).map((target) => {
    const value = as("ResTarget", target)?.val;
    return value ? render(value, scope, to) : beyond("an odd sub-select");
  });
  const where = select.whereClause ? ` where ${render(select.whereClause, scope, to)}` : "";
  return `select ${targets.join(", ")}${from}${where}`;
}

/** A SELECT of columns from tables with a condition, and nothing more. DISTINCT changes no set. */
export function plain(select: SelectStmt): SelectStmt {
  const { targetList, fromClause, whereClause, op, limitOption, distinctClause, ...rest } = select;
  const more = Object.keys(rest);
  if (more.length > 0 || op !== "SETOP_NONE" || limitOption !== "LIMIT_OPTION_DEFAULT") {
    return beyond(`a sub-select with more than a condition${more.length > 0 ? ` (${more.join(", ")})` : ""}`);
  }
  // DISTINCT ON keeps one of several rows.
  if (distinctClause?.some((on) => Object.keys(on).length > 0)) return beyond("DISTINCT ON");
  return select;
}

/** FROM with the tables it brings into reach. */
export function renderFrom(
  { fromClause }: SelectStmt,
  outer: Scope | null,
  to: Rendering,
): { readonly scope: Scope; readonly from: string } {
  const tables = new Map<string, RelationShape>();
  const scope: Scope = { tables, outer };
  // All tables first: a join's condition may name any of them.
  for (const item of fromClause ?? []) declare(item, tables, to);
  const items = (fromClause ?? []).map((item) => fromItem(item, scope, to));
  return { scope, from: items.length > 0 ? ` from ${items.join(", ")}` : "" };
}

function declare(item: Node, tables: Map<string, RelationShape>, to: Rendering): void {
  const join = as("JoinExpr", item);
  if (join?.larg && join.rarg) {
    declare(join.larg, tables, to);
    declare(join.rarg, tables, to);
    return;
  }
  const range = as("RangeVar", item);
  if (!range?.relname || !range.schemaname) return beyond("FROM something that is not a table");
  if (range.alias?.colnames?.length) return beyond("a table with other names for its columns");
  const name = { schema: range.schemaname, name: range.relname };
  const table = to.input.tableOf(name) ?? beyond(`${name.schema}.${name.name}, which is not a table`);
  const alias = range.alias?.aliasname ?? range.relname;
  if (tables.has(alias)) return beyond("two tables of one name");
  tables.set(alias, table);
  to.tables.set(JSON.stringify([name.schema, name.name]), name);
}

const joins: ReadonlyMap<string, string> = new Map([
  ["JOIN_INNER", "join"],
  ["JOIN_LEFT", "left join"],
]);

function fromItem(item: Node, scope: Scope, to: Rendering): string {
  const join = as("JoinExpr", item);
  if (join) {
    const word = joins.get(String(join.jointype)) ?? beyond(`a join ${join.jointype}`);
    if (join.isNatural || join.usingClause?.length || join.alias) return beyond("JOIN … USING");
    const [left, right] = [fromItem(join.larg!, scope, to), fromItem(join.rarg!, scope, to)];
    // CROSS JOIN is an inner join without a condition.
    return `(${left} ${word} ${right} on ${join.quals ? render(join.quals, scope, to) : "true"})`;
  }
  const { schemaname, relname, alias, inh } = as("RangeVar", item)!;
  const only = inh ? "" : "only ";
  return `${only}${identifier(schemaname!)}.${identifier(relname!)} as ${identifier(alias?.aliasname ?? relname!)}`;
}
