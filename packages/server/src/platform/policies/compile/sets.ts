import type { SelectStmt, SubLink } from "libpg-query";
import { cast, castType } from "./casts.ts";
import { collationOf } from "./collation.ts";
import { addSet, type Context } from "./context.ts";
import type { Expression, SqlType } from "./expression.ts";
import type { Node } from "./parser.ts";
import { lookUp, plain, type Rendering, render, renderFrom, type Scope } from "./render.ts";
import { comparisonOf, typeOfColumn } from "./sql-types.ts";
import { as, Beyond, beyond, words } from "./tree.ts";
import { both, compileTruth } from "./truth.ts";
import type { CollationShape, KeyKind, TableName } from "./types.ts";
import { compileValue } from "./value.ts";

/**
 * A sub-select, taken apart into what is fetched once and what each row asks of it: conditions that tie it to the row must be
 * `inner = outer`, joined by AND.
 * @throws Beyond
 */
export function compileSet(link: SubLink, context: Context, isPositive: boolean): Expression {
  const select = plain(as("SelectStmt", link.subselect) ?? beyond("an odd sub-select"));
  switch (link.subLinkType) {
    case "EXISTS_SUBLINK":
      return membership(select, null, context);
    case "ANY_SUBLINK": {
      if (link.operName?.length || !link.testexpr) return beyond("ANY of a sub-select");
      // A value that is the caller's own makes the set small, where NULL and false are one.
      if (isPositive) {
        const asExists = narrowed(select, link.testexpr, context);
        if (asExists) return asExists;
      }
      return membership(select, compileValue(link.testexpr, context), context);
    }
    case "EXPR_SUBLINK":
      return fetched(select, context);
    default:
      return beyond(`a sub-select of kind ${link.subLinkType}`);
  }
}

/** `left = ANY (ARRAY(select …))`: as IN, NULL and all. */
export function arraySet(link: SubLink, left: Expression, context: Context): Expression {
  return membership(plain(as("SelectStmt", link.subselect) ?? beyond("an odd sub-select")), left, context);
}

interface Parts {
  readonly scope: Scope;
  readonly from: string;
  readonly to: Rendering;
  /** Conditions within the sub-select. */
  readonly inner: string[];
  readonly ties: { readonly sql: string; readonly kind: KeyKind; readonly outer: Expression }[];
  /** Conditions of the row alone. */
  readonly outer: Expression[];
}

function takeApart(select: SelectStmt, context: Context): Parts {
  const to: Rendering = { input: context.input, tables: new Map<string, TableName>() };
  const { scope, from } = renderFrom(select, null, to);
  if (from === "") beyond("a sub-select without a table");
  const parts: Parts = { scope, from, to, inner: [], ties: [], outer: [] };
  for (const condition of conjuncts(select.whereClause)) {
    if (!isTied(condition, scope, context)) parts.inner.push(render(condition, scope, to));
    else if (isTiedOnly(condition, scope)) parts.outer.push(compileTruth(condition, context, true));
    else parts.ties.push(tie(condition, parts, context));
  }
  return parts;
}

const conjuncts = (node: Node | undefined): readonly Node[] => {
  if (node === undefined) return [];
  const logic = as("BoolExpr", node);
  return logic?.boolop === "AND_EXPR" ? (logic.args ?? []).flatMap(conjuncts) : [node];
};

function* columnRefs(value: unknown): Generator<readonly Node[]> {
  if (typeof value !== "object" || value === null) return;
  const ref = as("ColumnRef", value as Node);
  if (ref) yield ref.fields ?? [];
  else for (const part of Object.values(value)) yield* columnRefs(part);
}

const isOuter = (fields: readonly Node[], scope: Scope, context: Context): boolean => {
  const [alias] = words(fields);
  return alias === context.input.relation.name && lookUp(scope, alias) === null;
};

const isTied = (node: Node, scope: Scope, context: Context): boolean =>
  [...columnRefs(node)].some((fields) => isOuter(fields, scope, context));

/** Nothing in it is of the sub-select's own tables. */
const isTiedOnly = (node: Node, scope: Scope): boolean =>
  ![...columnRefs(node)].some((fields) => lookUp(scope, words(fields)[0] ?? "") !== null);

function tie(condition: Node, { scope, to }: Parts, context: Context): Parts["ties"][number] {
  const equality = as("A_Expr", condition);
  if (equality?.kind !== "AEXPR_OP" || words(equality.name).join() !== "=" || !equality.lexpr || !equality.rexpr) {
    return beyond("a sub-select tied to the row by more than an equality");
  }
  const isLeftOuter = isTied(equality.lexpr, scope, context);
  const [outside, inside] = isLeftOuter ? [equality.lexpr, equality.rexpr] : [equality.rexpr, equality.lexpr];
  if (isTied(inside, scope, context) || !isTiedOnly(outside, scope)) return beyond("an equality of mixed sides");
  const outer = compileValue(outside, context);
  return { sql: render(inside, scope, to), kind: keyOf(outer, inside, scope, context), outer };
}

/** How a value of the sub-select is compared with one of the row: only where equal means equal canonical text. */
function keyOf(outer: Expression, inside: Node, scope: Scope, context: Context): KeyKind {
  const inner = innerType(inside, scope, context);
  const by = comparisonOf(outer.type, inner.type) ?? beyond(`comparing ${outer.type} with ${inner.type}`);
  if (by === "jsonb") return beyond("comparing JSON with a sub-select");
  if (by === "text") collationOf(context.input.collation, [outer], [inner.collation]);
  return by;
}

function innerType(
  node: Node,
  scope: Scope,
  context: Context,
): { readonly type: SqlType; readonly collation: CollationShape | null } {
  const [alias, name] = words(as("ColumnRef", node)?.fields);
  if (alias !== undefined) {
    const column = lookUp(scope, alias)?.columns.find((one) => one.name === name);
    return column ? { type: typeOfColumn(column), collation: column.collation } : beyond("a column from outside");
  }
  const typeCast = as("TypeCast", node);
  if (typeCast?.arg && as("ColumnRef", typeCast.arg)) {
    const of = innerType(typeCast.arg, scope, context);
    const type = castType(typeCast.typeName);
    // Checked as a cast of ours would be; the value itself is PostgreSQL's.
    cast({ node: "column", name: name ?? "", ...of }, type, typeCast.typeName?.typmods);
    return { type, collation: of.collation };
  }
  if ([...columnRefs(node)].length > 0) return beyond("a computed value of a sub-select");
  return { type: compileValue(node, context).type, collation: null };
}

function target(select: SelectStmt): Node {
  if (select.targetList?.length !== 1) return beyond("a sub-select of several columns");
  return as("ResTarget", select.targetList[0])?.val ?? beyond("an odd sub-select");
}

function register(
  parts: Parts,
  value: { readonly sql: string; readonly kind: KeyKind } | null,
  isScalar: boolean,
  context: Context,
): number {
  const outputs = [...parts.ties.map(({ sql }) => sql), ...(value ? [value.sql] : [])];
  const texts = outputs.map((sql, at) => `(${sql})::text as c${at}`);
  const where = parts.inner.length > 0 ? ` where ${parts.inner.join(" and ")}` : "";
  // Many rows say the same, except where their number counts. Without outputs only whether there is one.
  const select = outputs.length === 0 ? "select 1 as c0" : `select ${isScalar ? "" : "distinct "}${texts.join(", ")}`;
  const limit = outputs.length === 0 ? " limit 1" : "";
  return addSet(context, {
    sql: `${select}${parts.from}${where}${limit}`,
    tables: [...parts.to.tables.values()],
    correlates: parts.ties.map(({ kind }) => kind),
    value: value?.kind ?? null,
    isScalar,
  });
}

function membership(select: SelectStmt, value: Expression | null, context: Context): Expression {
  const parts = takeApart(select, context);
  if (value === null) {
    // What EXISTS selects is nothing to it, but an aggregate would always be there, and a column needs its privilege.
    for (const item of select.targetList ?? []) {
      const selected = as("ResTarget", item)?.val ?? beyond("an odd sub-select");
      const sql = render(selected, parts.scope, parts.to);
      if ([...columnRefs(selected)].length > 0) parts.inner.push(`(${sql} is null or true)`);
    }
    return asked(parts, null, null, context);
  }
  const node = target(select);
  const output = { sql: render(node, parts.scope, parts.to), kind: keyOf(value, node, parts.scope, context) };
  return asked(parts, output, value, context);
}

function asked(
  parts: Parts,
  output: { readonly sql: string; readonly kind: KeyKind } | null,
  value: Expression | null,
  context: Context,
): Expression {
  const set = register(parts, output, false, context);
  const correlates = parts.ties.map(({ outer }) => outer);
  const inSet: Expression = { node: "inSet", type: "boolean", set, correlates, value };
  // A condition of the row alone that does not hold empties the sub-select, whatever else is in it.
  const conditions = parts.outer.map(
    (of): Expression => ({ node: "isTruth", type: "boolean", truth: true, isNegated: false, of }),
  );
  return both("and", [...conditions, inSet]);
}

/** `mine IN (select x …)` as `EXISTS (… and x = mine)`; `null` when the value is not the caller's own. */
function narrowed(select: SelectStmt, test: Node, context: Context): Expression | null {
  if ([...columnRefs(test)].length > 0) return null;
  const sets = context.sets.length;
  try {
    const parts = takeApart(select, context);
    const inner = render(target(select), parts.scope, parts.to);
    parts.inner.push(`(${render(test, null, parts.to)} operator(pg_catalog.=) ${inner})`);
    return asked(parts, null, null, context);
  } catch (error) {
    if (!(error instanceof Beyond)) throw error;
    context.sets.length = sets;
    return null;
  }
}

/** `(select x from …)` as a value. */
function fetched(select: SelectStmt, context: Context): Expression {
  if (select.distinctClause) return beyond("DISTINCT of a single value");
  const parts = takeApart(select, context);
  const node = target(select);
  const { type, collation } = innerType(node, parts.scope, context);
  // It would count in every comparison that the value is used in.
  if (collation !== null) return beyond("a text with a collation of its own from a sub-select");
  const kind = comparisonOf(type, type) ?? beyond(`a sub-select of ${type}`);
  if (kind === "jsonb" || kind === "timestamptz" || kind === "timestamp" || kind === "date")
    return beyond(`a sub-select of ${type}`);
  const output = { sql: render(node, parts.scope, parts.to), kind };
  const set = register(parts, output, true, context);
  const value: Expression = { node: "fetched", type, set, correlates: parts.ties.map(({ outer }) => outer) };
  if (parts.outer.length === 0) return value;
  return {
    node: "case",
    type,
    when: [{ is: both("and", parts.outer), result: value }],
    otherwise: { node: "constant", type, value: null },
  };
}
